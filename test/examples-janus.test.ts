// The programs of examples/ that bring their own directory, over the built package.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeImage } from '../lib/index.js';
import { JanusFolder } from './support/janus-folder.js';

const models = new JanusFolder();
const folder = mkdtempSync(join(tmpdir(), 'wam-flow-examples-'));
let directory: string;
beforeAll(async () => {
  directory = await models.withTokenizer();
  const data = Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => (i * 7) % 256);
  await writeImage(join(folder, 'front.png'), { data, width: 40, height: 30 });
});
afterAll(() => {
  models.remove();
  rmSync(folder, { recursive: true, force: true });
});

const run = async (name: string, ...args: string[]) =>
  (await promisify(execFile)(process.execPath, [`examples/${name}`, ...args])).stdout;

test.each(['bf16', 'int8'])('a Janus directory plans from a picture in %s', async (precision) => {
  const out = await run('janus-directory.mjs', directory, join(folder, 'front.png'), precision);
  expect(out).toMatch(
    /^3 layers of 16, \d+ tokens, pictures of 12 px: [\d.]+ M weights, stored as BF16$/m,
  );
  expect(out).toContain(precision);
  expect(out.match(/^\d\.\d s {2}x -?\d+\.\d\d m {2}y -?\d+\.\d\d m$/gm)).toHaveLength(8);
  expect(out).toMatch(/^4\.0 s /m);
});

test('without a picture it is only looked at', async () => {
  expect(await run('janus-directory.mjs', directory)).not.toContain(' ms');
});

test('own conversations are read, and learnt from', async () => {
  const row = (id: number, answer: string) =>
    JSON.stringify({
      id: String(id),
      image: 'front.png',
      conversations: [
        { from: 'human', value: '<image>\nwhat is ahead?' },
        { from: 'gpt', value: answer },
      ],
    });
  const path = join(folder, 'own.jsonl');
  writeFileSync(
    path,
    `${row(1, 'a vehicle')}\n${row(2, 'a vehicle')}\n${row(3, 'the road '.repeat(90))}\n`,
  );
  const out = await run('own-conversations.mjs', directory, path, '8');
  expect(out).toMatch(/^own: 2 of 3 rows/m);
  expect(out).toMatch(/^[12]: \d+ positions, answer .*a vehicle/m);
  const losses = [...out.matchAll(/loss (\d+\.\d+)/g)].map(([, loss]) => Number(loss));
  expect(losses).toHaveLength(8);
  expect(losses[7]).toBeLessThan(losses[0]! - 0.2);
});

test('vla-mini plans from rendered pictures, and a page shows what it sees', async () => {
  const page = join(folder, 'plans.html');
  const out = await run('plan-from-pictures.mjs', '--count', '3', '--html', page);
  const line =
    /^\S+: [a-z ]+, -?[\d.]+ m\/s; in 4 s at -?[\d.]+, -?[\d.]+ m, ([\d.]+) m from the driver; \d+ ms$/gm;
  const distances = [...out.matchAll(line)].map(([, metres]) => Number(metres));
  expect(distances).toHaveLength(3);
  expect(Math.min(...distances)).toBeLessThan(3);
  expect(
    readFileSync(page, 'utf8').match(/data:image\/png;base64,/g)!.length,
  ).toBeGreaterThanOrEqual(6);
});
