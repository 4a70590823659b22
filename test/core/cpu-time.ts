/** CPU that this process has used, in milliseconds: a busy machine makes it no larger. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
