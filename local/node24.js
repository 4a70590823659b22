// Runs before every npm script, on whatever Node the host has: plain JavaScript, old syntax.
if (Number(process.versions.node.split('.')[0]) < 24) {
  console.error(
    'Lineage Functions needs Node 24, this is ' +
      process.version +
      ' and no Node package for this platform (' +
      process.platform +
      '-' +
      process.arch +
      ') came with npm ci. Install Node 24 and try again.',
  );
  process.exit(1);
}
