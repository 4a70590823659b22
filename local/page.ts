import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const FOLDER = new URL('../functions/fetch/page/', import.meta.url);

/** The pages' script as one text, small enough to be inlined, as the TypeScript module that `page.ts` imports. */
export async function pageBundle(): Promise<string> {
  const built = await build({
    entryPoints: [fileURLToPath(new URL('client/main.ts', FOLDER))],
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    minify: true,
    charset: 'ascii',
    legalComments: 'none',
  });
  // Nothing in it may end the element it stands in.
  const script = (built.outputFiles[0]?.text ?? '').trimEnd().replaceAll('</', '<\\/').replaceAll('<!--', '<\\!--');
  return `// Made from client/ by \`npm run page\`; a test compares. Contains @dagrejs/dagre and @dagrejs/graphlib (MIT, Chris Pettitt).\nexport const script: string = ${JSON.stringify(script)};\n`;
}

if (import.meta.main) {
  await writeFile(fileURLToPath(new URL('client.bundle.ts', FOLDER)), await pageBundle());
  console.log('wrote functions/fetch/page/client.bundle.ts');
}
