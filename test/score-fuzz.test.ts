import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { type ParsedScene, parseScene } from '../lib/sim/parse-scene.js';
import { PdmScorer, type PdmScorerOptions } from '../lib/sim/pdm-scorer.js';
import { mutate, mutation } from './support/mutations.js';
import { scoreViolations } from './support/score-invariants.js';
import { smallScene } from './support/small-scene.js';

// `WAM_FUZZ_SECONDS=600 npx vitest run test/score-fuzz.test.ts` shares that time out to the tests of this file.
const kSeconds = Number(process.env.WAM_FUZZ_SECONDS ?? 0);
const kTests = 2;
const kTimeoutMs = 120_000 + kSeconds * 1000;
/** Processor time that no scene of this size may take: all ways together take some tens of milliseconds. */
const kSlowMs = 5_000;

const kGoldens = new URL('../../shared/pdms-golden/', import.meta.url).pathname;
const goldens = existsSync(kGoldens)
  ? readdirSync(kGoldens)
      .filter((name) => /^(real-)?scene-/.test(name))
      .map((name) => JSON.parse(readFileSync(join(kGoldens, name), 'utf8')).input)
  : [];

const kWays: readonly PdmScorerOptions[] = [
  { version: 'v1' },
  { version: 'v2', threads: 2 },
  { version: 'v2', traffic: 'reactive' },
];

const outcomes = { accepted: 0, scored: 0, refused: 0 };

function length(runs: number, seed: number): fc.Parameters<unknown> {
  if (kSeconds === 0) return { numRuns: runs, seed };
  return {
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: (kSeconds * 1000) / kTests,
    markInterruptAsFailure: false,
  };
}

/** What the reader accepts is scored in all ways, or refused by its scorer with a code. */
function check(json: unknown): void {
  let parsed: ParsedScene;
  try {
    parsed = parseScene(json);
  } catch (error) {
    if (!(error instanceof WamFlowError)) throw error;
    return;
  }
  ++outcomes.accepted;
  const { scene, trajectories } = parsed;
  const poses = [
    ...trajectories.map((each) => each.poses),
    Array.from({ length: 8 }, (_, k) => [4 * (k + 1), 0.1 * k, 0.01 * k] as const),
  ].slice(0, 6);
  const begun = process.cpuUsage();
  for (const way of kWays) {
    let scorer: PdmScorer;
    try {
      scorer = new PdmScorer(scene, way);
    } catch (error) {
      if (!(error instanceof WamFlowError)) throw error;
      expect(error.code).toBe('ERR_SCENARIO');
      ++outcomes.refused;
      continue;
    }
    const within = poses.filter((plan) => plan.flat().every((v) => Math.abs(v) <= 1e6));
    const found = scorer.scoreSync(within, { rollouts: true, explain: true });
    expect(scoreViolations(found)).toEqual([]);
    void scorer.close();
    ++outcomes.scored;
  }
  const used = process.cpuUsage(begun);
  expect((used.user + used.system) / 1000).toBeLessThan(kSlowMs);
}

const shape = fc.record({
  blocks: fc.integer({ min: 1, max: 5 }),
  lanes: fc.integer({ min: 1, max: 3 }),
  agents: fc.nat(8),
  lights: fc.boolean(),
  origin: fc.constantFrom<[number, number]>([0, 0], [5e5, 4.5e6], [-9e7, 9e7]),
});
const mutations = fc.array(mutation, { maxLength: 4 });

it(
  'small scenes with changes are scored when they are accepted',
  () => {
    fc.assert(
      fc.property(shape, mutations, (options, changes) => {
        const scene = smallScene(options);
        for (const change of changes) mutate(scene, change);
        check(scene);
      }),
      length(1500, 11),
    );
    expect(outcomes.accepted).toBeGreaterThan(200);
    expect(outcomes.scored).toBeGreaterThan(2 * outcomes.accepted);
    if (kSeconds > 0) console.log(outcomes);
  },
  kTimeoutMs,
);

describe.skipIf(goldens.length === 0)('goldens (../shared/pdms-golden)', () => {
  it(
    'with changes are scored when they are accepted',
    () => {
      fc.assert(
        fc.property(fc.nat(goldens.length - 1), mutations, (pick, changes) => {
          const scene = structuredClone(goldens[pick]);
          for (const change of changes) mutate(scene, change);
          check(scene);
        }),
        length(60, 12),
      );
      if (kSeconds > 0) console.log(outcomes);
    },
    kTimeoutMs,
  );
});
