/** A small shop's lineage, as manifests: what the screenshots show and the browser tests click through. */

const TABLES = [
  'orders_raw',
  'customers_raw',
  'payments_raw',
  'orders_clean',
  'customers_clean',
  'payments_clean',
  'orders_enriched',
  'revenue_daily',
  'customer_360',
  'churn_features',
  'revenue_dashboard',
] as const;

const NAMESPACE = 'maxcompute://cn-shanghai';

/** The dataset of a table of the shop. */
export const shopDataset = (name: string): string => `${NAMESPACE}/shop.${name}`;

interface Entry {
  readonly from: string | readonly string[];
  readonly to: string;
  readonly columns: Readonly<Record<string, string | readonly string[]>>;
}

const known = {
  ...Object.fromEntries(TABLES.map((name) => [name, dataset(name)])),
  summary: dataset('订单汇总'),
};

function dataset(name: string) {
  return {
    namespace: NAMESPACE,
    name: `shop.${name}`,
    dataphin: { guid: `odps.300000001.shop.${name}` },
    dataarts: { database: 'shop', table: name },
  };
}

function manifest(job: string, lineage: readonly Entry[]): string {
  const used = new Set(lineage.flatMap(({ from, to }) => [from, to].flat()));
  const datasets = Object.fromEntries(Object.entries(known).filter(([alias]) => used.has(alias)));
  const defaults = { lineage: { dataarts: { connectionName: 'dli_test', dataSourceType: 'dli' } } };
  return `${JSON.stringify({ version: 1, job: { namespace: 'airflow-prod', name: job }, defaults, datasets, lineage }, null, 2)}\n`;
}

/** Object key → text. */
export const SHOP: Readonly<Record<string, string>> = {
  'manifests/orders.json': manifest('orders.clean', [
    {
      from: 'orders_raw',
      to: 'orders_clean',
      columns: { order_id: 'id', total: ['price', 'qty'], customer_id: 'customer_id' },
    },
  ]),
  'manifests/customers.json': manifest('customers.clean', [
    {
      from: 'customers_raw',
      to: 'customers_clean',
      columns: { customer_id: 'id', email_hash: 'email', country: 'country' },
    },
  ]),
  'manifests/payments.json': manifest('payments.clean', [
    { from: 'payments_raw', to: 'payments_clean', columns: { order_id: 'order_ref', paid: 'amount' } },
  ]),
  'manifests/enrich.json': manifest('orders.enrich', [
    {
      from: ['orders_clean', 'customers_clean', 'payments_clean'],
      to: 'orders_enriched',
      columns: {
        order_id: 'orders_clean.order_id',
        total: 'orders_clean.total',
        country: 'customers_clean.country',
        paid: 'payments_clean.paid',
      },
    },
  ]),
  'manifests/revenue.json': manifest('revenue.daily', [
    { from: 'orders_enriched', to: 'revenue_daily', columns: { revenue: 'total', country: 'country' } },
    { from: 'revenue_daily', to: 'revenue_dashboard', columns: { revenue: 'revenue', country: 'country' } },
    { from: 'revenue_daily', to: 'summary', columns: { 收入: 'revenue' } },
  ]),
  'manifests/crm.json': manifest('crm.360', [
    { from: 'orders_enriched', to: 'customer_360', columns: { lifetime_value: 'total' } },
    { from: 'customer_360', to: 'churn_features', columns: { ltv: 'lifetime_value' } },
  ]),
};
