import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { native } from '../lib/native.js';
import { packMap } from '../lib/pack-map.js';
import { buildNativeDataset } from '../lib/scenario/native-dataset.js';
import {
  futureFromWindow,
  lightsAt,
  observationAt,
  observationFromWindow,
  wrapAngle,
} from '../lib/scenario/observe.js';
import { readScenarios } from '../lib/scenario/read.js';
import type { ScenarioData } from '../lib/scenario/types.js';
import { tinyScenario } from './support/tiny-scenario.js';

const examples = join(import.meta.dirname, '../examples');
const drivingData = join(import.meta.dirname, '../../shared/driving-data');

describe('an observation', () => {
  it('holds what is known at the present and nothing later', async () => {
    const { windows } = await tinyScenario();
    const { ego, agents, map, route, command, lights } = observationFromWindow(windows[0]);
    expect(map).toBe(windows[0].recording.map);
    expect([route, command]).toEqual([[1, 2], 'straight']);
    expect(ego.history).toHaveLength(21);
    expect(ego.history[0]).toEqual({ t: -2, x: 9, y: 0, heading: 0, vx: 8, vy: 0 });
    expect(ego.history.at(-1)).toEqual({ t: 0, x: 25, y: 0, heading: 0, vx: 8, vy: 0 });
    // The vehicle ahead appeared at step 15: its history is shorter.
    expect(agents.map(({ history }) => history.length)).toEqual([11, 21]);
    expect(agents[0].history[0].t).toBeCloseTo(-1, 12);
    expect(agents[0].history.at(-1)).toMatchObject({ t: 0, x: 46, y: 0.2 });
    expect(lights).toEqual(
      new Map([
        [1, 'yellow'],
        [3, 'yellow'],
      ]),
    );
  });

  it('leaves out vehicles that are not seen now, and takes shorter histories and other steps', async () => {
    const { recordings } = await tinyScenario();
    const recording = recordings.get('tiny-1')!;
    const at = (step: number) => observationAt(recording, 0, step, { history: 3 });
    expect(at(10).agents.map(({ history }) => history.at(-1)!.x)).toEqual([16]);
    expect(at(20).agents).toHaveLength(2);
    expect(at(65).agents.map(({ history }) => history.at(-1)!.x)).toEqual([70]);
    expect(at(2).ego.history.map(({ t }) => t)).toEqual([-0.2, -0.1, 0]);
    expect(at(20).ego.history).toHaveLength(4);
    expect(at(2)).toMatchObject({ command: 'unknown', route: [] });
  });

  it('is refused for an ego that is not seen', async () => {
    const { recordings } = await tinyScenario();
    const recording = recordings.get('tiny-1')!;
    for (const [ego, step] of [
      [3, 0],
      [1, 14],
      [2, 60],
      [0, 80],
      [0, -1],
    ]) {
      expect(() => observationAt(recording, ego, step)).toThrow(WamFlowError);
      expect(() => observationAt(recording, ego, step)).toThrow(
        expect.objectContaining({ code: 'ERR_RANGE' }),
      );
    }
  });

  it.each([
    [['red', 'green'], 'green'],
    [['green', 'red'], 'green'],
    [['red', 'yellow'], 'yellow'],
    [['yellow', 'green', 'red'], 'green'],
    [['inactive', 'red'], 'red'],
    [['inactive'], 'unknown'],
    [['red_yellow', 'inactive'], 'red'],
  ])('shows a lane with signals %j as %s', async (colors, merged) => {
    const { recordings } = await tinyScenario(({ recording }) => {
      recording.signals = colors.map((color) => ({ lanes: [1], states: [[5, 10, color]] }));
    });
    const recording = recordings.get('tiny-1')!;
    expect(lightsAt(recording, 5)).toEqual(new Map([[1, merged]]));
    expect(lightsAt(recording, 9)).toEqual(new Map([[1, merged]]));
    expect(lightsAt(recording, 4).size + lightsAt(recording, 10).size).toBe(0);
  });
});

describe('the recorded future', () => {
  it('is in the frame of the ego at the present', async () => {
    // The ego drives a circle of 20 m radius to the left at 5 m/s, starting at heading 3 rad.
    const { windows } = await tinyScenario(({ recording }) => {
      const [ego] = recording.tracks;
      for (let k = 0; k < ego.n; ++k) {
        const turned = 0.025 * k;
        ego.x[k] = 20 * Math.sin(3 + turned);
        ego.y[k] = -20 * Math.cos(3 + turned);
        ego.heading[k] = wrapAngle(3 + turned);
      }
    });
    const { poses, valid } = futureFromWindow(windows[0]);
    expect(valid).toBe(8);
    for (let i = 0; i < 8; ++i) {
      const turned = 0.125 * (i + 1);
      expect(poses[3 * i]).toBeCloseTo(20 * Math.sin(turned), 9);
      expect(poses[3 * i + 1]).toBeCloseTo(20 * (1 - Math.cos(turned)), 9);
      expect(poses[3 * i + 2]).toBeCloseTo(turned, 9);
    }
  });

  it('ends where the window ends', async () => {
    const { windows } = await tinyScenario(({ window }) => {
      window.future = 17;
    });
    const { poses, valid } = futureFromWindow(windows[0]);
    expect(valid).toBe(3);
    expect([...poses.subarray(0, 9)].map((v) => Math.round(v * 1e9) / 1e9)).toEqual([
      4, 0, 0, 8, 0, 0, 12, 0, 0,
    ]);
    expect([...poses.subarray(9)].every((v) => v === 0)).toBe(true);
  });
});

describe('the data set of the engine', () => {
  async function compare(data: ScenarioData): Promise<void> {
    const { dataset, cutWindows } = await buildNativeDataset(
      { recordings: data.recordings.values(), windows: data.windows },
      { cut: false },
    );
    expect(cutWindows).toBe(0);
    expect(native().datasetSize(dataset)).toBe(data.windows.length);
    for (const [i, window] of data.windows.entries()) {
      const packed = native().datasetWindow(dataset, i);
      const { index } = packMap(window.recording.map);
      const { poses, valid } = futureFromWindow(window);
      expect(packed).toMatchObject({ ego: window.ego, present: window.t0, future: window.future });
      expect([...packed.route]).toEqual(window.route.map((id) => index.get(id)));
      expect(packed.valid.filter((v) => v)).toHaveLength(valid);
      for (let k = 0; k < poses.length; ++k) expect(packed.poses[k]).toBeCloseTo(poses[k], 9);
    }
  }

  it('holds the windows of the examples with the same futures', async () => {
    await compare(await readScenarios(examples));
  });

  it('cuts windows from the given recordings alone', async () => {
    const { recordings, windows } = await tinyScenario();
    const cut = {
      strideS: 0.5,
      standingStrideS: 1,
      minFutureS: 1,
      minHistoryS: 0.5,
      weight: 1,
      standingWeight: 1,
    };
    const all = await buildNativeDataset({ recordings: recordings.values(), windows }, { cut });
    // Tracks of 80, 65 and 60 steps: presents every 5 steps from step 5 of the track to 10 before its end.
    expect(all.cutWindows).toBe(13 + 10 + 9);
    expect(native().datasetSize(all.dataset)).toBe(33);
    const none = await buildNativeDataset({ recordings: [], windows }, { cut });
    expect([none.cutWindows, native().datasetSize(none.dataset)]).toEqual([0, 1]);
  });

  it.skipIf(!existsSync(drivingData))(
    'holds the val windows with the same futures (skipped without ../shared)',
    async () => {
      const { recordings, windows, maps } = await readScenarios(drivingData);
      await compare({ maps, recordings, windows: windows.filter(({ split }) => split === 'val') });
    },
  );
});
