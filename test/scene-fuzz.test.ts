import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import type { ScenarioData } from '../lib/scenario/types.js';
import { sceneFromWindow } from '../lib/sim/from-window.js';
import { type ParsedScene, parseScene } from '../lib/sim/parse-scene.js';
import { readPredictions } from '../lib/sim/read-predictions.js';
import { readSceneFile } from '../lib/sim/read-scene.js';
import { sceneToJson } from '../lib/sim/scene-json.js';
import { mutate, mutation, splice, spliced } from './support/mutations.js';
import { sceneViolations } from './support/scene-invariants.js';
import { smallScene } from './support/small-scene.js';
import { bundleText, readContent, tinyRows } from './support/tiny-scenario.js';

// `WAM_FUZZ_SECONDS=600 npx vitest run test/scene-fuzz.test.ts` shares that time out to the tests of this file.
const kSeconds = Number(process.env.WAM_FUZZ_SECONDS ?? 0);
const kTests = 5;
const kTimeoutMs = 60_000 + kSeconds * 1000;

/** Runs of a property: `runs` in CI with a fixed seed, else as many as the time allows, each time others. */
function length(runs: number, seed: number): fc.Parameters<unknown> {
  if (kSeconds === 0) return { numRuns: runs, seed };
  return {
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: (kSeconds * 1000) / kTests,
    markInterruptAsFailure: false,
  };
}

const kGoldens = new URL('../../shared/pdms-golden/', import.meta.url).pathname;
const goldens = existsSync(kGoldens)
  ? readdirSync(kGoldens)
      .filter((name) => /^(real-)?scene-/.test(name))
      .map((name) => JSON.parse(readFileSync(join(kGoldens, name), 'utf8')).input)
  : [];

const folder = mkdtempSync(join(tmpdir(), 'wam-scene-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const outcomes = { accepted: 0, refused: 0 };

/** A scene that is accepted is a valid one, and one that is refused is so with the right code and a short message. */
function check(parse: () => ParsedScene): void {
  let parsed: ParsedScene;
  try {
    parsed = parse();
  } catch (error) {
    checkRefusal(error);
    return;
  }
  ++outcomes.accepted;
  expect(sceneViolations(parsed.scene)).toEqual([]);
  for (const { poses } of parsed.trajectories) {
    expect(poses.length).toBe(8);
    expect(poses.flat().every((v) => Math.abs(v) <= 1e8)).toBe(true);
  }
}

function checkRefusal(error: unknown, codes = ['ERR_SCENARIO']): void {
  if (!(error instanceof WamFlowError)) throw error;
  expect(codes).toContain(error.code);
  expect(error.message.length).toBeLessThan(1500);
  ++outcomes.refused;
}

const shape = fc.record({
  blocks: fc.integer({ min: 1, max: 5 }),
  lanes: fc.integer({ min: 1, max: 3 }),
  agents: fc.nat(8),
  lights: fc.boolean(),
  origin: fc.constantFrom<[number, number]>([0, 0], [5e5, 4.5e6], [-9e7, 9e7]),
});
const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 });

it(
  'small scenes with changes are refused or valid',
  () => {
    fc.assert(
      fc.property(shape, mutations, (options, changes) => {
        const scene = smallScene(options);
        expect(sceneViolations(parseScene(scene).scene)).toEqual([]);
        for (const change of changes) mutate(scene, change);
        check(() => parseScene(scene));
      }),
      length(3000, 1),
    );
    expect(outcomes.accepted).toBeGreaterThan(100);
    expect(outcomes.refused).toBeGreaterThan(500);
  },
  kTimeoutMs,
);

describe.skipIf(goldens.length === 0)('goldens (../shared/pdms-golden)', () => {
  it(
    'with changes are refused or valid',
    () => {
      fc.assert(
        fc.property(fc.nat(goldens.length - 1), mutations, (pick, changes) => {
          const scene = structuredClone(goldens[pick]);
          for (const change of changes) mutate(scene, change);
          check(() => parseScene(scene));
        }),
        length(100, 2),
      );
    },
    kTimeoutMs,
  );
});

it(
  'files with other bytes are refused or valid',
  async () => {
    const plain = Buffer.from(JSON.stringify(smallScene()));
    const packed = gzipSync(plain);
    const path = join(folder, 'scene.json');
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(splice(plain.length), { minLength: 1, maxLength: 2 }),
        async (isPacked, changes) => {
          let bytes: Uint8Array = isPacked ? packed : plain;
          for (const change of changes) bytes = spliced(bytes, change);
          writeFileSync(path, bytes);
          const parsed = await readSceneFile(path, { maxBytes: 1 << 22 }).catch((e) => e);
          check(() => {
            if (parsed instanceof Error) throw parsed;
            return parsed;
          });
        },
      ),
      length(300, 3),
    );
  },
  kTimeoutMs,
);

it(
  'files of predictions with other bytes are refused or valid',
  async () => {
    const poses = smallScene().human_trajectory;
    const object = Buffer.from(JSON.stringify({ a: poses, b: poses }));
    const rows = Buffer.from(['a', 'b'].map((id) => JSON.stringify({ id, poses })).join('\n'));
    const path = join(folder, 'predictions.json');
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(splice(rows.length), { minLength: 1, maxLength: 2 }),
        async (asRows, changes) => {
          let bytes: Uint8Array = asRows ? rows : object;
          for (const change of changes) bytes = spliced(bytes, change);
          writeFileSync(path, bytes);
          try {
            for (const [id, read] of await readPredictions(path)) {
              expect(id.length).toBeGreaterThan(0);
              expect(read.length).toBe(8);
              expect(read.flat().every((v) => Math.abs(v) <= 1e8)).toBe(true);
            }
          } catch (error) {
            checkRefusal(error);
          }
        },
      ),
      length(300, 4),
    );
  },
  kTimeoutMs,
);

it(
  'windows of scenario files with changes give scenes that the reader accepts',
  async () => {
    await fc.assert(
      fc.asyncProperty(mutations, async (changes) => {
        const rows = tinyRows();
        for (const change of changes) mutate(rows, change);
        let data: ScenarioData;
        try {
          data = await readContent(bundleText(rows));
        } catch (error) {
          checkRefusal(error);
          return;
        }
        for (const window of data.windows) {
          try {
            const scene = sceneFromWindow(window);
            expect(sceneViolations(scene)).toEqual([]);
            parseScene(JSON.parse(JSON.stringify(sceneToJson(scene))));
          } catch (error) {
            checkRefusal(error, ['ERR_SCENARIO', 'ERR_RANGE']);
          }
        }
      }),
      length(300, 5),
    );
  },
  kTimeoutMs,
);
