import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { boxesOverlap } from '../lib/eval/geometry.js';
import { RoadArea } from '../lib/eval/road-area.js';
import { exampleFiles } from '../lib/generate/examples/examples.js';
import { lightsAt, wrapAngle } from '../lib/scenario/observe.js';
import { readScenarios } from '../lib/scenario/read.js';
import type { Recording, ScenarioData, ScenarioWindow, Track } from '../lib/scenario/types.js';

const folder = join(import.meta.dirname, '../examples');
const names = readdirSync(folder).filter((name) => name.endsWith('.jsonl.gz'));

let data: ScenarioData;
beforeAll(async () => {
  data = await readScenarios(folder);
});

const windowsOf = (name: string) => data.windows.filter(({ recording }) => recording.id === name);
const speed = (track: Track, k: number) => Math.hypot(track.vx[k], track.vy[k]);
const tracks = () =>
  [...data.recordings.values()].flatMap((recording) =>
    recording.tracks.map((track) => ({ recording, track })),
  );

/** Speed of a window's ego `seconds` after the present, m/s. */
function speedAfter({ recording, ego, t0 }: ScenarioWindow, seconds: number): number {
  const track = recording.tracks[ego];
  return speed(track, t0 - track.start + Math.round(seconds * 10));
}

function boxAt(track: Track, step: number) {
  const k = step - track.start;
  const { length, width } = track;
  return { x: track.x[k], y: track.y[k], heading: track.heading[k], length, width };
}

describe('the example scenarios', () => {
  it('are what the generator makes, byte for byte', async () => {
    const made = await exampleFiles();
    expect(made.map(({ name }) => name).sort()).toEqual([...names].sort());
    for (const { name, bytes } of made) {
      // Compressed bytes depend on the version of zlib; what they hold does not.
      const committed = gunzipSync(readFileSync(join(folder, name)));
      expect(
        gunzipSync(bytes).equals(committed),
        `${name}: run node scripts/make-examples.mjs`,
      ).toBe(true);
    }
  });

  it('are small', () => {
    const bytes = names.map((name) => readFileSync(join(folder, name)).length);
    expect(bytes.reduce((a, b) => a + b, 0)).toBeLessThan(200_000);
  });

  it('last 12 s or more, with several vehicles, and windows of 2 s history and 4 s future', () => {
    expect([...data.recordings.keys()].sort()).toEqual([
      'crossing',
      'curve',
      'lane-change',
      'lead-vehicle',
    ]);
    for (const { steps, dt, tracks, id } of data.recordings.values()) {
      expect(steps * dt).toBeGreaterThanOrEqual(12);
      expect(tracks.length).toBeGreaterThanOrEqual(6);
      expect(windowsOf(id).length).toBeGreaterThanOrEqual(10);
    }
    for (const { history, future } of data.windows) {
      expect(history).toBe(20);
      expect(future).toBeGreaterThanOrEqual(40);
    }
  });

  it('have no vehicle in another or off the road', () => {
    for (const recording of data.recordings.values()) {
      const road = new RoadArea(recording.map);
      for (let step = 0; step < recording.steps; ++step) {
        const boxes = recording.tracks
          .filter(({ start, x }) => step >= start && step < start + x.length)
          .map((track) => boxAt(track, step));
        for (const [i, box] of boxes.entries()) {
          expect(road.distance(box.x, box.y)).toBe(0);
          for (const other of boxes.slice(i + 1)) expect(boxesOverlap(box, other)).toBe(false);
        }
      }
    }
  });

  it('move as cars can: velocity follows position, heading follows velocity, accelerations are bounded', () => {
    for (const { track } of tracks()) {
      const { x, y, heading, vx, vy } = track;
      for (let k = 1; k + 1 < x.length; ++k) {
        // Positions are whole centimetres: a central difference is good to 5 cm/s beside half the change of speed.
        expect(Math.abs((x[k + 1] - x[k - 1]) / 0.2 - vx[k])).toBeLessThan(0.12);
        expect(Math.abs((y[k + 1] - y[k - 1]) / 0.2 - vy[k])).toBeLessThan(0.12);
        if (speed(track, k) > 2) {
          expect(Math.abs(wrapAngle(Math.atan2(vy[k], vx[k]) - heading[k]))).toBeLessThan(0.01);
        }
      }
      for (let k = 0; k + 5 < x.length; ++k) {
        const along = (speed(track, k + 5) - speed(track, k)) / 0.5;
        const across = (wrapAngle(heading[k + 5] - heading[k]) / 0.5) * speed(track, k);
        expect(along).toBeGreaterThan(-6);
        expect(along).toBeLessThan(2.1);
        expect(Math.abs(across)).toBeLessThan(3.3);
      }
    }
  });

  it('have maps whose lanes begin where their predecessors end', () => {
    for (const { lanes } of data.maps.values()) {
      const byId = new Map(lanes.map((lane) => [lane.id, lane]));
      for (const lane of lanes) {
        for (const id of lane.successors) {
          const next = byId.get(id)!;
          expect(next.predecessors).toContain(lane.id);
          for (const line of ['center', 'left', 'right'] as const) {
            const [end, begin] = [lane[line].at(-1)!, next[line][0]];
            expect(Math.hypot(end[0] - begin[0], end[1] - begin[1])).toBeLessThan(0.02);
          }
        }
        for (const [i, point] of lane.center.entries()) {
          const before = lane.center[Math.max(0, i - 1)];
          expect(Math.hypot(point[0] - before[0], point[1] - before[1])).toBeLessThan(2.6);
          const [left, right] = [lane.left[i], lane.right[i]];
          expect(Math.hypot(left[0] - right[0], left[1] - right[1])).toBeCloseTo(3.5, 1);
        }
      }
    }
  });

  it('have routes along successors and neighbours, and commands by the turn', () => {
    for (const { recording, route, laneChange, turnDeg, command } of data.windows) {
      const lanes = route.map((id) => recording.map.lanes.find((lane) => lane.id === id)!);
      let changes = 0;
      for (const [i, lane] of lanes.slice(1).entries()) {
        const before = lanes[i];
        if (before.successors.includes(lane.id)) continue;
        expect([before.leftNeighbor, before.rightNeighbor]).toContain(lane.id);
        ++changes;
      }
      expect(laneChange).toBe(changes > 0);
      expect(command).toBe(turnDeg! > 25 ? 'left' : turnDeg! < -25 ? 'right' : 'straight');
    }
  });
});

describe('each example shows what it is named for', () => {
  it('curve: bends to both sides', () => {
    const commands = new Set(windowsOf('curve').map(({ command }) => command));
    expect(commands).toContain('left');
    expect(commands).toContain('right');
  });

  it('lead-vehicle: the ego is fast, brakes hard behind another and drives on', () => {
    const [first, ...rest] = windowsOf('lead-vehicle');
    expect(speedAfter(first, 0)).toBeGreaterThan(15);
    expect(speedAfter(first, 4)).toBeLessThan(speedAfter(first, 0) - 8);
    expect(rest.some((window) => speedAfter(window, 4) > speedAfter(window, 0) + 2)).toBe(true);
  });

  it('lane-change: one changes because its lane ends, another by choice, both between others', () => {
    const changing = windowsOf('lane-change').filter(({ laneChange }) => laneChange);
    expect(new Set(changing.map(({ ego }) => ego)).size).toBe(2);
    const [{ recording, route, ego }] = changing;
    // A lane that nothing follows, while the lane beside it goes on.
    const ends = recording.map.lanes.filter((lane) => {
      const beside = recording.map.lanes.find(({ id }) => id === lane.leftNeighbor);
      return lane.successors.length === 0 && (beside?.successors.length ?? 0) > 0;
    });
    expect(ends.map(({ id }) => id).filter((id) => route.includes(id))).toHaveLength(1);
    const track = recording.tracks[ego];
    const end = track.x.length - 1;
    const others = recording.tracks
      .filter(({ id }) => id !== ego)
      .map((other) => {
        const k = Math.min(track.start + end, other.start + other.x.length - 1) - other.start;
        const [dx, dy] = [other.x[k] - track.x[end], other.y[k] - track.y[end]];
        return dx * Math.cos(track.heading[end]) + dy * Math.sin(track.heading[end]);
      });
    expect(Math.min(...others)).toBeLessThan(0);
    expect(Math.max(...others)).toBeGreaterThan(0);
  });

  it('crossing: nobody passes the line at red, cross traffic has green meanwhile, the ego waits and turns left', () => {
    const recording = data.recordings.get('crossing') as Recording;
    expect(crossedAtRed(recording)).toEqual([]);
    const left = windowsOf('crossing').filter(
      ({ ego, command }) => ego === 0 && command === 'left',
    );
    expect(left.some((window) => speedAfter(window, 0) < 0.1 && speedAfter(window, 4) > 1)).toBe(
      true,
    );
    const waiting = windowsOf('crossing').find(({ ego, t0 }) => ego === 0 && t0 === 40)!;
    const lights = lightsAt(recording, 40);
    expect(lights.get(waiting.route[0])).toBe('red');
    expect([...lights.values()]).toContain('green');
    const egoLane = waiting.route[0];
    const colors = new Set(
      Array.from({ length: recording.steps }, (_, step) => lightsAt(recording, step).get(egoLane)),
    );
    expect(colors).toEqual(new Set(['red', 'green', 'yellow']));
  });
});

/** Vehicles whose front passes a stop line while its light is red. */
function crossedAtRed(recording: Recording): string[] {
  const found: string[] = [];
  for (const lane of recording.map.lanes) {
    if (!lane.stopLine) continue;
    const [[ax, ay], [bx, by]] = lane.stopLine;
    const [ex, ey] = lane.center.at(-1)!;
    const [dx, dy] = lane.center.at(-2)!;
    const ahead = Math.atan2(ey - dy, ex - dx);
    for (const track of recording.tracks) {
      const front = (k: number) => {
        const x = track.x[k] + (track.length / 2) * Math.cos(track.heading[k]) - (ax + bx) / 2;
        const y = track.y[k] + (track.length / 2) * Math.sin(track.heading[k]) - (ay + by) / 2;
        return {
          along: x * Math.cos(ahead) + y * Math.sin(ahead),
          // The line spans both lanes of the arm: whose light counts is told by the lane's own centre.
          aside: Math.abs(
            (track.x[k] - ex) * -Math.sin(ahead) + (track.y[k] - ey) * Math.cos(ahead),
          ),
        };
      };
      for (let k = 1; k < track.x.length; ++k) {
        if (Math.cos(track.heading[k] - ahead) < 0.9 || front(k).aside > 1.5) continue;
        const passes = front(k - 1).along < 0 && front(k).along >= 0;
        const color = lightsAt(recording, track.start + k).get(lane.id);
        if (passes && color === 'red')
          found.push(`${track.id} on ${lane.id} at ${track.start + k}`);
      }
    }
  }
  return found;
}
