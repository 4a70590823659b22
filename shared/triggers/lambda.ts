import type { Context } from 'aws-lambda';
import { wire } from '#wire';
import type { Services } from '../wiring.ts';

interface Entry<Event, Result> {
  open(services: Services): (event: Event, context: Context) => Promise<Result>;
}

/** What the platform calls. Services are opened on the first event and kept while the process lives. */
export function onLambda<Event, Result>(
  entry: Entry<Event, Result>,
): (event: Event, context: Context) => Promise<Result> {
  let opened: Promise<(event: Event, context: Context) => Promise<Result>> | undefined;
  return async (event, context) => {
    opened ??= wire().then((services) => entry.open(services));
    try {
      return (await opened)(event, context);
    } catch (thrown) {
      opened = undefined;
      throw thrown;
    }
  };
}
