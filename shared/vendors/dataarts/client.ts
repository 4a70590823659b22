import { asFailure, Failure } from '../../core/failure.ts';
import type { JsonObject } from '../../core/json.ts';
import { attempts } from '../../http/retry.ts';
import type { HttpAnswer } from '../../http/transport.ts';
import type { SignableRequest } from '../../signing/canonical.ts';
import { ofEntry } from '../of-entry.ts';
import type { Receipt, VendorClient, VendorIo } from '../vendor.ts';
import { parseAnswer, vendorText } from '../vendor-text.ts';
import { type AskedPage, type AskPage, type BulkReading, readBulk } from './bulk.ts';
import { failureOf } from './failures.ts';
import { lineageOf } from './lineage.ts';
import { locateNodes, verifyNodes } from './locate.ts';
import { probe } from './probe.ts';
import { endpointOf, readSecret } from './secret.ts';
import { type SignIn, signInOf } from './sign-in.ts';
import { createdSchema, lineageInfo, nodeOf } from './wire.ts';

const MAX_ATTEMPTS = 3;
/** A call that is given less time than this is not begun: cut off, nobody would know what became of it. */
const LEAST_MS = 1_000;
const NO_TIME = 'Too little time was left to send the call and hear what became of it; nothing was sent.';
const OPERATION = 'CreateLineageInfo';

/** DataArts's one verb for the account of a secret. Throws `Failure` `invalid` when the secret cannot be used. */
export function connect(given: JsonObject, io: VendorIo): VendorClient {
  const secret = readSecret(given);
  const signIn = signInOf(secret, io);
  const { protocol, host, path } = endpointOf(secret);
  const project = `${path}/v1/${encodeURIComponent(secret.project_id)}`;
  const target = `${project}/lineage/lineage-info`;
  return {
    probe: (options) => probe(secret, signIn, io, options),
    ...(secret.instance_id === undefined ? {} : bulkVerbs(reading(secret.instance_id))),
    register: async (call, options) => {
      const { workspaceId } = nodeOf(call);
      const body = new TextEncoder().encode(JSON.stringify(lineageInfo(call)));
      const request: SignableRequest = {
        method: 'POST' as const,
        host,
        path: target,
        query: [],
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          workspace: workspaceId,
          'x-project-id': secret.project_id,
        },
        body,
      };
      const send = async (headers: Readonly<Record<string, string>>) => {
        // Signing in, or noting the budget, may have taken what time there was.
        if (io.now() > options.deadlineMs - LEAST_MS)
          throw new Failure('unavailable', NO_TIME, { maybeApplied: false });
        return io.transport.send({
          method: 'POST',
          url: `${protocol}//${host}${target}`,
          headers,
          body,
          deadlineMs: options.deadlineMs,
          freshConnection: true,
          ...(options.signal === undefined ? {} : { signal: options.signal }),
        });
      };
      const { value, ambiguous } = await attempts(
        async () => {
          await io.permit(options.deadlineMs - LEAST_MS, options.lane);
          const { answer, secrets } = await signIn.send(request, send, options);
          try {
            return receiptOf(answer, secrets, io.now(), signIn.kind);
          } catch (thrown) {
            throw workspaceId === secret.workspace_id ? thrown : ofWorkspace(asFailure(thrown), workspaceId);
          }
        },
        {
          max: MAX_ATTEMPTS,
          deadlineMs: options.deadlineMs,
          now: io.now,
          sleep: io.sleep,
          random: io.random,
          failed: io.failed,
          repeatable: false,
          ...(options.signal === undefined ? {} : { signal: options.signal }),
        },
      );
      return { ...value, ambiguous };
    },
  };

  /** Reads by ShowLineageBulk, which takes the instance and not the workspace. */
  function reading(instance: string): BulkReading {
    const bulk = `${project}/datamap/lineage/bulk`;
    const ask: AskPage = async (query, options) => {
      const request: SignableRequest = {
        method: 'GET',
        host,
        path: bulk,
        query,
        headers: { accept: 'application/json', instance, 'x-project-id': secret.project_id },
        body: new Uint8Array(),
      };
      const url = `${protocol}//${host}${bulk}?${query.map(([name, value]) => `${name}=${value}`).join('&')}`;
      const get = (headers: Readonly<Record<string, string>>) =>
        io.transport.send({ method: 'GET', url, headers, deadlineMs: options.deadlineMs });
      return signIn.send(request, get, options);
    };
    const failure = ({ answer, secrets }: AskedPage) => {
      const failed = failureOf('ShowLineageBulk', answer, secrets, io.now(), signIn.kind);
      return answer.status === 403 && failed.kind === 'denied' ? notForUs(failed) : failed;
    };
    return { ask, failure, io };
  }
}

/** Reading has a right of its own: without it lineage cannot be read here, and is registered all the same. */
const notForUs = (failure: Failure): Failure => ofEntry(failure, 'Registering goes on without reading.');

/**
 * A refusal by the service, not the gateway, of an entry that names a workspace of its own: roles are given by workspace (Huawei,
 * "Permissions", read 2026-11), so it says nothing of the account.
 */
function ofWorkspace(failure: Failure, workspaceId: string): Failure {
  if (failure.status !== 403 || failure.code?.startsWith('APIGW.') !== false) return failure;
  return ofEntry(failure, `The entry names workspace ${workspaceId}, which is not the secret's.`);
}

function bulkVerbs(reading: BulkReading): Required<Pick<VendorClient, 'locate' | 'everything' | 'verify'>> {
  return {
    locate: (call, options) => locateNodes(call, reading, options),
    verify: verifyNodes(reading),
    everything: async (options) => {
      try {
        return lineageOf([...(await readBulk(reading, options)).values()].flat());
      } catch (thrown) {
        if (!(thrown instanceof Failure) || thrown.kind !== 'missing') throw thrown;
        const message = `${thrown.message} Or this project has not been invited: Huawei opens ShowLineageBulk on request.`;
        throw new Failure('missing', message, { cause: thrown });
      }
    },
  };
}

/** Status 200 and an array with at least one element; whatever else a 2xx brings may have been done. */
function receiptOf(
  answer: HttpAnswer,
  secrets: readonly (string | undefined)[],
  nowMs: number,
  signIn: SignIn['kind'],
): Omit<Receipt, 'ambiguous'> {
  if (answer.status !== 200) throw failureOf(OPERATION, answer, secrets, nowMs, signIn);
  const created = createdSchema.safeParse(parseAnswer(answer.body));
  if (!created.success) throw failureOf(OPERATION, answer, secrets, nowMs, signIn);
  const [node] = created.data;
  return { receipt: vendorText(node?.qualified_name ?? node?.name ?? answer.headers['x-request-id'], secrets) };
}
