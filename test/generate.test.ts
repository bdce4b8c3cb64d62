import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { generateCommand } from '../lib/cli/generate.js';
import { generateScenarios, generateScenes } from '../lib/generate/generate.js';
import type { GeneratedScene } from '../lib/generate/scene.js';
import { validateScene } from '../lib/generate/validate/validate.js';
import { kRoadKinds } from '../lib/generate/world.js';
import { writeGeneratedScenarios } from '../lib/generate/write.js';
import { observationFromWindow, wrapAngle } from '../lib/scenario/observe.js';
import { readScenarios } from '../lib/scenario/read.js';
import type { ScenarioData, ScenarioLane } from '../lib/scenario/types.js';
import { packBundle, writeScenarioBundle } from '../lib/scenario/write.js';

const folder = mkdtempSync(join(tmpdir(), 'wam-flow-generate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Code of the error that a call ends with. */
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'no error',
    (error) => error.code,
  );

/** Some scenes of every kind. */
let scenes: GeneratedScene[];
beforeAll(async () => {
  scenes = [];
  for await (const scene of generateScenes({ windows: 420, seed: 21 })) scenes.push(scene);
});

const laneOf = ({ map }: GeneratedScene, id: unknown) =>
  map.lanes.find((lane) => lane.id === id) as ScenarioLane;
const lengthOf = ({ center }: ScenarioLane) =>
  center
    .slice(1)
    .reduce((sum, [x, y], i) => sum + Math.hypot(x - center[i][0], y - center[i][1]), 0);

describe('generated scenes', () => {
  it('break no rule of the validator, in every kind of road', () => {
    expect(new Set(scenes.map(({ map }) => map.location))).toEqual(new Set(kRoadKinds));
    for (const { recording } of scenes) expect(validateScene(recording)).toEqual([]);
  });

  it('are the same whenever and however many are made', async () => {
    const again: GeneratedScene[] = [];
    for await (const scene of generateScenes({ windows: 20, seed: 21 })) again.push(scene);
    for (const [i, scene] of again.slice(0, -1).entries()) expect(scene).toEqual(scenes[i]);
    expect(again.at(-1)?.recording).toEqual(scenes[again.length - 1].recording);
    const other = await generateScenarios({ windows: 6, seed: 22 });
    expect([...other.recordings.values()][0].tracks).not.toEqual(scenes[0].recording.tracks);
  });

  it('hold vehicles of all kinds, people, cyclists, cones, parked vehicles and lights', () => {
    const tracks = scenes.flatMap(({ recording }) => recording.tracks);
    const types = new Set(tracks.map(({ type }) => type));
    for (const type of ['car', 'van', 'truck', 'bus', 'bicycle', 'pedestrian', 'traffic_cone']) {
      expect(types).toContain(type);
    }
    const colors = new Set(
      scenes.flatMap(({ recording }) =>
        recording.signals.flatMap(({ states }) => states.map(({ color }) => color)),
      ),
    );
    expect(colors).toEqual(new Set(['red', 'yellow', 'green']));
    const street = scenes.filter(({ map }) => map.location === 'street');
    const parked = street.flatMap(({ recording }) =>
      recording.tracks.filter(({ type, vx }) => type === 'car' && vx.every((v) => v === 0)),
    );
    expect(parked.length).toBeGreaterThan(20);
  });

  it('last 12 s to 20 s at 10 Hz', () => {
    for (const { recording } of scenes) {
      expect(recording.dt).toBe(0.1);
      expect(recording.steps).toBeGreaterThanOrEqual(120);
      expect(recording.steps).toBeLessThanOrEqual(200);
    }
  });
});

describe('their windows', () => {
  it('have 2 s of history and 4 s or more of future, mostly 5 s', () => {
    const all = scenes.flatMap(({ windows }) => windows);
    expect(all).toHaveLength(420);
    for (const { recording, ego, t0, history, future } of all) {
      const track = recording.tracks[ego];
      expect(history).toBe(20);
      expect(future).toBeGreaterThanOrEqual(40);
      expect(t0 - history).toBeGreaterThanOrEqual(track.start);
      expect(t0 + future).toBeLessThan(track.start + track.x.length);
    }
    expect(all.filter(({ future }) => future >= 50).length / all.length).toBeGreaterThan(0.95);
  });

  it('are of different vehicles, two at most of one, that drive on the road', () => {
    for (const { windows } of scenes) {
      expect(windows.length).toBeLessThanOrEqual(6);
      for (const { ego, recording } of windows) {
        expect(windows.filter((other) => other.ego === ego).length).toBeLessThanOrEqual(2);
        expect(['car', 'van', 'truck', 'bus']).toContain(recording.tracks[ego].type);
      }
    }
  });

  it('tell turn, command, speed and way as the track has them', () => {
    for (const { windows } of scenes) {
      for (const window of windows) {
        const track = window.recording.tracks[window.ego];
        const k = window.t0 - track.start;
        const turn = wrapAngle(track.heading[k + window.future] - track.heading[k]);
        expect(window.turnDeg).toBeCloseTo((turn * 180) / Math.PI, 0);
        const command = turn > 0.4363 ? 'left' : turn < -0.4363 ? 'right' : 'straight';
        expect(window.command).toBe(command);
        expect(window.v0).toBeCloseTo(Math.hypot(track.vx[k], track.vy[k]), 1);
      }
    }
  });

  it('have routes of linked lanes from the present to 60 m beyond the plan, or to the border of the map', () => {
    for (const scene of scenes) {
      for (const { recording, ego, t0, route, laneChange } of scene.windows) {
        const track = recording.tracks[ego];
        const lanes = route.map((id) => laneOf(scene, id));
        for (const [i, lane] of lanes.slice(1).entries()) {
          const before = lanes[i];
          if (before.successors.includes(lane.id)) continue;
          expect([before.leftNeighbor, before.rightNeighbor]).toContain(lane.id);
        }
        if (laneChange) {
          expect(lanes.some((lane, i) => i > 0 && !lanes[i - 1].successors.includes(lane.id))).toBe(
            true,
          );
        }
        // Where the ego is after 4 s, on the lane of the route nearest to it, and what is left from there.
        const k = t0 + 40 - track.start;
        const places = lanes.map((lane) => nearest(lane, track.x[k], track.y[k]));
        const at = places.reduce(
          (best, p, i) => (p.distance < places[best].distance ? i : best),
          0,
        );
        // A lane change counts from its beginning: one lane beside, at most.
        expect(places[at].distance).toBeLessThan(4);
        let room = lengthOf(lanes[at]) - places[at].along;
        for (const lane of lanes.slice(at + 1)) room += lengthOf(lane);
        const atBorder = (lanes.at(-1) as ScenarioLane).successors.length === 0;
        if (!atBorder) expect(room).toBeGreaterThan(58);
      }
    }
  });

  it('give observations', () => {
    for (const { windows } of scenes.slice(0, 10)) {
      for (const window of windows) {
        const { ego, agents, lights } = observationFromWindow(window);
        expect(ego.history).toHaveLength(21);
        expect(agents.length + 1).toBeLessThanOrEqual(window.recording.tracks.length);
        expect(lights?.size ?? 0).toBe(
          window.recording.signals.flatMap(({ lanes }) => lanes).length,
        );
      }
    }
  });
});

function nearest({ center }: ScenarioLane, x: number, y: number) {
  let best = { distance: Number.POSITIVE_INFINITY, along: 0 };
  let along = 0;
  for (let i = 1; i < center.length; ++i) {
    const [[ax, ay], [bx, by]] = [center[i - 1], center[i]];
    const length = Math.hypot(bx - ax, by - ay);
    const u = Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length ** 2));
    const distance = Math.hypot(x - ax - u * (bx - ax), y - ay - u * (by - ay));
    if (distance < best.distance) best = { distance, along: along + u * length };
    along += length;
  }
  return best;
}

describe('generating', () => {
  it('takes kinds as a list or as shares, and splits by scene', async () => {
    const data = await generateScenarios({
      windows: 24,
      seed: 3,
      kinds: ['junction', 'roundabout'],
    });
    const places = [...data.recordings.values()].map(({ location }) => location);
    expect(new Set(places)).toEqual(new Set(['junction', 'roundabout']));
    const all = await generateScenarios({
      windows: 12,
      kinds: { curve: 2, street: 0 },
      valShare: 1,
    });
    for (const { location, split } of all.recordings.values()) {
      expect([location, split]).toEqual(['curve', 'val']);
    }
    for (const { split } of all.windows) expect(split).toBe('val');
  });

  it.each([
    [{ windows: 0 }, 'ERR_RANGE'],
    [{ windows: 1.5 }, 'ERR_RANGE'],
    [{ seed: -1 }, 'ERR_RANGE'],
    [{ seed: 2 ** 53 }, 'ERR_RANGE'],
    [{ valShare: 2 }, 'ERR_RANGE'],
    [{ valShare: 'half' }, 'ERR_RANGE'],
    [{ kinds: ['motorway'] }, 'ERR_ARGUMENT'],
    [{ kinds: [] }, 'ERR_ARGUMENT'],
    [{ kinds: { curve: -1 } }, 'ERR_RANGE'],
    [{ kinds: { curve: 0 } }, 'ERR_ARGUMENT'],
    [{ windowsPerScene: 0 }, 'ERR_RANGE'],
    [{ windowsPerEgo: Number.NaN }, 'ERR_RANGE'],
  ])('refuses %o', async (options, code) => {
    await expect(generateScenarios(options as object)).rejects.toMatchObject({ code });
  });

  it('stops when its signal aborts, and lets the event loop run meanwhile', async () => {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), 40);
    const work = generateScenarios({ windows: 100_000, signal: controller.signal });
    const error = await work.catch((reason) => reason);
    expect(error).toBe(controller.signal.reason);
    expect(error.name).toBe('AbortError');
    clearTimeout(timer);
    const early = AbortSignal.abort();
    await expect(generateScenarios({ signal: early })).rejects.toBe(early.reason);
  });
});

describe('writing', () => {
  it('bundles that the reader reads back as they were, and a summary', async () => {
    const output = join(folder, 'a', 'made');
    const seen: number[] = [];
    const options = { windows: 42, seed: 21, windowsPerScene: 1 };
    const summary = await writeGeneratedScenarios(output, {
      ...options,
      onProgress: (done, total) => {
        expect(total).toBe(42);
        expect(existsSync(output)).toBe(false);
        seen.push(done);
      },
    });
    expect(seen.at(-1)).toBe(42);
    expect(readdirSync(output)).toEqual([
      'generate.json',
      'scenes-00000.jsonl.gz',
      'scenes-00001.jsonl.gz',
    ]);
    expect(readdirSync(join(folder, 'a'))).toEqual(['made']);
    expect(JSON.parse(readFileSync(join(output, 'generate.json'), 'utf8'))).toEqual(summary);
    const made = await generateScenarios(options);
    const read = await readScenarios(output);
    expect(read.windows).toHaveLength(42);
    expect(await isSame(read, made)).toBe(true);
    expect(summary.windows).toBe(42);
    expect(summary.scenes).toBe(read.recordings.size);
    const sum = (counts: Record<string, number>) =>
      Object.values(counts).reduce((a, b) => a + b, 0);
    expect([summary.byKind, summary.bySplit, summary.byCommand].map(sum)).toEqual([42, 42, 42]);
  });

  it('one bundle from memory', async () => {
    const data = await generateScenarios({ windows: 8, seed: 2 });
    const path = join(folder, 'one.jsonl.gz');
    await writeScenarioBundle(path, data);
    expect(await isSame(await readScenarios(path), data)).toBe(true);
  });

  it('never over something that it did not write', async () => {
    const output = join(folder, 'b');
    await writeGeneratedScenarios(output, { windows: 3, seed: 4 });
    const refused = await codeOf(writeGeneratedScenarios(output, { windows: 3 }));
    expect(refused).toBe('ERR_ARGUMENT');
    const before = readFileSync(join(output, 'scenes-00000.jsonl.gz'));
    await writeGeneratedScenarios(output, { windows: 3, seed: 5, overwrite: true });
    expect(readFileSync(join(output, 'scenes-00000.jsonl.gz')).equals(before)).toBe(false);
    writeFileSync(join(output, 'notes.txt'), 'mine');
    const kept = await codeOf(writeGeneratedScenarios(output, { windows: 3, overwrite: true }));
    expect(kept).toBe('ERR_ARGUMENT');
    expect(readFileSync(join(output, 'notes.txt'), 'utf8')).toBe('mine');
    writeFileSync(join(folder, 'file'), '');
    const file = await codeOf(writeGeneratedScenarios(join(folder, 'file'), { overwrite: true }));
    expect(file).toBe('ERR_ARGUMENT');
  });

  it('leaves nothing behind when it is aborted, and the earlier result as it was', async () => {
    const output = join(folder, 'c');
    await writeGeneratedScenarios(output, { windows: 3, seed: 4 });
    const before = readFileSync(join(output, 'scenes-00000.jsonl.gz'));
    const controller = new AbortController();
    const work = writeGeneratedScenarios(output, {
      windows: 10_000,
      overwrite: true,
      signal: controller.signal,
      onProgress: (done) => done > 5 && controller.abort(),
    });
    const error = await work.catch((reason) => reason);
    expect(error).toBe(controller.signal.reason);
    expect(error.name).toBe('AbortError');
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(readFileSync(join(output, 'scenes-00000.jsonl.gz')).equals(before)).toBe(true);
  });
});

/** Whether two sets of scenarios are written with the same bytes. */
async function isSame(a: ScenarioData, b: ScenarioData): Promise<boolean> {
  const [p, q] = [await packBundle(a), await packBundle(b)];
  return Buffer.from(p).equals(q);
}

describe('wam-flow generate', () => {
  async function run(...args: string[]): Promise<{ out: string; err: string }> {
    let [out, err] = ['', ''];
    const spies = [
      vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
        out += text;
        return true;
      }),
      vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
        err += text;
        return true;
      }),
    ];
    try {
      await generateCommand().parseAsync(args, { from: 'user' });
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
    return { out, err };
  }

  it('prints one JSON document and nothing else', async () => {
    const output = join(folder, 'json');
    const args = ['--windows', '7', '--kinds', 'curve,street', '--split-val', '1', '--json'];
    const { out, err } = await run('--output', output, ...args);
    const json = JSON.parse(out);
    expect(json).toMatchObject({ output, seed: 1, windows: 7, bySplit: { val: 7 } });
    expect(err).toBe('');
    expect((await readScenarios(output)).windows).toHaveLength(7);
    await expect(run('--output', output, '--windows', '1')).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
    });
    await run('--output', output, '--windows', '1', '--force');
    expect((await readScenarios(output)).windows).toHaveLength(1);
  });

  it('prints a table for people', async () => {
    const { out } = await run('--output', join(folder, 'text'), '--windows', '5', '--per-ego', '1');
    expect(out).toMatch(/road\s+windows/);
    expect(out).toMatch(/all\s+5/);
  });

  it('refuses a kind of road that it does not know', async () => {
    await expect(run('--output', join(folder, 'no'), '--kinds', 'beach')).rejects.toThrow(
      /roundabout/,
    );
    expect(existsSync(join(folder, 'no'))).toBe(false);
  });
});
