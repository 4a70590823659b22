import { randomUUID } from 'node:crypto';
import type { EdgeStatus } from '../../shared/converge/status.ts';
import { Failure } from '../../shared/core/failure.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { wireOwner } from '../../shared/core/owner-key.ts';
import { decodeUtf8 } from '../../shared/core/utf8.ts';
import { type Answer, json, type Request } from '../../shared/triggers/http.ts';
import { admitHuawei, type Refusal } from '../../shared/triggers/vendor-signature.ts';
import { added, identityOf, labelsOf, qualifiedName, type WireCall } from '../../shared/vendors/dataarts/inbound.ts';
import type { Services } from '../../shared/wiring.ts';
import { type Change, change } from './change.ts';
import { refusalOf, relayed, type Wording } from './failure-answer.ts';

/** Huawei, "API Request Signing Guide", error codes, read 2026-11; codes of the service itself are not published. */
const WORDING: Wording = {
  invalid: { status: 400, code: 'APIGW.0201' },
  denied: { status: 403, code: 'APIGW.0306' },
  throttled: { status: 429, code: 'APIGW.0308' },
  unavailable: { status: 502, code: 'APIGW.0610' },
};
const OTHER_PROJECT = { code: 'APIGW.0306', status: 403 };

/** `POST /v1/{project_id}/lineage/lineage-info`. Every answer is in DataArts' own shape, whatever happens. */
export async function dataarts(request: Request, services: Services): Promise<Answer> {
  const id = randomUUID().replaceAll('-', '');
  try {
    const projectId = request.params['project_id'] ?? '';
    const path = `/v1/${encodeURIComponent(projectId)}/lineage/lineage-info`;
    const admitted = await admitHuawei({ ...request, path }, 'register', services);
    if ('refused' in admitted) return refused(admitted.refused, id);
    const call = readRequest(projectId, request);
    const wanted = { ...(await changeOf(call, services)), caller: admitted.caller };
    const outcome = await change(wanted, services, request.deadlineMs);
    if (outcome.kind === 'rejected' || outcome.kind === 'retry') return refused(relayed(outcome, WORDING), id);
    const names = outcome.kind === 'done' ? receiptsOf(outcome.edges) : [];
    const name = typeof call.body['node_name'] === 'string' ? call.body['node_name'] : '';
    const created = names.length > 0 ? names : [qualifiedName(call, wanted.owner)];
    const nodes = created.map((qualified_name) => ({ name, type_name: 'Node', qualified_name }));
    return json(200, nodes, { 'x-request-id': id });
  } catch (thrown) {
    return refused(refusalOf(thrown, WORDING, services), id);
  }
}

/** What the vendor calls the nodes of this body. */
function receiptsOf(edges: readonly EdgeStatus[]): readonly string[] {
  return [...new Set(edges.flatMap(({ receipt }) => (receipt ? [receipt] : [])))];
}

async function changeOf(call: WireCall, services: Services): Promise<Omit<Change, 'caller'>> {
  const mode = services.settings.wire.dataarts;
  const own = (await services.deps.targets()).list.filter((each) => each.vendor.name === 'dataarts');
  const ofProject = own.filter((each) => each.secret['project_id'] === call.projectId);
  const target = ofProject.find((each) => each.secret['workspace_id'] === call.workspace) ?? ofProject[0];
  if (target === undefined && own.length > 0 && mode !== 'keep') {
    throw new Failure('denied', 'API access denied: the project is not one of this service', OTHER_PROJECT);
  }
  const name = target?.name ?? 'dataarts';
  const targets = mode === 'keep' ? [] : mode === 'all' ? 'all' : [name];
  // What is not valid takes nobody's turn.
  const tables = labelsOf(call);
  const job = call.body['job_id'];
  return {
    owner: wireOwner('dataarts', identityOf(call)),
    mode,
    concern: { target: name, tables },
    ...(typeof job === 'string' && job !== '' ? { remember: { job } } : {}),
    next: (known) => ({ kind: 'stored', document: added(known, call, targets) }),
  };
}

function readRequest(projectId: string, { headers, body }: Request): WireCall {
  const workspace = headers['workspace'] ?? '';
  if (workspace === '') throw new Failure('invalid', 'The header workspace is required');
  const named = headers['x-project-id'];
  if (named !== undefined && named !== projectId) {
    throw new Failure('denied', 'API access denied: X-Project-Id is not the project of the path', OTHER_PROJECT);
  }
  const text = decodeUtf8(body);
  let value: unknown;
  try {
    value = text === undefined ? undefined : JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Failure('invalid', 'The body is not a JSON object');
  }
  const command = value as JsonObject;
  const { workspace_id: inside } = command;
  if (typeof inside === 'string' && inside !== '' && inside !== workspace) {
    throw new Failure('invalid', 'workspace_id is not the workspace of the header');
  }
  return { projectId, workspace, body: command };
}

function refused({ status, code, message }: Refusal, id: string): Answer {
  return json(status, { error_code: code, error_msg: message, request_id: id }, { 'x-request-id': id });
}
