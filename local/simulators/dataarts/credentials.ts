export interface DataArtsCredentials {
  readonly ak: string;
  readonly sk: string;
  /** Only for temporary credentials: every AK/SK call must then carry it. */
  readonly security_token?: string;
  readonly region: string;
  readonly project_id: string;
  readonly workspace_id: string;
  readonly instance_id: string;
  readonly iam_user: string;
  readonly iam_password: string;
  readonly domain_name: string;
}

export const simulatedDataArtsCredentials: DataArtsCredentials = {
  ak: 'SIMULATEDACCESSKEY00',
  sk: 'simulatedSecretKey',
  region: 'cn-north-4',
  project_id: '0833a5737480d53b2f25c010dc1a7b88',
  workspace_id: '1b59d3c777ad4d619b89eeac4f3cce87',
  instance_id: '6f2c1e0b4d5a4f3e8b7c9a0d1e2f3a4b',
  iam_user: 'simulatedUser',
  iam_password: 'simulatedPassword',
  domain_name: 'simulatedAccount',
};
