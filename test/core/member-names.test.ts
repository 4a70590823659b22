import { describe, expect, test } from 'vitest';
import { parseManifest } from '../../shared/core/manifest.ts';
import { blocks } from '../../shared/vendors/blocks.ts';
import { bytesOf } from './sample-blocks.ts';

const entry = (line: string): string =>
  `version: 1\ndatasets:\n  b: { dataarts: { table: b } }\nlineage:\n  - ${line}\n`;
const using = (line: string): string => `version: 1
datasets:
  constructor: { dataarts: { table: x } }
  prototype: { dataarts: { table: y } }
lineage:
  - ${line}
`;

function found(content: string): readonly (readonly [string, string])[] {
  const parsed = parseManifest(bytesOf(content), 'yaml', blocks);
  return 'problems' in parsed ? parsed.problems.map(({ path, message }) => [path, message]) : [];
}

describe('aliases and columns called like members of objects', () => {
  test.each(['', ', dataarts: {}'])('are like any others%s', (more) => {
    const columns = '{ constructor: constructor.x, prototype: [toString, { dataset: constructor, column: a.b }] }';
    expect(found(using(`{ from: constructor, to: [prototype], columns: ${columns}${more} }`))).toEqual([]);
    expect(found(using(`{ from: prototype, to: constructor, columns: { constructor: prototype }${more} }`))).toEqual(
      [],
    );
  });

  test.each(['constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    '%s is unknown unless it is declared',
    (alias) => {
      expect(found(entry(`{ from: ${alias}, to: [b, ${alias}], foo: 1 }`)).map(([path]) => path)).toEqual([
        'lineage[0].foo',
        'lineage[0].from',
        'lineage[0].to[1]',
      ]);
      expect(found(entry(`{ from: ${alias}, to: b, columns: { x: ${alias}.y } }`))).toEqual([
        ['lineage[0].from', expect.stringMatching(/^no dataset has the alias/)],
      ]);
    },
  );
});
