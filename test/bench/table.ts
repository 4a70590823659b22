import { type Figure, reached } from './bench.ts';

/** Figures as a Markdown table. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const beside =
      figure.floor !== undefined
        ? `${amount(figure.floor)} ${figure.unit} (floor)`
        : figure.peer !== undefined
          ? `${amount(figure.peer)} ${figure.unit} (peer)`
          : '–';
    const { must, ratio } = figure;
    const asked = must === undefined ? '–' : 'atMost' in must ? `≤ ${must.atMost}×` : `≥ ${must.atLeast}×`;
    const verdict = { true: 'yes', false: '**not reached**', undefined: '' }[String(reached(figure)) as 'true'];
    const said = ratio === undefined ? '–' : `${ratio.toFixed(2)}×`;
    return `| \`${figure.name}\` | ${figure.what} | ${amount(figure.value)} ${figure.unit} | ${beside} | ${said} | ${asked} | ${verdict} |`;
  });
  return [
    '| name | what | measured | beside it | ratio | must be | reached |',
    '|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

function amount(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
}
