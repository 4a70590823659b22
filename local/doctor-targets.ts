import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { asFailure } from '../shared/core/failure.ts';
import type { JsonObject } from '../shared/core/json.ts';
import { createTransport, type Transport } from '../shared/http/transport.ts';
import type { Secrets } from '../shared/secrets/secrets.ts';
import { CLIENTS_SECRET, clientProblems } from '../shared/triggers/clients.ts';
import { vendors } from '../shared/vendors/index.ts';
import { wrongKeys } from '../shared/vendors/secret.ts';
import type { Vendor } from '../shared/vendors/vendor.ts';
import { type Finding, info, ok, warn, wrong } from './findings.ts';

const PREFIX = 'lineage/';
const PROBE_MS = 20_000;
/** Signatures are good for 15 minutes on both sides (Alibaba and Huawei, signing guides, read 2026-11); half of it is time to act. */
const SKEW_MS = 15 * 60_000;
const SHORTEST_LINK_KEY = 32;

/** Every secret: its shape, and of a vendor's whether its account answers, takes the key, and agrees about the time. */
export async function checkSecrets(secrets: Secrets, now: () => number): Promise<readonly Finding[]> {
  let names: readonly string[];
  try {
    names = await secrets.list(PREFIX);
  } catch (thrown) {
    return [wrong('secrets', asFailure(thrown).message, 'let this user list and read them')];
  }
  const findings: Finding[] = [];
  const accounts = new Map<string, string>();
  for (const name of names) {
    const target = name.slice(PREFIX.length);
    const vendor = vendors.find((each) => target === each.name || target.startsWith(`${each.name}/`));
    try {
      const secret = await secrets.get(name);
      if (secret === undefined) continue;
      if (name === CLIENTS_SECRET) findings.push(...checkClients(secret));
      else if (target === 'links') findings.push(checkLinks(secret));
      else if (vendor === undefined)
        findings.push(
          warn(name, 'belongs to no vendor', `name it ${vendors.map((each) => PREFIX + each.name).join(', ')}`),
        );
      else findings.push(...(await checkTarget(target, vendor, secret, accounts, now)));
    } catch (thrown) {
      findings.push(wrong(name, asFailure(thrown).message, 'correct the secret; until then nothing is done there'));
    }
  }
  for (const vendor of vendors) {
    if (names.includes(PREFIX + vendor.name)) continue;
    findings.push(
      info(
        vendor.name,
        `there is no secret ${PREFIX}${vendor.name}: ${vendor.title} is simulated locally, and absent in AWS`,
      ),
    );
  }
  return findings;
}

function checkClients(secret: JsonObject): readonly Finding[] {
  const list = secret['clients'];
  if (!Array.isArray(list)) return [wrong(CLIENTS_SECRET, 'is not { "clients": [ … ] }', 'npm run keys -- create')];
  const bad = (list as readonly unknown[]).flatMap((each, at) => {
    const problems = clientProblems(each);
    return problems.length === 0
      ? []
      : [
          wrong(
            CLIENTS_SECRET,
            `client ${at + 1} cannot be used: ${problems.join('; ')}`,
            'correct it, or revoke and create it with npm run keys',
          ),
        ];
  });
  return bad.length > 0 ? bad : [ok(CLIENTS_SECRET, `${list.length} keys`)];
}

function checkLinks(secret: JsonObject): Finding {
  const key = secret['key'];
  return typeof key === 'string' && key.length >= SHORTEST_LINK_KEY
    ? ok('lineage/links', 'share links can be signed')
    : wrong('lineage/links', 'has no usable key', `{ "key": "<${SHORTEST_LINK_KEY} or more random characters>" }`);
}

async function checkTarget(
  target: string,
  vendor: Vendor,
  raw: JsonObject,
  accounts: Map<string, string>,
  now: () => number,
): Promise<readonly Finding[]> {
  const parsed = vendor.secret.safeParse(raw);
  const page = `shared/vendors/${vendor.name}/README.md, "Secret"`;
  if (!parsed.success) return [wrong(target, `the secret cannot be used: ${wrongKeys(parsed.error)}`, `see ${page}`)];
  const secret = parsed.data;
  const account = vendor.account(secret);
  const twin = accounts.get(account);
  accounts.set(account, target);
  const findings: Finding[] = [];
  if (twin !== undefined)
    findings.push(wrong(target, `points at the same account as ${twin}`, 'remove one of the two secrets'));
  findings.push(...(await probeTarget(target, vendor, secret, now)));
  for (const each of vendor.prerequisites ?? [])
    findings.push(info(target, `cannot be seen from here, make sure: ${each}`));
  return findings;
}

/** Notes the Date of the last answer, and how far it is from our clock. */
function watching(transport: Transport, now: () => number, note: (skewMs: number) => void): Transport {
  return {
    async send(request) {
      const answer = await transport.send(request);
      const date = Date.parse(answer.headers['date'] ?? '');
      if (!Number.isNaN(date)) note(now() - date);
      return answer;
    },
  };
}

async function probeTarget(
  target: string,
  vendor: Vendor,
  secret: JsonObject,
  now: () => number,
): Promise<readonly Finding[]> {
  let skewMs: number | undefined;
  const pem = secret['ca_pem'];
  const transport = createTransport({ now, ...(typeof pem === 'string' ? { caPem: pem } : {}) });
  const client = vendor.connect(secret, {
    transport: watching(transport, now, (found) => {
      skewMs = found;
    }),
    now,
    nonce: () => randomBytes(16).toString('hex'),
    random: Math.random,
    sleep: async (ms) => {
      await delay(ms);
    },
    permit: async () => {},
  });
  if (client.probe === undefined)
    return [info(target, 'cannot be read with this key ("read_back": false), so it was not asked')];
  try {
    await client.probe({ deadlineMs: now() + PROBE_MS });
    return [ok(target, `${vendor.account(secret)} answers and takes the key`), ...clock(target, skewMs)];
  } catch (thrown) {
    const failure = asFailure(thrown);
    const fix: Partial<Record<typeof failure.kind, string>> = {
      denied: 'mend the key or its rights as it says; a changed secret counts within a minute',
      unavailable: '"endpoint" in the secret, the network, DNS and proxy on the way there',
      missing: '"endpoint", "region" and the ids in the secret',
      throttled: 'too many calls now; ask again later',
    };
    return [wrong(target, failure.message, fix[failure.kind] ?? 'as it says'), ...clock(target, skewMs)];
  } finally {
    await transport.close();
  }
}

function clock(target: string, skewMs: number | undefined): readonly Finding[] {
  if (skewMs === undefined) return [];
  const off = Math.abs(skewMs);
  const message = `this machine's clock is ${Math.round(off / 1_000)} s ${skewMs < 0 ? 'behind' : 'ahead of'} ${target}'s`;
  const fix = 'set the clock (NTP); signatures are refused at 15 minutes';
  if (off >= SKEW_MS) return [wrong('clock', message, fix)];
  return off >= SKEW_MS / 2 ? [warn('clock', message, fix)] : [ok('clock', message)];
}
