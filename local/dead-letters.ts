import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DeadLetter, DeadLetters } from '../shared/queue/dead-letters.ts';
import { readSettings } from '../shared/settings.ts';
import { changedKeys } from '../shared/triggers/s3-event.ts';
import { Misuse, readArguments, runCommand, say, table } from './command.ts';
import { kindOf, openLetters } from './letters.ts';
import { post, serviceUrl } from './service.ts';

const USAGE = `usage: npm run dead-letters -- list [--limit <count>]
       npm run dead-letters -- show <id>
       npm run dead-letters -- replay <id>… | --all
       npm run dead-letters -- drop <id>… | --all

Work that failed too often, with the reason: in DATA_DIR, or with TABLE, BUCKET, QUEUE_URL and DEAD_LETTER_URLS set, in SQS. Mend the
reason first, then replay; nothing is lost by a drop of anything but events, because every pass does the same.
  --url    the service that replays a pass, if not the one that has DATA_DIR; with --key, or better LINEAGE_KEY, where it wants one
  --json   the answer as JSON`;

async function main(): Promise<number | undefined> {
  const { values, positionals } = readArguments({
    all: { type: 'boolean', default: false },
    limit: { type: 'string', default: '100' },
    url: { type: 'string' },
    key: { type: 'string' },
  });
  const [verb = 'list', ...ids] = positionals;
  if (!['list', 'show', 'replay', 'drop'].includes(verb)) throw new Misuse('list, show, replay or drop?');
  if (!/^[1-9]\d{0,4}$/.test(values.limit)) throw new Misuse('--limit is a number from 1');
  if (verb === 'show' && ids.length !== 1) throw new Misuse('show which one? give one id');
  if ((verb === 'replay' || verb === 'drop') && ids.length === 0 && !values.all)
    throw new Misuse(`${verb} which ones? give ids, or --all`);
  const settings = readSettings();
  if (settings.aws === undefined && !existsSync(join(settings.dataDir, 'lineage.db'))) {
    console.error(`nothing was ever run on ${settings.dataDir}; is DATA_DIR right?`);
    return 1;
  }
  const letters = await openLetters(settings, async () => {
    await post(await serviceUrl(values.url), '/reconcile', {}, values.key);
  });
  try {
    if (verb === 'list') return await list(letters, Number(values.limit), values.json);
    if (verb === 'show') return await show(letters, ids[0] ?? '', values.json);
    const chosen = values.all ? (await letters.list(10_000)).map((each) => each.id) : ids;
    return await each(letters, verb as 'replay' | 'drop', chosen);
  } finally {
    await letters.close();
  }
}

async function list(letters: DeadLetters, limit: number, json: boolean): Promise<undefined> {
  const found = await letters.list(limit);
  say(json, found, () => {
    if (found.length === 0) return 'there are no dead letters';
    const rows = found.map((letter) => [letter.id, about(letter), `${letter.attempts}`, letter.reason.slice(0, 120)]);
    return table([['id', 'what', 'tries', 'reason'], ...rows]);
  });
}

async function show(letters: DeadLetters, id: string, json: boolean): Promise<number | undefined> {
  const letter = (await letters.list(10_000)).find((each) => each.id === id);
  if (letter === undefined) {
    console.error(`there is no dead letter ${id}`);
    return 1;
  }
  say(json, letter, () => `${about(letter)}\n${letter.attempts} tries\n${letter.reason}\n\n${letter.body}`);
  return undefined;
}

async function each(letters: DeadLetters, verb: 'replay' | 'drop', ids: readonly string[]): Promise<number> {
  let wrong = 0;
  for (const id of ids) {
    try {
      if (await letters[verb](id)) console.log(verb === 'replay' ? `sent again: ${id}` : `dropped: ${id}`);
      else {
        wrong = 1;
        console.error(`there is no dead letter ${id}`);
      }
    } catch (thrown) {
      wrong = 1;
      console.error(`${id}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
  }
  return wrong;
}

/** What it was to do, in a few words. */
function about({ body, from }: DeadLetter): string {
  const kind = kindOf(body);
  const fields = kind === undefined ? {} : (JSON.parse(body) as Record<string, unknown>);
  const whom = fields['owner'] ?? fields['target'] ?? '';
  if (kind !== undefined) return `${kind} ${typeof whom === 'string' ? whom : ''}`.trim();
  try {
    return `object ${changedKeys(body).join(', ')}`;
  } catch {
    return from ?? 'not ours';
  }
}

/** `npm run dead-letters` */
await runCommand(USAGE, main);
