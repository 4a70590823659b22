import { expect, it } from 'vitest';
import type { JsonObject } from '../../../shared/core/json.ts';
import { redactEvent } from '../../../shared/formats/openlineage/redact.ts';

it('makes no prototype of what an event says', () => {
  const evil = '"__proto__":{"sql":"select secret"}';
  const event = `{${evil},"job":{${evil},"name":"j","facets":{${evil},"documentation":{"description":"d"}}},"inputs":[{${evil},"name":"a"}]}`;
  const clean = redactEvent(JSON.parse(event) as JsonObject);
  const { job, inputs } = clean as { job: { facets: object }; inputs: object[] };
  for (const each of [clean, job, job.facets, ...inputs]) {
    expect(Object.getPrototypeOf(each)).toBe(Object.prototype);
    expect(Object.keys(each)).not.toContain('__proto__');
  }
  expect(JSON.stringify(clean)).not.toContain('secret');
});
