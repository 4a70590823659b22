import type { Manifests } from '../manifests/manifests.ts';

/** A JSON document of ours in the bucket. The type is a promise of whoever wrote it; undefined when there is none. */
export async function readJson<T>(manifests: Pick<Manifests, 'get'>, key: string): Promise<T | undefined> {
  const object = await manifests.get(key);
  return object && (JSON.parse(Buffer.from(object.bytes).toString('utf8')) as T);
}

/** Writes it. `indent`: spaces per level, for what people open; everything on one line by default. */
export async function writeJson(
  manifests: Pick<Manifests, 'put'>,
  key: string,
  value: unknown,
  indent?: number,
): Promise<void> {
  await manifests.put(key, Buffer.from(`${JSON.stringify(value, null, indent)}\n`), 'application/json');
}
