// Run by folder.test.ts: puts objects into a folder and prints each key once its put has been acknowledged.
import { writeSync } from 'node:fs';
import { folderManifests } from '../../shared/manifests/folder.ts';

const [root = ''] = process.argv.slice(2);
const bucket = folderManifests(root);

for (let at = 0; ; at++) {
  const key = `manifests/team-${at % 7}/${at}.yaml`;
  await bucket.put(key, new TextEncoder().encode(key.repeat(100)), 'application/yaml');
  writeSync(1, `${key}\n`);
}
