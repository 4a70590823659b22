import { join } from 'node:path';
import { asFailure } from '../shared/core/failure.ts';
import { fileSecrets } from '../shared/secrets/file.ts';
import type { Secrets } from '../shared/secrets/secrets.ts';
import { readSettings, type Settings } from '../shared/settings.ts';
import { readArguments, runCommand, say } from './command.ts';
import { checkAws, checkFolder } from './doctor-place.ts';
import { checkSecrets } from './doctor-targets.ts';
import { type Finding, ok, wrong } from './findings.ts';

const USAGE = `usage: npm run doctor [-- --json]

Looks at the settings, the disk and database (or table, bucket and queues), every secret, and every vendor's account with a read that
changes nothing; says what is wrong and what to do. No secret is shown. Ends with 1 when something is wrong.`;

const SIGN = { ok: 'ok   ', info: '     ', warn: 'look ', wrong: 'WRONG' } as const;

/** Everything that can be found out from here. `now`: this machine's clock, epoch milliseconds. */
export async function diagnose(readAll: () => Settings, now: () => number): Promise<readonly Finding[]> {
  let settings: Settings;
  try {
    settings = readAll();
  } catch (thrown) {
    return [wrong('settings', asFailure(thrown).message, 'correct them and run this again')];
  }
  const place = settings.aws === undefined ? await checkFolder(settings) : await checkAws(settings);
  const auth =
    settings.aws === undefined && settings.auth === 'none'
      ? 'are good; callers on this machine need no key (AUTH=required asks for one)'
      : 'are good';
  return [ok('settings', auth), ...place, ...(await checkSecrets(await secretsOf(settings), now))];
}

async function secretsOf({ aws, dataDir }: Settings): Promise<Secrets> {
  if (aws === undefined) return fileSecrets(join(dataDir, 'secrets'));
  const { secretsManagerSecrets } = await import('../shared/secrets/secrets-manager.ts');
  return secretsManagerSecrets(aws.secretPrefix);
}

async function main(): Promise<number> {
  const { values } = readArguments({});
  const findings = await diagnose(readSettings, Date.now);
  const bad = findings.filter((each) => each.state === 'wrong').length;
  say(values.json, findings, () =>
    findings
      .map(
        ({ state, check, message, fix }) =>
          `${SIGN[state]} ${check}: ${message}${fix === undefined ? '' : `\n        -> ${fix}`}`,
      )
      .concat('', bad === 0 ? 'Nothing is wrong.' : `${bad} of ${findings.length} are wrong.`)
      .join('\n'),
  );
  return bad === 0 ? 0 : 1;
}

/** `npm run doctor` */
if (import.meta.main) await runCommand(USAGE, main);
