import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { evaluate } from '../lib/eval/evaluate.js';
import { observationFromWindow } from '../lib/scenario/observe.js';
import type { ScenarioData } from '../lib/scenario/types.js';
import { bundleText, type Row, readContent, tinyRows } from './support/tiny-scenario.js';

/** Reads; a file that is accepted must be usable, one that is refused must say so properly. */
async function readOrRefuse(content: string | Uint8Array): Promise<'read' | 'refused'> {
  let data: ScenarioData;
  try {
    data = await readContent(content, { maxBytes: 1 << 24 });
  } catch (error) {
    if (!(error instanceof WamFlowError)) throw error;
    expect(error.code).toBe('ERR_SCENARIO');
    expect(error.message.length).toBeLessThan(1000);
    return 'refused';
  }
  for (const window of data.windows) {
    const { ego, agents } = observationFromWindow(window);
    for (const { history } of [ego, ...agents]) {
      for (const state of history) {
        for (const value of Object.values(state)) expect(Number.isFinite(value)).toBe(true);
      }
    }
  }
  if (data.windows.some(({ future, recording }) => future * recording.dt >= 4)) {
    const { rows } = await evaluate(null, data, { split: 'all', resamples: 2 });
    for (const { ade, jerk } of rows)
      expect(Number.isFinite(ade) && Number.isFinite(jerk)).toBe(true);
  }
  return 'read';
}

const text = bundleText(tinyRows());

/** Every place in a JSON value, as a path from the root. */
function pathsOf(value: Row, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [path];
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return [path, ...keys.flatMap((key) => pathsOf(value[key], [...path, key]))];
}

const paths = pathsOf(tinyRows()).filter((path) => path.length > 0);
// A uniform draw would nearly always hit one of the thousand coordinates.
const path = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.nat()).map(([depth, pick]) => {
  const ofDepth = paths.filter((p) => p.length === Math.min(depth, 5));
  return ofDepth[pick % ofDepth.length];
});

const value = fc.oneof(
  fc.constantFrom<Row>(null, true, '', 'red', '__proto__', [], {}, [[]], 0, -0, -1, 1, 2, 3, 0.5),
  fc.constantFrom<Row>(1e9, -1e9, 1e300, 5e-324, 2 ** 31, 2 ** 53, -(2 ** 53), 80, 81, 25, 26),
  fc.integer({ min: -100, max: 100 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.jsonValue({ maxDepth: 2 }),
  fc.string(),
);

function replaceAt(root: Row, [first, ...rest]: (string | number)[], replacement: Row): void {
  if (rest.length === 0) root[first] = replacement;
  else if (typeof root[first] === 'object' && root[first] !== null)
    replaceAt(root[first], rest, replacement);
}

it('values replaced anywhere are refused properly or do no harm', async () => {
  const outcomes = { read: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ path, value: fc.option(value, { nil: undefined, freq: 8 }) }), {
        minLength: 1,
        maxLength: 2,
      }),
      async (changes) => {
        const rows = tinyRows();
        for (const change of changes) replaceAt(rows, change.path, change.value);
        ++outcomes[await readOrRefuse(bundleText(rows))];
      },
    ),
    { numRuns: 600, seed: 1 },
  );
  // Both ways are met, or the test would show nothing.
  expect(outcomes.read).toBeGreaterThan(30);
  expect(outcomes.refused).toBeGreaterThan(200);
});

it('bytes changed, cut out or put in are refused properly or do no harm', async () => {
  const bytes = Buffer.from(text);
  const splice = fc.record({
    at: fc.nat(bytes.length),
    remove: fc.oneof(fc.nat(3), fc.nat(bytes.length)),
    insert: fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc
        .constantFrom(
          'NaN',
          '1e999',
          '-',
          '\n',
          '"',
          '{',
          '}',
          ',',
          '\0',
          '\ud800',
          '9'.repeat(400),
        )
        .map((t) => Buffer.from(t)),
    ),
  });
  await fc.assert(
    fc.asyncProperty(splice, async ({ at, remove, insert }) => {
      const mutated = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
      await readOrRefuse(mutated);
    }),
    { numRuns: 400, seed: 2 },
  );
});

it('damaged gzip files are refused properly or do no harm', async () => {
  const packed = gzipSync(text);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(packed.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      async (at, flip, cut) => {
        const bytes = Buffer.from(packed);
        bytes[at] ^= flip;
        await readOrRefuse(cut ? packed.subarray(0, at) : bytes);
      },
    ),
    { numRuns: 400, seed: 3 },
  );
});
