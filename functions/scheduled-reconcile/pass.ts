import { restoredAt } from '../../shared/converge/restored.ts';
import { asFailure } from '../../shared/core/failure.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import type { Services } from '../../shared/wiring.ts';
import { verifyDrift } from './drift.ts';
import { sourceFlink } from './flink-source.ts';
import { passHere } from './here.ts';
import { measurePass } from './pass-metrics.ts';
import { type ReconcileReport, told } from './reconcile.ts';
import { type PassReport, passReport, type Reported, writeReport } from './report.ts';
import { spreadPass } from './spread.ts';
import { sweepLedger, sweepReports, sweepStatuses } from './sweep.ts';
import { newTally } from './tally.ts';

/** Shares of a pass's time: reading Flink must leave most of it, tidying up takes what is left. */
const FLINK_SHARE = 0.3;

/**
 * One pass: reads Flink, sees to every owner, verifies some of them at the vendors, tidies up, and writes its report. What goes wrong in one part stops no other, and stands in
 * the report; a pass that could not look at all owners throws after that, so that the platform counts it.
 */
export async function pass(services: Services, deadlineMs: number): Promise<void> {
  const { deps, spread } = services;
  const startedAt = deps.now();
  const flinkUntil = startedAt + (deadlineMs - startedAt) * FLINK_SHARE;
  if (spread !== undefined && !(await deps.ledgerCheck?.lost())) {
    const prepare = () => readFlink(services, flinkUntil);
    await spreadAndReport(services, { deadlineMs, verify: true }, prepare);
  } else {
    await hereAndReport(services, { deadlineMs, flinkUntil, verify: true });
  }
  await tidyUp(services, deadlineMs);
}

/**
 * A pass that a person asks for: every owner, what a vendor refused before included, and, where one process does everything, Flink; then
 * its report, so that who looks there sees what was just done. Verifying and tidying up are left to the schedule.
 */
export async function passAsked(services: Services, deadlineMs: number, askedAt: number): Promise<ReconcileReport> {
  const { deps, spread } = services;
  const startedAt = deps.now();
  if (spread === undefined || (await deps.ledgerCheck?.lost())) {
    const flinkUntil = startedAt + (deadlineMs - startedAt) * FLINK_SHARE;
    return hereAndReport(services, { deadlineMs, flinkUntil, askedAt });
  }
  const found = await spreadPass({ deadlineMs, again: true, askedAt }, deps, spread, async () => undefined).catch(
    async (thrown: unknown) => {
      await report(services, { startedAt, tally: newTally(), failed: asFailure(thrown).message }, true);
      throw thrown;
    },
  );
  if (found === undefined) return told(newTally(), 1, services);
  const { state } = found.pass;
  const { tally, flink } = state;
  if (found.mine) {
    const left = state.finished === true ? {} : { left: outOfTime(state.after) };
    await report(
      services,
      { startedAt: state.startedAt, tally, ...left, ...(flink === undefined ? {} : { flink }) },
      true,
    );
  }
  return told(tally, found.queued + (state.finished ? 0 : 1), services);
}

async function hereAndReport(
  services: Services,
  wanted: {
    readonly deadlineMs: number;
    readonly flinkUntil: number;
    readonly askedAt?: number;
    readonly verify?: true;
  },
): Promise<ReconcileReport> {
  const { deps } = services;
  const { deadlineMs, askedAt } = wanted;
  const startedAt = deps.now();
  const asked = askedAt !== undefined;
  const flink = await readFlink(services, wanted.flinkUntil);
  const tally = newTally();
  const input = { startedAt, tally, ...(flink === undefined ? {} : { flink }) };
  let after: string | undefined;
  try {
    after = await passHere(deps, { deadlineMs, tally, since: startedAt, ...(asked ? { askedAt } : {}) });
  } catch (thrown) {
    await report(services, { ...input, failed: asFailure(thrown).message }, asked);
    throw thrown;
  }
  const done = told(tally, after === undefined ? 0 : 1, services);
  const drift = wanted.verify ? await verifyDrift(services, deadlineMs) : undefined;
  const left = after === undefined ? {} : { left: outOfTime(after) };
  await report(services, { ...input, ...left, ...(drift === undefined ? {} : { drift }) }, asked);
  return done;
}

/** Goes on with a pass that ran out of time. An old message finds nothing to do. */
export async function continuePass(id: string, services: Services, deadlineMs: number): Promise<void> {
  await spreadAndReport(services, { deadlineMs, id }, async () => undefined);
}

async function spreadAndReport(
  services: Services,
  wanted: { readonly deadlineMs: number; readonly id?: string; readonly verify?: true },
  prepare: () => Promise<JsonObject | undefined>,
): Promise<void> {
  const { deps, log, spread } = services;
  if (spread === undefined) return;
  const startedAt = deps.now();
  const found = await spreadPass(wanted, deps, spread, prepare).catch(async (thrown: unknown) => {
    await report(services, { startedAt, tally: newTally(), failed: asFailure(thrown).message });
    throw thrown;
  });
  if (found === undefined || !found.mine) {
    log.info('another invocation is at the pass; it sees to everything');
    return;
  }
  const { state } = found.pass;
  told(state.tally, state.finished ? 0 : 1, services);
  const left = state.finished === true ? {} : { left: outOfTime(state.after) };
  const { tally, flink } = state;
  // Continuations are for owners alone: each schedule verifies once.
  const drift = wanted.verify ? await verifyDrift(services, wanted.deadlineMs) : undefined;
  await report(services, {
    ...{ startedAt: state.startedAt, tally, ...left },
    ...(flink === undefined ? {} : { flink }),
    ...(drift === undefined ? {} : { drift }),
  });
}

function outOfTime(after: string): NonNullable<PassReport['left']> {
  const reason = 'time was up; it goes on where it stopped';
  return after === '' ? { reason } : { reason, after };
}

async function readFlink(services: Services, deadlineMs: number): Promise<JsonObject | undefined> {
  if (!services.settings.flinkSource.on) return undefined;
  try {
    const flink = await sourceFlink(services, { deadlineMs });
    return { ...flink, problems: flink.problems.map((each) => ({ ...each })) };
  } catch (thrown) {
    const { message } = asFailure(thrown);
    services.log.warn('Flink could not be read; nothing is withdrawn', { reason: message });
    return { failed: message };
  }
}

/** A report that cannot be written fails no pass. Only passes of the schedule are counted: what a person asks for must not hide that it stopped. */
async function report(
  services: Services,
  input: Omit<Reported, 'now' | 'problems'>,
  asked: boolean = false,
): Promise<void> {
  const { deps, log } = services;
  try {
    const [targets, naming] = await Promise.all([deps.targets(), deps.naming()]);
    const finished = input.failed === undefined && input.left === undefined;
    if (!asked) await measurePass(services, { tally: input.tally, finished, targets });
    const problems = targets.problems.map(({ target, message }) => ({ target, message }));
    for (const { path, message } of naming.problems ?? []) {
      problems.push({ target: 'naming.yaml', message: `${path === '' ? '' : `${path}: `}${message}` });
    }
    const only = targets.list.filter((each) => each.restored).map((each) => each.name);
    const at = only.length === 0 ? undefined : await restoredAt(deps.ledger);
    const restored = at === undefined ? {} : { restored: { at, targets: only } };
    await writeReport(passReport({ ...input, ...restored, problems, now: deps.now() }), deps.manifests);
  } catch (thrown) {
    log.warn('the report of the pass could not be written', { reason: asFailure(thrown).message });
  }
}

async function tidyUp(services: Services, deadlineMs: number): Promise<void> {
  try {
    await sweepReports(services, deadlineMs);
    await sweepStatuses(services, deadlineMs);
    await sweepLedger(services, deadlineMs);
  } catch (thrown) {
    services.log.warn('old reports and statuses stay for now', { reason: asFailure(thrown).message });
  }
}
