/**
 * What bundles hold in place of the SDK's chain of credential providers (`alias` in serverless.yml): Lambda hands a role's
 * credentials over in the environment, so the sign-in services, profiles and metadata servers of that chain would be dead weight.
 */
export { fromEnv as defaultProvider } from '@aws-sdk/credential-provider-env';
