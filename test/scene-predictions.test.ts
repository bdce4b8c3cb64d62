import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, it } from 'vitest';
import { readPredictions } from '../lib/sim/read-predictions.js';
import { errorOf } from './support/tiny-scenario.js';

const folder = mkdtempSync(join(tmpdir(), 'wam-predictions-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(content: string | Uint8Array) {
  const path = join(folder, 'predictions.json');
  writeFileSync(path, content);
  return readPredictions(path);
}

const posesAt = (speed: number) =>
  Array.from({ length: 8 }, (_, k) => [speed * (k + 1), 0.5, 0.01 * k]);
const expected = new Map([
  ['scene a', posesAt(4)],
  ['id', posesAt(2)],
  ['poses', posesAt(1)],
]);
const object = Object.fromEntries(expected);
const rows = [...expected].map(([id, poses]) => JSON.stringify({ id, poses }));

it('one object or rows, plain or gzip, indented or not, give the same', async () => {
  const contents = [
    JSON.stringify(object),
    JSON.stringify(object, null, 2),
    rows.join('\n'),
    `\n${rows.join('\r\n\n')}\n\n`,
    gzipSync(rows.join('\n')),
    gzipSync(JSON.stringify(object)),
  ];
  for (const content of contents) {
    const predictions = await read(content);
    expect([...predictions].map(([id]) => id)).toEqual([...expected.keys()]);
    expect(predictions).toEqual(expected);
  }
  expect(await read(rows[0])).toEqual(new Map([['scene a', posesAt(4)]]));
  expect(await read('{}')).toEqual(new Map());
});

it.each([
  ['', /predictions\.json: expected predictions, received an empty file/],
  ['[1]', /predictions\.json: file: expected an object/],
  ['{"a": [[1, 2, 3]]}', /a: expected an array of 8 to 8 items/],
  [
    JSON.stringify({ a: posesAt(3).map((p) => p.slice(0, 2)) }),
    /a\[0\]: expected \[x, y, heading\]/,
  ],
  [JSON.stringify({ a: posesAt(1e8) }), /a\[1\]\[0\]: .*magnitude at most/],
  [
    `{"id": "a", "poses": ${JSON.stringify(posesAt(1)).replace('0.5', 'null')}}`,
    /row 1: poses\[0\]\[1\]/,
  ],
  [[rows[0], rows[1], rows[0]].join('\n'), /row 3: id: expected a scene that no row before it has/],
  [`${rows[0]}\n{"id": "b"`, /row 2: expected one JSON object/],
  [`${rows[0]}\n[]`, /row 2: row: expected an object/],
  [`${rows[0]}\n{"id": "", "poses": []}`, /row 2: id: expected text of 1 to 256/],
])('refused: %.30s', async (content, message) => {
  const error = await errorOf(read(content));
  expect(error.code).toBe('ERR_SCENARIO');
  expect(error.message).toMatch(message);
});

it('a file that is not there', async () => {
  expect(await errorOf(readPredictions(join(folder, 'none')))).toMatchObject({ code: 'ERR_IO' });
});
