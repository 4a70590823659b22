import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { parseDocument, type YAMLMap } from 'yaml';
import type { MadeCall } from './calls.ts';

const root = resolve(import.meta.dirname, '../..');

/** As serverless.yml builds them. */
const OPTIONS: BuildOptions & { readonly write: false } = {
  ...esbuildSettings(),
  absWorkingDir: root,
  logLevel: 'error',
  write: false,
};

function esbuildSettings(): BuildOptions {
  const file = parseDocument(readFileSync(join(root, 'serverless.yml'), 'utf8'), { logLevel: 'error' });
  const { skipRebuild: _, ...settings } = (file.getIn(['custom', 'esbuild']) as YAMLMap).toJS(file);
  return settings;
}

/** What an entry cannot do without: AWS SDK clients with the commands it sends, undici, zod with the schemas it is made of. */
export interface Parts {
  /** Client package → commands. */
  readonly clients: Readonly<Record<string, readonly string[]>>;
  readonly undici: boolean;
  /** `string`, `strictObject`, …; none when it is not there at all. */
  readonly zod: readonly string[];
}

/** Which parts an entry's bundle holds. */
export async function partsOf(entryFile: string): Promise<Parts> {
  const { metafile } = await build({
    ...OPTIONS,
    entryPoints: [entryFile],
    outdir: 'out',
    metafile: true,
  });
  const inputs = used(metafile);
  const clients: Record<string, string[]> = {};
  const schemas = new Set<string>();
  for (const input of inputs.filter((each) => !each.includes('node_modules'))) {
    const source = await readFile(join(root, input), 'utf8');
    for (const [, names = '', client = ''] of source.matchAll(/import \{([^}]*)\} from '@aws-sdk\/(client-[\w-]+)'/g)) {
      const commands = [...names.matchAll(/\b(?<!type )\w+Command\b/g)].map(([name]) => name);
      clients[client] = [...new Set([...(clients[client] ?? []), ...commands])];
    }
    for (const [, name = ''] of source.matchAll(/\bz\s*\.([a-z]\w*)\(/g)) schemas.add(name);
  }
  return {
    clients,
    undici: inputs.some((input) => input.includes('node_modules/undici/')),
    zod: inputs.some((input) => input.includes('node_modules/zod/')) ? [...schemas].sort() : [],
  };
}

/** Files of which something is left in the bundle. */
function used(metafile: Metafile): readonly string[] {
  return Object.values(metafile.outputs).flatMap((output) =>
    Object.entries(output.inputs)
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .map(([input]) => input),
  );
}

const CLIENT_OF: Readonly<Record<string, { readonly package: string; readonly name: string }>> = {
  dynamodb: { package: 'client-dynamodb', name: 'DynamoDBClient' },
  s3: { package: 'client-s3', name: 'S3Client' },
  sqs: { package: 'client-sqs', name: 'SQSClient' },
  secretsmanager: { package: 'client-secrets-manager', name: 'SecretsManagerClient' },
};

/** As the emulators need them. */
const OPTIONS_OF: Readonly<Record<string, string>> = {
  s3: '{ maxAttempts: 1, forcePathStyle: true }',
  sqs: '{ maxAttempts: 1, useQueueUrlAsEndpoint: false }',
};

/**
 * A function of those parts alone. It sends the same first calls in the same waves, reads the event with zod, and answers; it
 * understands nothing of what it is told. As in the real one, SDK clients are loaded at once and made when needed, undici is loaded when needed.
 */
export async function floorBundle(
  parts: Parts,
  waves: readonly (readonly MadeCall[])[],
  vendorUrl: string,
): Promise<string> {
  const calls = waves.flat();
  const services = new Set(calls.map((call) => call.service));
  const lines = ["'use strict';"];
  for (const [service, { package: name, name: client }] of Object.entries(CLIENT_OF)) {
    const commands = parts.clients[name];
    if (commands === undefined) continue;
    lines.push(`import { ${[client, ...commands].join(', ')} } from '@aws-sdk/${name}';`);
    lines.push(`const ${service}Commands = { ${commands.join(', ')} };`);
    const options = OPTIONS_OF[service] ?? '{ maxAttempts: 1 }';
    const made = services.has(service) ? `new ${client}(${options})` : client;
    lines.push(`export const ${service} = ${made};`);
  }
  if (parts.zod.length > 0) {
    lines.push("import * as z from 'zod';", 'const eventSchema = z.looseObject({ rawPath: z.string().optional() });');
    lines.push(`export const schemas = [${parts.zod.map((name) => `z.${name}`).join(', ')}];`);
  }
  if (parts.undici && services.has('vendor'))
    lines.push("import { Agent } from 'undici';", 'const agent = new Agent();');
  else if (parts.undici) lines.push("export const later = () => import('undici').then((it) => it.Agent);");
  const plan = waves.map((wave) => wave.map(({ service, operation, input }) => ({ service, operation, input })));
  lines.push(
    `const plan = ${JSON.stringify(plan)};`,
    'async function call({ service, operation, input }) {',
    '  try {',
    ...[...services]
      .filter((service) => service !== 'vendor')
      .map((service) => {
        const read =
          service === 's3'
            ? 'const answer = await s3.send(command); if (answer.Body) await answer.Body.transformToByteArray();'
            : `await ${service}.send(command);`;
        return `    if (service === '${service}') { const command = new ${service}Commands[operation + 'Command'](input); ${read} }`;
      }),
    ...(services.has('vendor')
      ? [
          `    if (service === 'vendor') { const answer = await agent.request({ origin: ${JSON.stringify(vendorUrl)}, path: input.path, method: operation, headers: { 'content-type': input.headers['content-type'] ?? 'text/plain' }, body: input.body || null }); await answer.body.text(); }`,
        ]
      : []),
    // A condition that no longer holds is an answer too.
    '  } catch {}',
    '}',
    'export async function handler(event) {',
    parts.zod.length > 0 ? '  eventSchema.parse(event);' : '',
    '  for (const wave of plan) await Promise.all(wave.map(call));',
    "  return { statusCode: 200, body: '' };",
    '}',
  );
  const { outputFiles } = await build({
    ...OPTIONS,
    stdin: { contents: lines.join('\n'), resolveDir: root, loader: 'js' },
    outfile: join(root, 'floor.js'),
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error('no floor bundle');
  return file.text;
}
