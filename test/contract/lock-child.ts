// Run by lock.test.ts: takes the lock of a folder, says so, and holds it until it is killed.
import { lockDataDir } from '../../local/lock.ts';

const [folder = ''] = process.argv.slice(2);
try {
  lockDataDir(folder);
  console.log(`locked by ${process.pid}`);
  setInterval(() => {}, 1_000);
} catch (thrown) {
  console.log((thrown as Error).message);
}
