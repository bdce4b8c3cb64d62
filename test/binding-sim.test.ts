import { describe, expect, test } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { type NativeScene, type NativeSceneMap, type NativeSimMap, native } from '../lib/native.js';
import { packScene } from '../lib/sim/pack-scene.js';
import { packSceneMap } from '../lib/sim/pack-scene-map.js';
import { kScoreColumns } from '../lib/sim/score-rows.js';
import { busyRoad, variedDrives } from './support/scored-traffic.js';

const addon = native();
const kOptions = { version: 'v2', traffic: 'replay', threads: 1 } as const;

/** What a call throws, or null. Anything but a WamFlowError of ours fails. */
function codeOf(call: () => unknown): string | null {
  try {
    call();
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(WamFlowError);
    expect((error as WamFlowError).code).not.toBe('ERR_INTERNAL');
    return (error as WamFlowError).code;
  }
}

/** The arrays that the packer hands to native code. */
function packed(): { map: NativeSceneMap; scene: NativeScene } {
  const { createSimMap } = addon;
  let map: NativeSceneMap | undefined;
  const scene = busyRoad();
  addon.createSimMap = (values) => {
    map = values;
    return createSimMap(values);
  };
  try {
    const shared = packSceneMap(scene.map);
    return { map: map!, scene: packScene(scene, shared) };
  } finally {
    addon.createSimMap = createSimMap;
  }
}

type Arrays = Record<string, Float64Array | Int32Array | number>;

/** Every way to spoil one field that native code has to notice (or to survive). */
function spoiled(value: Float64Array | Int32Array | number): unknown[] {
  const other = [
    undefined,
    null,
    'x',
    {},
    [1, 2],
    new Float32Array(3),
    Number.NaN,
    -1,
    1.5,
    2 ** 31,
  ];
  if (typeof value === 'number') return other;
  const changed = (change: (copy: Float64Array | Int32Array) => void) => {
    const copy = value.slice();
    change(copy);
    return copy;
  };
  const detached = value.slice();
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const everywhere = [0, Math.floor(value.length / 2), value.length - 1].filter((i) => i >= 0);
  const numbers =
    value instanceof Float64Array
      ? [Number.NaN, Infinity, -Infinity, 1e300, -1e300, 1e9, 0.5]
      : [-1, 2 ** 31 - 1, -(2 ** 31), 9999];
  return [
    ...other,
    detached,
    value instanceof Float64Array ? Int32Array.from(value) : Float64Array.from(value),
    value.slice(1),
    value.slice(0, -1),
    value.slice(0, 0),
    changed((copy) => copy.reverse()),
    ...everywhere.flatMap((i) =>
      numbers.map((number) =>
        changed((copy) => {
          copy[i] = number;
        }),
      ),
    ),
  ];
}

describe('maps and scenes: every field spoiled in every way', () => {
  const { map, scene } = packed();
  const whole = addon.createSimMap(map);

  test.each(Object.keys(map))('map.%s', (name) => {
    const codes = spoiled((map as unknown as Arrays)[name]!).map((value) =>
      codeOf(() => addon.createSimMap({ ...map, [name]: value } as NativeSceneMap)),
    );
    // A wrong type, no value, a detached array: always refused.
    expect(codes.slice(0, 4)).toEqual(Array(4).fill('ERR_ARGUMENT'));
  });

  test.each(Object.keys(scene))('scene.%s', (name) => {
    const codes = spoiled((scene as unknown as Arrays)[name]!).map((value) => {
      const spoilt = { ...scene, [name]: value } as NativeScene;
      return codeOf(() => {
        const scorer = addon.createScorer(whole, spoilt, kOptions);
        // What is accepted must also be scored without a crash.
        const rows = new Float64Array(3 * kScoreColumns);
        addon.scoreSync(scorer, variedDrives(3), 3, 8, 0.5, rows);
        void addon.closeScorer(scorer);
      });
    });
    expect(codes.slice(0, 4)).toEqual(Array(4).fill('ERR_ARGUMENT'));
  });

  test.each(['version', 'traffic', 'threads'])('options.%s', (name) => {
    for (const value of [undefined, null, 'x', {}, 0, -1, Number.NaN]) {
      const options = { ...kOptions, [name]: value } as never;
      expect(codeOf(() => addon.createScorer(whole, scene, options))).toMatch(/^ERR_/);
    }
  });
});

describe('calls', () => {
  const { map, scene } = packed();
  const simMap = addon.createSimMap(map);
  const scorer = addon.createScorer(simMap, scene, kOptions);
  const input = variedDrives(2);
  const rows = new Float64Array(2 * kScoreColumns);

  test('a wrong handle is refused by every function', () => {
    const impostors: unknown[] = [
      undefined,
      null,
      0,
      {},
      [],
      new Float64Array(4),
      Object.create(scorer),
    ];
    const calls: ((handle: never) => unknown)[] = [
      (h) => addon.score(h, input, 2, 8, 0.5, false, 1),
      (h) => addon.scoreSync(h, input, 2, 8, 0.5, rows),
      (h) => addon.abortScore(h, 1),
      (h) => addon.closeScorer(h),
      (h) => addon.scorerBytes(h),
      (h) => addon.scorerReference(h),
      (h) => addon.reactiveTracks(h, new Float64Array(451)),
    ];
    for (const call of calls) {
      for (const handle of [...impostors, simMap]) {
        expect(codeOf(() => call(handle as never))).toBe('ERR_ARGUMENT');
      }
    }
    for (const handle of [...impostors, scorer]) {
      const wrong = handle as unknown as NativeSimMap;
      expect(codeOf(() => addon.createScorer(wrong, scene, kOptions))).toBe('ERR_ARGUMENT');
    }
  });

  test('sizes that do not fit are refused before anything is written', () => {
    const cases: [Float64Array, number, number, Float64Array, Float64Array | undefined][] = [
      [input, 3, 8, new Float64Array(3 * kScoreColumns), undefined],
      [input, 2, 7, rows, undefined],
      [input, 2, 0, rows, undefined],
      [input, 2, 8, rows.slice(1), undefined],
      [input, 2, 8, rows, new Float64Array(901)],
      [input, -1, 8, rows, undefined],
      [input, 2 ** 31, 8, rows, undefined],
      [input, 2, 401, rows, undefined],
      [input, 1.5, 8, rows, undefined],
      [input, Number.NaN, 8, rows, undefined],
    ];
    for (const [values, n, count, out, rollouts] of cases) {
      expect(codeOf(() => addon.scoreSync(scorer, values, n, count, 0.5, out, rollouts))).toMatch(
        /^ERR_(SHAPE|RANGE|ARGUMENT|NOT_FINITE)$/,
      );
    }
    expect(rows).toEqual(new Float64Array(2 * kScoreColumns));
  });

  test('extreme but finite trajectories and rollouts are scored', () => {
    for (const value of [0, -0, 1e-308, 1e6, -1e6]) {
      addon.scoreSync(scorer, new Float64Array(48).fill(value), 2, 8, 0.5, rows);
      expect(rows.every(Number.isFinite)).toBe(true);
    }
    for (const value of [0, 1e8, -1e8]) {
      addon.scoreSync(scorer, new Float64Array(902).fill(value), 2, 0, 0, rows);
      expect(rows.every(Number.isFinite)).toBe(true);
    }
  });

  test('the parts that need no scene check their arguments', () => {
    const state = new Float64Array(11);
    const bad: (() => unknown)[] = [
      () => addon.simulateTrajectory(new Float64Array(10), 0, input, 0.5),
      () => addon.simulateTrajectory(state, -1, input, 0.5),
      () => addon.simulateTrajectory(state, 0.5, input, 0.5),
      () => addon.simulateTrajectory(state, 0, new Float64Array(0), 0.5),
      () => addon.simulateTrajectory(state, 0, new Float64Array(1203), 0.5),
      () => addon.simulateTrajectory(state, 0, input, 0),
      () =>
        addon.simulateTrajectory(
          state.map(() => Number.NaN),
          0,
          input,
          0.5,
        ),
      () => addon.comfort(new Float64Array(33), 1),
      () => addon.comfort(new Float64Array(45), 1),
      () => addon.comfort(new Float64Array(44), 3 as 2),
      () => addon.extendedComfort(new Float64Array(451), new Float64Array(440), 0.5),
      () => addon.extendedComfort(new Float64Array(451), new Float64Array(451), 3),
      () => addon.extendedComfort(new Float64Array(451), new Float64Array(451), 0),
    ];
    for (const call of bad) expect(codeOf(call)).toMatch(/^ERR_(SHAPE|RANGE|ARGUMENT|NOT_FINITE)$/);
  });
});

test('ten thousand objects are packed and set up fast enough for any loop', () => {
  const [walker] = busyRoad().agents.slice(3);
  const agents = Array.from({ length: 10_000 }, (_, i) => ({
    ...walker!,
    token: `w${i}`,
    samples: walker!.samples.map((sample) => ({ ...sample, y: 20 + (i % 100), x: 100 + i / 100 })),
  }));
  const scene = { ...busyRoad(), agents };
  const shared = packSceneMap(scene.map);
  const started = performance.now();
  const arrays = packScene(scene, shared);
  const took = performance.now() - started;
  expect(arrays.samples).toHaveLength(10_000 * 11 * 6);
  // About 10 ms on an idle machine.
  expect(took).toBeLessThan(500);
  const scorer = addon.createScorer(shared.native, arrays, kOptions);
  expect(addon.scorerBytes(scorer)).toBeGreaterThan(1e6);
  void addon.closeScorer(scorer);
});
