import { Metrics as Emf } from '@aws-lambda-powertools/metrics';
import { gathered, type Metrics, NAMESPACE, SERVICE } from './metrics.ts';

/** Printed for CloudWatch in its embedded metric format: one line per target, and one for what has none. */
export function emfMetrics(stage: string): Metrics {
  return gathered(stage, (all, about) => {
    const lines = Map.groupBy(all, (each) => each.dimensions['target']);
    for (const [target, told] of lines) {
      // An instance for each line: what one of them holds is shared by all that run in the process.
      const emf = new Emf({
        namespace: NAMESPACE,
        serviceName: SERVICE,
        defaultDimensions: { stage, ...(target === undefined ? {} : { target }) },
      });
      for (const [name, value] of Object.entries(about)) emf.addMetadata(name, value);
      for (const { name, unit, values } of told) for (const value of values) emf.addMetric(name, unit, value);
      emf.publishStoredMetrics();
    }
  });
}
