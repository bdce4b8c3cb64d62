import { beforeAll, describe, expect, it } from 'vitest';
import { generateScene } from '../lib/generate/scene.js';
import { type Rule, validateMap, validateScene } from '../lib/generate/validate/validate.js';
import { kRoadKinds, type RoadKind } from '../lib/generate/world.js';
import type { Recording, ScenarioLane, Track } from '../lib/scenario/types.js';

// biome-ignore lint/suspicious/noExplicitAny: scenes are damaged in every way that the validator knows.
type Loose = any;

const request = (kind: RoadKind, index = 0) => ({
  seed: 77,
  index,
  kinds: [{ kind, share: 1 }],
  valShare: 0,
  cut: { perScene: 6, perEgo: 2 },
});

const scenes = new Map<RoadKind, Recording>();
beforeAll(() => {
  for (const kind of kRoadKinds) scenes.set(kind, generateScene(request(kind)).recording);
});

/** A copy of a scene that `damage` has changed, and the rules that it then breaks. */
function rulesBroken(kind: RoadKind, damage: (recording: Loose) => void): Set<string> {
  const copy = structuredClone(scenes.get(kind)) as Loose;
  damage(copy);
  return new Set(validateScene(copy).map(({ rule }) => rule));
}

const driving = (recording: Recording): Track =>
  recording.tracks.find(
    ({ type, x, vx, vy }) => type === 'car' && x.length > 40 && Math.hypot(vx[10], vy[10]) > 4,
  ) as Track;
const linked = (recording: Recording): ScenarioLane =>
  recording.map.lanes.find(({ successors }) => successors.length > 0) as ScenarioLane;
const laneOf = (recording: Recording, id: unknown): Loose =>
  recording.map.lanes.find((lane) => lane.id === id);

/** Shifts a lane sideways as a whole. */
function shift(lane: Loose, metres: number): void {
  const [[ax, ay], [bx, by]] = [lane.right[0], lane.left[0]];
  const length = Math.hypot(bx - ax, by - ay);
  const [dx, dy] = [((bx - ax) / length) * metres, ((by - ay) / length) * metres];
  for (const line of ['center', 'left', 'right']) {
    lane[line] = lane[line].map(([x, y]: [number, number]) => [x + dx, y + dy]);
  }
}

/** Turns a point of all three lines of a lane by an angle around the start of the lane. */
function fold(lane: Loose, from: number): void {
  for (const line of ['center', 'left', 'right']) {
    lane[line] = [...lane[line].slice(0, from), ...lane[line].slice(2, from).reverse()];
  }
}

describe('the validator finds', () => {
  it('nothing in what the generator makes, of each kind', () => {
    for (const [, recording] of scenes) expect(validateScene(recording)).toEqual([]);
  });

  const planted: [Rule, RoadKind, (recording: Loose) => void][] = [
    ['link', 'signals', (r) => laneOf(r, linked(r).successors[0]).predecessors.pop()],
    ['link', 'merge', (r) => laneOf(r, linked(r).id).predecessors.push(r.map.lanes.at(-1).id)],
    [
      'neighbor',
      'straight',
      (r) => {
        const lane = r.map.lanes.find((l: Loose) => l.leftNeighbor !== null);
        laneOf(r, lane.leftNeighbor)[lane.leftSameDirection ? 'rightNeighbor' : 'leftNeighbor'] =
          null;
      },
    ],
    [
      'neighbor',
      'merge',
      (r) => {
        const lane = r.map.lanes.find((l: Loose) => l.leftNeighbor !== null);
        lane.leftSameDirection = !lane.leftSameDirection;
      },
    ],
    ['joint', 'roundabout', (r) => (linked(r) as Loose).center.splice(-1, 1, [0, 0])],
    [
      'joint',
      'street',
      (r) => {
        const lane = linked(r) as Loose;
        const [x, y] = lane.center.at(-1);
        lane.center.splice(-1, 1, [x + 2e-6, y]);
      },
    ],
    [
      'joint-heading',
      'straight',
      (r) => {
        const lane = linked(r) as Loose;
        const [[ax, ay], [bx, by]] = lane.center.slice(-2);
        lane.center.splice(-1, 1, [bx, by]);
        // The last but one moves 0.4 m aside: a kink of 0.2 rad at the joint.
        const [dx, dy] = [(bx - ax) * 0.2, (by - ay) * 0.2];
        lane.center.splice(-2, 1, [ax - dy, ay + dx]);
      },
    ],
    [
      'border-side',
      'curve',
      (r) => {
        const lane = r.map.lanes[0];
        [lane.left, lane.right] = [lane.right, lane.left];
      },
    ],
    [
      'width',
      'curve',
      (r) => {
        const lane = r.map.lanes[0];
        lane.left = lane.left.map(([x, y]: number[], i: number) => {
          const [a, b] = lane.center[i];
          return [a + (x - a) * 0.3, b + (y - b) * 0.3];
        });
      },
    ],
    [
      'curvature',
      'street',
      (r) => {
        const { center } = r.map.lanes[0];
        const [[ax, ay], [bx, by]] = [center[4], center[5]];
        center[5] = [bx - (by - ay) * 0.5, by + (bx - ax) * 0.5];
      },
    ],
    ['self-overlap', 'street', (r) => fold(r.map.lanes[0], 20)],
    [
      'lane-overlap',
      'merge',
      (r) => {
        // Two lanes to the side of its own place, where another lane of the road is that is not its neighbour.
        const { lanes } = r.map;
        const right = lanes.find((l: Loose) => {
          const left = laneOf(r, l.leftNeighbor);
          return left && left.leftNeighbor !== null;
        });
        const width = Math.hypot(
          right.left[0][0] - right.right[0][0],
          right.left[0][1] - right.right[0][1],
        );
        shift(right, 2 * width);
      },
    ],
    ['lane-overlap', 'split', (r) => shift(r.map.lanes[0], 0.4)],
    [
      'drivable-area',
      'roundabout',
      (r) => {
        r.map.drivableArea = r.map.drivableArea.slice(0, 1);
      },
    ],
    [
      'off-road',
      'curve',
      (r) => {
        r.map.drivableArea = r.map.lanes.slice(0, 1).map((l: Loose) => ({
          exterior: [...l.right, ...[...l.left].reverse()],
          holes: [],
        }));
      },
    ],
    [
      'collision',
      'street',
      (r) => {
        const track = driving(r);
        const k = 30;
        const ghost = r.tracks.find((t: Track) => t.vx.every((v) => v === 0));
        ghost.x.fill(track.x[k]);
        ghost.y.fill(track.y[k]);
      },
    ],
    [
      'acceleration',
      'curve',
      (r) => {
        const track = driving(r);
        track.vx[20] *= 1.1;
        track.vy[20] *= 1.1;
      },
    ],
    [
      'lateral-acceleration',
      'curve',
      (r) => {
        const track = driving(r);
        track.heading[20] += 0.1;
      },
    ],
    [
      'motion',
      'signals',
      (r) => {
        driving(r).x[20] += 0.5;
      },
    ],
    [
      'heading',
      'junction',
      (r) => {
        driving(r).heading[10] += 0.05;
      },
    ],
  ];
  it.each(planted)('%s, planted in: %s', (rule, kind, damage) => {
    expect([...rulesBroken(kind, damage)]).toContain(rule);
  });

  it('a vehicle that passes its line at red', () => {
    // All lights are red all the time now: whoever has driven over a line has done so at red.
    let passed = false;
    for (let index = 0; index < 6 && !passed; ++index) {
      const { recording } = generateScene(request('signals', index));
      expect(validateScene(recording)).toEqual([]);
      for (const signal of recording.signals as Loose) {
        signal.states = [{ from: 0, to: recording.steps, color: 'red' }];
      }
      passed = validateScene(recording).some(({ rule }) => rule === 'red-light');
    }
    expect(passed).toBe(true);
  });

  it('a map alone, without traffic', () => {
    const { map } = scenes.get('signals') as Recording;
    expect(validateMap(map)).toEqual([]);
    const copy = structuredClone(map) as Loose;
    copy.lanes.find((lane: Loose) => lane.successors.length > 0).successors = [];
    expect(validateMap(copy).map(({ rule }) => rule)).toContain('link');
  });
});
