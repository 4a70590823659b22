import type { JsonObject } from '../../core/json.ts';
import type { Unit, Written } from '../vendor.ts';
import type { NodeSpec, TableSpec } from './wire.ts';

/** A job node as a manifest would say it. Its job, which is part of what it is, stands in the manifest itself. */
export function written({ spec, options }: Pick<Unit, 'spec' | 'options'>, deployment: string): Written {
  const { inputs, outputs, workspaceId, jobId } = spec as unknown as NodeSpec;
  const made = jobId.startsWith(`lf-${deployment}-`);
  return {
    from: inputs.map(blockOf),
    to: outputs.map(blockOf),
    options: { ...options, ...(made ? {} : { jobId }), ...(workspaceId === '' ? {} : { workspaceId }) },
  };
}

function blockOf({ schema, ...rest }: TableSpec): JsonObject {
  return schema === '' ? { ...rest } : { ...rest, schema };
}
