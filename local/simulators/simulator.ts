/** A running simulator of one vendor, on loopback. */
export interface Simulator {
  /** `dataphin`, `dataarts` or `flink`. */
  readonly name: string;
  /** Base URL, e.g. `http://127.0.0.1:40123`, without a trailing slash. */
  readonly url: string;
  /** A secret that makes a client call this simulator: the keys of the vendor's secret, `endpoint` included. */
  secret(): Readonly<Record<string, string>>;
  /** Stops listening, cuts what is open and drops calls that wait to be applied late. What was answered stays in the state file. */
  close(): Promise<void>;
}

/** How a simulator is started; every vendor has its own `Credentials`, spelled like its secret. */
export interface SimulatorOptions<Credentials> {
  /** 0, the default, takes any free port. */
  readonly port?: number;
  /** Append-only file that keeps what the simulator holds across restarts; without one it forgets everything. */
  readonly stateFile?: string;
  /** Replaces single values of the built-in credentials. */
  readonly credentials?: Partial<Credentials>;
  /** Epoch milliseconds; the machine's clock by default. */
  readonly now?: () => number;
}
