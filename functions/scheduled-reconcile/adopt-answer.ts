import type { Manifest } from '../../shared/core/manifest.ts';
import { type Answer, json, type Request } from '../../shared/triggers/http.ts';
import { problem } from '../../shared/triggers/problem.ts';
import type { Services } from '../../shared/wiring.ts';
import { checkDeclared, checkStored } from '../register/confined.ts';
import { type AdoptReport, adopt, adoptManifest } from './adopt.ts';

/** What `POST /reconcile` with `adopt` names: manifests by key, which are stored, or owners that are stored already; none: all. */
export interface AdoptOrder {
  readonly owners?: readonly string[] | undefined;
  readonly manifests?: Readonly<Record<string, string>> | undefined;
}

/** 200 with the report, 202 when something is left, 400 with the problems of manifests. */
export async function answerAdoption(order: AdoptOrder, request: Request, services: Services): Promise<Answer> {
  const { owners, manifests } = order;
  const { deadlineMs } = request;
  if (manifests === undefined) {
    const asked = { ...(owners ? { owners } : {}), askedAt: services.deps.now() };
    return answerOf(await adopt(services, deadlineMs, asked));
  }
  const given = Object.entries(manifests);
  const [first, ...more] = given;
  if (first === undefined || more.length > 0) return problem(400, 'send one manifest at a time; nothing was done');
  const [owner, text] = first;
  await checkStored(owner, request.caller, services);
  const check = (manifest: Manifest) => checkDeclared(owner, manifest, request.caller, services);
  const report = await adoptManifest(owner, text, services, deadlineMs, check);
  if ('problems' in report) return problem(400, 'the manifest has problems; nothing was stored', report.problems);
  return answerOf(report);
}

function answerOf(report: AdoptReport): Answer {
  const { left, outcomes, adopted } = report;
  const open = left > 0 || (outcomes['unfinished'] ?? 0) > 0 || adopted.some((each) => each.open > 0);
  return json(open ? 202 : 200, report);
}
