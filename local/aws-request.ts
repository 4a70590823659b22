import { type AwsSettings, readSettings, type Settings } from '../shared/settings.ts';

/** One request of what a function in AWS answers. */
export interface AwsRequest {
  /** The function whose URL it goes to, as serverless.yml names it. */
  readonly to: 'reconcile-http' | 'register-http' | 'fetch-http';
  /** Behind the URL's slash: `plan?format=text`. */
  readonly path: string;
  /** With it, it is a POST of this as JSON. */
  readonly body?: object;
}

/** What an argument of a command may hold; longer bodies go in by stdin. */
const MOST_IN_ARGUMENT = 2_000;

/**
 * For commands that ask a service, when the settings are those of a stage in AWS and no `--url` names another one: throws with the signed
 * requests that do there what was asked for, because DATA_DIR has nothing to do with it. `more`: what else there is to say about them.
 */
export function refuseInAws(url: string | undefined, requests: readonly AwsRequest[], more?: string): void {
  const settings = readSettings();
  const { aws } = settings;
  if (url !== undefined || aws === undefined) return;
  throw new Error(
    [
      'Nothing was asked and nothing done: TABLE, BUCKET or QUEUE_URL is set, so this is about AWS, and its functions take signed requests.',
      `# The URLs: ${infoCommand(settings)}. A service elsewhere: --url.`,
      ...(more === undefined ? [] : [`# ${more}`]),
      ...requests.map((each) => signed(each, regionOf(aws))),
    ].join('\n'),
  );
}

/** The command that shows URLs and names of the stage. */
export function infoCommand(settings: Settings): string {
  return `npx serverless info ${stageOptions(settings)} --verbose`;
}

/** `--stage … --region …` of the stage that the settings are of, as far as they tell. */
export function stageOptions({ aws, deployment }: Settings): string {
  // The work queue is the one thing that no stage brings along itself, so its name is always ours.
  const [, named] = /\/lineage-functions-([^/]+)-work$/.exec(aws?.queueUrl ?? '') ?? [];
  const stage = named ?? (deployment === 'local' ? '<stage>' : deployment);
  return `--stage ${stage} --region ${aws === undefined ? '<region>' : regionOf(aws)}`;
}

function regionOf({ queueUrl = '' }: AwsSettings): string {
  return /^https:\/\/sqs\.([a-z0-9-]+)\.amazonaws\.com/.exec(queueUrl)?.[1] ?? '<region>';
}

function signed({ to, path, body }: AwsRequest, region: string): string {
  const start = [
    `curl --aws-sigv4 aws:amz:${region}:lambda --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \\`,
    `  -H "x-amz-security-token: $AWS_SESSION_TOKEN"`,
  ].join('\n');
  const url = `"<URL of ${to}>${path}"`;
  if (body === undefined) return `${start} ${url}`;
  const text = JSON.stringify(body);
  const post = `${start} -H 'content-type: application/json' -X POST ${url}`;
  if (text.length > MOST_IN_ARGUMENT) return `${post} --data-binary @- <<'JSON'\n${text}\nJSON`;
  return `${post} -d '${text.replaceAll("'", `'\\''`)}'`;
}
