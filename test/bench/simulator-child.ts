import { startDataArts } from '../../local/simulators/dataarts/index.ts';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import { given, say } from './child.ts';

/** A vendor in a process of its own, unlimited and forgetful; it says its secret. */
const vendor = given<'dataphin' | 'dataarts'>();
const simulator = vendor === 'dataphin' ? await startDataphin() : await startDataArts();
say({ url: simulator.url, secret: simulator.secret() });
