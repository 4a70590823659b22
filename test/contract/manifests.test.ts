import { folderManifests } from '../../shared/manifests/folder.ts';
import { manifestsSuite } from './manifests-suite.ts';
import { temporaryFolder } from './opened.ts';

manifestsSuite('the folder', async () => {
  const folder = await temporaryFolder();
  return { subject: folderManifests(folder.path), close: () => folder.remove() };
});
