import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { circuitsOpen } from './converge/circuits-open.ts';
import type { Target, TargetMode, TargetProblem, Targets } from './converge/deps.ts';
import { digest } from './core/digest.ts';
import { asFailure, Failure } from './core/failure.ts';
import { canonicalJson, type JsonObject } from './core/json.ts';
import type { Transport, TransportOptions } from './http/transport.ts';
import { type AccountBudget, ledgerBudget } from './ledger/budget.ts';
import { ledgerCircuit } from './ledger/circuit.ts';
import type { Ledger } from './ledger/ledger.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Secrets } from './secrets/secrets.ts';
import { guarded } from './vendors/guarded.ts';
import { vendors } from './vendors/index.ts';
import { observed } from './vendors/observed.ts';
import { renewed } from './vendors/renewed.ts';
import { wrongKeys } from './vendors/secret.ts';
import type { Vendor, VendorIo } from './vendors/vendor.ts';

const PREFIX = 'lineage/';
/** Who may call us, and the key of share links: no targets. */
const OTHERS: ReadonlySet<string> = new Set(['clients', 'links']);

/** Secrets of simulated vendors, for targets that have none of their own: `{ dataphin: {…} }`. */
export type Simulated = Readonly<Record<string, JsonObject>>;

export interface TargetOptions {
  /** Where all processes share what they take of an account's budget. */
  readonly ledger: Ledger;
  /** A globally unique id. */
  readonly id: () => string;
  readonly simulated?: Simulated;
  /** What may be done at which target; `sync` unless given. */
  readonly modes?: Readonly<Record<string, TargetMode>>;
  /** Told when targets come, go, or cannot be used. */
  readonly log?: Log;
  /** Told of calls, waits and refusals. */
  readonly metrics?: Metrics;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/**
 * The accounts that are configured now, one per secret `lineage/<vendor>[/<account>]`. Reads the secrets each time (give it a
 * cached store); a connection is kept as long as its secret stays the same. A secret that is missing or wrong makes only its own
 * target unusable.
 */
export function targetsOf(secrets: Secrets, options: TargetOptions): () => Promise<Targets> {
  const { ledger, id, simulated = {}, modes = {}, log, metrics, now = Date.now } = options;
  let said = '';
  let used: readonly Target[] = [];
  const open = new Map<string, { readonly version: string; readonly target: Target }>();
  return async () => {
    const names = new Set([
      ...(await secrets.list(PREFIX)).map((name) => name.slice(PREFIX.length)),
      ...Object.keys(simulated),
    ]);
    const list: Target[] = [];
    const unknown: string[] = [];
    const problems: TargetProblem[] = [];
    const accounts = new Map<string, string>();
    const connecting: { readonly name: string; readonly vendor: Vendor; readonly target: Promise<Target> }[] = [];
    for (const name of [...names].sort()) {
      const vendor = vendors.find((each) => name === each.name || name.startsWith(`${each.name}/`));
      if (!vendor) {
        if (!OTHERS.has(name)) unknown.push(name);
        continue;
      }
      connecting.push({ name, vendor, target: connect(name, vendor) });
    }
    await Promise.allSettled(connecting.map((each) => each.target));
    for (const { name, vendor, target: connected } of connecting) {
      try {
        const target = await connected;
        const twin = accounts.get(target.account);
        if (twin !== undefined)
          throw new Failure('invalid', `it points at the same account as ${twin}; remove one of the secrets`);
        accounts.set(target.account, name);
        list.push(target);
      } catch (thrown) {
        const { message, retryable } = asFailure(thrown);
        problems.push({
          target: name,
          message: `secret ${PREFIX}${name}: ${message}`,
          registers: vendor.blocks.entry !== undefined,
          ...(retryable ? { passing: true } : {}),
        });
      }
    }
    tell(list, problems, unknown);
    used = list;
    return { list, problems };
  };

  /** Once per change. */
  function tell(list: readonly Target[], problems: Targets['problems'], unknown: readonly string[]): void {
    const targets = list.map((each) => `${each.name}: ${each.account}`);
    const now = JSON.stringify([targets, problems, unknown]);
    if (now === said) return;
    said = now;
    log?.info('targets', { targets });
    for (const { target, message } of problems)
      log?.warn('a target cannot be used; nothing is withdrawn there', { target, reason: message });
    for (const name of unknown) log?.warn('a secret belongs to no vendor; is its name right?', { name: PREFIX + name });
  }

  /** A pass tells them, too; an alarm need not wait for the next one. */
  async function tellCircuits(): Promise<void> {
    try {
      metrics?.add('CircuitsOpen', await circuitsOpen(used, ledger));
    } catch (thrown) {
      log?.warn('how many targets refuse us could not be counted', { reason: asFailure(thrown).message });
    }
  }

  async function connect(name: string, vendor: Vendor): Promise<Target> {
    let real: JsonObject | undefined;
    try {
      real = await secrets.get(PREFIX + name);
    } catch (thrown) {
      // What worked a moment ago goes on working while secrets cannot be read.
      const known = open.get(name);
      if (known && asFailure(thrown).retryable) return known.target;
      throw thrown;
    }
    const raw = real ?? simulated[name];
    if (!raw) throw new Failure('missing', 'it is gone');
    const version = versionOf(raw);
    const known = open.get(name);
    if (known?.version === version) return known.target;
    const parsed = vendor.secret.safeParse(raw, { jitless: true });
    if (!parsed.success) throw new Failure('invalid', wrongKeys(parsed.error));
    const secret = parsed.data;
    const account = real ? vendor.account(secret) : `simulated ${name}`;
    const pem = secret['ca_pem'];
    const transport = onFirstUse(typeof pem === 'string' ? { caPem: pem } : {});
    const budget = budgetOf(secret, real ? vendor.limits : {});
    const { permit } = ledgerBudget({ ledger, account, budget, now, sleep, id });
    const secretTag = tagOf(version);
    const circuit = ledgerCircuit({
      ledger,
      account,
      target: name,
      secret: secretTag,
      now,
      sleep,
      id,
      log,
      changed: tellCircuits,
    });
    const plain: VendorIo = {
      transport,
      now,
      nonce: () => randomBytes(16).toString('hex'),
      random: Math.random,
      sleep,
      permit,
    };
    const io = observed(plain, { target: name, log, metrics });
    const renew = async () => {
      const newer = real && (await newerSecret(name, vendor, { version, account }));
      return newer ? vendor.connect(newer, io) : undefined;
    };
    const client = renewed(vendor.connect(secret, io), renew);
    const mode = modes[name] ?? 'sync';
    const target: Target = { name, vendor, account, secret, client: guarded(client, circuit), mode, budget, circuit };
    open.set(name, { version, target });
    return target;
  }

  /** Another secret of the same account than the one that was refused, read now; undefined when there is none. */
  async function newerSecret(
    name: string,
    vendor: Vendor,
    refused: { readonly version: string; readonly account: string },
  ): Promise<JsonObject | undefined> {
    const raw = await secrets.refresh?.(PREFIX + name).catch(() => undefined);
    if (raw === undefined || versionOf(raw) === refused.version) return undefined;
    const parsed = vendor.secret.safeParse(raw, { jitless: true });
    return parsed.success && vendor.account(parsed.data) === refused.account ? parsed.data : undefined;
  }
}

/** Most functions that start ask nothing of a vendor in their first answer. */
function onFirstUse(options: TransportOptions): Transport {
  let made: Promise<Transport> | undefined;
  return {
    async send(request) {
      made ??= import('./http/transport.ts').then(({ createTransport }) => createTransport(options));
      return (await made).send(request);
    },
  };
}

/** Of each secret as it was read; a store that remembers gives the same object until it reads anew. */
const versions = new WeakMap<JsonObject, string>();

function versionOf(raw: JsonObject): string {
  const known = versions.get(raw) ?? digest(canonicalJson(raw));
  versions.set(raw, known);
  return known;
}

/** Twelve bits: enough to see that a secret changed, too few to tell a guessed one from another. */
function tagOf(version: string): string {
  return version.slice(0, 2);
}

/** What the secret allows, else what the vendor's documents say. */
function budgetOf(secret: JsonObject, limits: AccountBudget): AccountBudget {
  const perSecond = secret['calls_per_second'] ?? limits.callsPerSecond;
  const perDay = secret['calls_per_day'] ?? limits.callsPerDay;
  return {
    ...(typeof perSecond === 'number' ? { callsPerSecond: perSecond } : {}),
    ...(typeof perDay === 'number' ? { callsPerDay: perDay } : {}),
  };
}

async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, signal ? { signal } : {});
}
