import { beforeAll, describe, expect, test } from 'vitest';
import { AnswerBalance } from '../lib/camera/answer-balance.js';
import { type CameraFrames, renderCamera, type SeenObject } from '../lib/camera/camera.js';
import { nextAction } from '../lib/camera/next-action.js';
import {
  kQuestionKinds,
  type Question,
  type QuestionKind,
  questionsAbout,
} from '../lib/camera/questions.js';
import { type SceneTruth, sceneTruth } from '../lib/camera/scene-truth.js';
import { generateScenarios } from '../lib/generate/generate.js';
import type { ScenarioWindow, Track } from '../lib/scenario/types.js';
import { cameraRoad, type RoadOptions } from './support/camera-scene.js';

const kSize = 256;

async function truthOf(options: RoadOptions): Promise<SceneTruth> {
  const window = cameraRoad(options);
  const frames = await renderCamera(window, { width: kSize, height: kSize, objects: true });
  return sceneTruth(window, frames.objects![0], kSize * kSize);
}

async function answers(options: RoadOptions): Promise<Partial<Record<QuestionKind, string>>> {
  const asked = questionsAbout(await truthOf(options));
  return Object.fromEntries(asked.map(({ kind, answer }) => [kind, answer]));
}

describe('on a road that is known', () => {
  test('the distance to the vehicle ahead is from bumper to bumper', async () => {
    // 4.5 m long, the ego 4.6 m.
    const { lead_distance } = await answers({ objects: [{ x: 20, y: 0.3, speed: 8 }] });
    expect(lead_distance).toBe((20 - 2.25 - 2.3).toFixed(2));
  });

  test('the nearest of several counts, on the own path alone', async () => {
    const beside = { x: 9, y: 3.6, speed: 8 };
    const near = { x: 18, y: 0, speed: 8 };
    const far = { x: 40, y: 0, speed: 8 };
    expect((await answers({ objects: [far, beside, near] })).lead_distance).toBe('13.45');
    expect((await answers({ objects: [beside] })).lead_distance).toBeUndefined();
    expect((await answers({ objects: [beside] })).vehicle_ahead).toMatch(/^no$|^undefined$/);
  });

  test('a hidden or doubtful vehicle is not asked for', async () => {
    // Half on the path: neither ahead nor beside.
    expect(await truthOf({ objects: [{ x: 15, y: 2.0 }] })).toMatchObject({ lead: undefined });
    // Across the path.
    const across = { x: 15, y: 0, heading: Math.PI / 2 };
    expect(await truthOf({ objects: [across] })).toMatchObject({ lead: undefined });
    expect((await truthOf({ objects: [] })).lead).toBeNull();
  });

  test.each([
    [{ speed: 8, acceleration: -2 }, 'yes'],
    [{ speed: 8, acceleration: -0.3 }, 'no'],
    [{ speed: 8, acceleration: 1 }, 'no'],
    [{ speed: 0.1, acceleration: 0.1 }, 'yes'],
    [{ speed: 0 }, undefined],
  ])('brake lights of a vehicle with %o: %s', async (motion, braking) => {
    const seen = await answers({ objects: [{ x: 15, y: 0, ...motion }] });
    expect(seen.lead_braking).toBe(braking);
  });

  test.each(['red', 'yellow', 'green'] as const)('a %s light is %s', async (light) => {
    expect((await answers({ light, line: 40 })).light_color).toBe(light);
  });

  test('no light, a dark light, a light beyond reach', async () => {
    expect((await answers({})).light_color).toBe('none');
    expect((await answers({ light: 'unknown', line: 40 })).light_color).toBeUndefined();
    expect((await answers({ light: 'red', line: 130 })).light_color).toBeUndefined();
  });

  test('a light that a truck hides is not asked for', async () => {
    const truck = { type: 'truck', x: 9, y: 0, length: 11, width: 2.55, speed: 8 };
    const wall = { type: 'truck', x: 9, y: -3.2, length: 11, width: 2.55 };
    const seen = await truthOf({ light: 'red', line: 60, objects: [truck, wall] });
    expect(seen.light).toBeUndefined();
  });

  test.each([
    [{}, 'yes'],
    [{ middle: 'solid' }, 'solid line'],
    [{ objects: [{ x: 12, y: 3.5, speed: 8 }] }, 'occupied'],
    [{ objects: [{ x: 45, y: 3.5, speed: 8 }] }, 'yes'],
    [{ objects: [{ x: 14, y: -3.5 }] }, 'yes'],
  ] as [RoadOptions, string][])('the left lane with %o: %s', async (options, expected) => {
    const seen = await answers(options);
    expect(seen.left_lane).toBe(expected);
    expect(seen.right_lane).toBe('no lane');
  });

  test.each([
    [0, 'straight'],
    [1 / 90, 'left'],
    [-1 / 90, 'right'],
    [1 / 300, undefined], // 40 m of it: 7.6 degrees
  ])('a curvature of %d bends %s', async (curvature, expected) => {
    expect((await answers({ curvature })).road_bend).toBe(expected);
  });

  test('people and vehicles are counted where they are seen', async () => {
    const walker = { type: 'pedestrian', length: 0.6, width: 0.6 };
    const objects = [
      { ...walker, x: 12, y: -3 },
      { ...walker, x: 14, y: 4 },
      { ...walker, x: 70, y: -3 }, // beyond 40 m
      { ...walker, x: -5, y: 2 }, // behind
      { type: 'bicycle', length: 1.8, width: 0.6, x: 16, y: -2.6, speed: 4 },
      { x: 25, y: 0, speed: 8 },
      { x: 20, y: 7, heading: Math.PI, speed: 8 },
    ];
    const seen = await answers({ objects });
    expect(seen.count_pedestrians).toBe('2.00');
    expect(seen.count_vehicles).toBe('2.00');
  });

  test('who is hidden is not counted', async () => {
    const truck = { type: 'truck', x: 11, y: -1, length: 9, width: 2.5 };
    const hidden = { type: 'pedestrian', length: 0.6, width: 0.6, x: 25, y: -1.5 };
    const seen = await truthOf({ objects: [truck, hidden] });
    expect(seen.pedestrians).toEqual([]);
    expect(seen.unclear).toEqual([]);
  });

  test.each<[string, RoadOptions, string | undefined]>([
    ['free', { speed: 8 }, 'drive on'],
    ['red light', { speed: 8, acceleration: -2, light: 'red', line: 30 }, 'stop'],
    ['red light, but sped up', { speed: 8, acceleration: 1, light: 'red', line: 30 }, undefined],
    ['waiting at red', { speed: 0, light: 'red', line: 6 }, 'wait'],
    ['green', { speed: 8, light: 'green', line: 30 }, 'drive on'],
    ['command', { speed: 6, command: 'left' }, 'turn left'],
    ['following', { speed: 8, objects: [{ x: 28, y: 0, speed: 8 }] }, 'follow'],
    [
      'lead brakes',
      { speed: 8, acceleration: -1.5, objects: [{ x: 16, y: 0, speed: 8, acceleration: -1.5 }] },
      'slow down',
    ],
    [
      'pedestrian',
      {
        speed: 6,
        acceleration: -2,
        objects: [{ type: 'pedestrian', length: 0.6, width: 0.6, x: 16, y: 0.4 }],
      },
      'stop',
    ],
  ])('what to do: %s', async (_, options, action) => {
    expect(nextAction(await truthOf(options))?.action).toBe(action);
  });
});

describe('on generated scenes', () => {
  let windows: ScenarioWindow[];
  let frames: CameraFrames;
  let truths: SceneTruth[];
  let asked: Question[][];

  beforeAll(async () => {
    windows = [...(await generateScenarios({ windows: 60, seed: 21 })).windows];
    frames = await renderCamera(windows, { width: kSize, height: kSize, objects: true, ids: true });
    truths = windows.map((window, i) => sceneTruth(window, frames.objects![i], kSize * kSize));
    asked = truths.map((truth) => questionsAbout(truth));
  }, 120_000);

  const each = (kind: QuestionKind, check: (answer: string, i: number, q: Question) => void) => {
    let n = 0;
    asked.forEach((questions, i) => {
      for (const question of questions) {
        if (question.kind !== kind) continue;
        n += 1;
        check(question.answer, i, question);
      }
    });
    return n;
  };

  test('every kind comes up, no wording has an open field, numbers have two decimals', () => {
    const kinds = new Set(asked.flat().map(({ kind }) => kind));
    expect([...kQuestionKinds].filter((kind) => !kinds.has(kind))).toEqual([]);
    for (const { question, content, answer } of asked.flat()) {
      for (const text of [question, content, answer]) {
        expect(text).not.toMatch(/[{}]|undefined|null|NaN|Infinity|\s\s/);
        for (const [number] of text.matchAll(/\d[\d.]*\d|\d/g)) {
          expect(number, text).toMatch(/^\d+\.\d\d$/);
        }
      }
    }
  });

  test('the same seed asks the same', () => {
    expect(truths.map((truth) => questionsAbout(truth))).toEqual(asked);
    expect(truths.map((truth) => questionsAbout(truth, { seed: 2 }))).not.toEqual(asked);
    const some = questionsAbout(truths[0], { kinds: ['caption'] });
    expect(some).toEqual(asked[0].filter(({ kind }) => kind === 'caption'));
  });

  /** Place of a track in the ego's frame at the present. */
  function inEgoFrame(window: ScenarioWindow, track: Track) {
    const own = window.recording.tracks[window.ego];
    const [i, k] = [window.t0 - own.start, window.t0 - track.start];
    const [dx, dy] = [track.x[k] - own.x[i], track.y[k] - own.y[i]];
    const heading = own.heading[i];
    return {
      x: dx * Math.cos(heading) + dy * Math.sin(heading),
      y: dy * Math.cos(heading) - dx * Math.sin(heading),
      ownLength: own.length,
    };
  }

  test('the lead is ahead, and where the road is straight at the distance in the ego frame', () => {
    let straight = 0;
    const n = each('lead_distance', (answer, i) => {
      const window = windows[i];
      const { track } = truths[i].lead!;
      const place = inEgoFrame(window, track);
      const direct = Math.hypot(place.x, place.y);
      // Along the road it is never nearer than straight through the air.
      expect(Number(answer) + (track.length + place.ownLength) / 2).toBeGreaterThan(direct - 0.2);
      if (truths[i].bend !== 'straight' || Math.abs(place.y) > 1 || place.x > 60) return;
      straight += 1;
      const gap = place.x - (track.length + place.ownLength) / 2;
      expect(Math.abs(Number(answer) - gap)).toBeLessThan(0.6);
      // Nobody is nearer within a narrow tube ahead.
      for (const other of window.recording.tracks) {
        const k = window.t0 - other.start;
        if (other.id === window.ego || other === track || !(k >= 0 && k < other.x.length)) continue;
        const at = inEgoFrame(window, other);
        expect(at.x > 0 && at.x < place.x - 1 && Math.abs(at.y) < 0.8).toBe(false);
      }
    });
    expect(n).toBeGreaterThan(15);
    expect(straight).toBeGreaterThan(0);
  });

  test('yes or no to a vehicle ahead agrees with the distance', () => {
    const n = each('vehicle_ahead', (answer, i, { question }) => {
      const limit = Number(/(\d+\.\d\d) m/.exec(question)![1]);
      const { lead } = truths[i];
      expect(answer).toBe(lead && lead.gap < limit ? 'yes' : 'no');
    });
    expect(n).toBeGreaterThan(20);
  });

  test('brake lights: speeds half a second apart', () => {
    each('lead_braking', (answer, i) => {
      const { track } = truths[i].lead!;
      const k = windows[i].t0 - track.start;
      const v = (at: number) => Math.sqrt(track.vx[at] ** 2 + track.vy[at] ** 2);
      const rate = k >= 5 ? (v(k) - v(k - 5)) / 0.5 : Number.NaN;
      if (v(k) < 0.3) expect(answer).toBe('yes');
      else if (k >= 5) expect(answer).toBe(rate < -0.6 ? 'yes' : 'no');
    });
  });

  test('lights: the state of a signal over a lane of the route', () => {
    each('light_color', (answer, i) => {
      const { recording, route, t0 } = windows[i];
      const states = recording.signals
        .filter(({ lanes }) => lanes.some((lane) => route.includes(lane)))
        .flatMap((signal) => signal.states.filter(({ from, to }) => from <= t0 && t0 < to))
        .map(({ color }) => color as string);
      if (answer !== 'none') expect(states).toContain(answer);
    });
  });

  test('counts agree with the picture of object ids', () => {
    const size = kSize * kSize;
    const n = each('count_vehicles', (answer, i) => {
      const pixels = new Map<number, number>();
      for (const id of frames.ids!.subarray(i * size, (i + 1) * size)) {
        pixels.set(id, (pixels.get(id) ?? 0) + 1);
      }
      const { recording, ego } = windows[i];
      const isVehicle = (track: Track) =>
        !['pedestrian', 'bicycle', 'traffic_cone', 'barrier'].includes(track.type);
      // Everybody whose picture is large and near is counted; nobody is counted who has none.
      const surely = recording.tracks.filter((track) => {
        const { x, y } = inEgoFrame(windows[i], track);
        const reach = track.length / 2;
        return (
          track.id !== ego &&
          isVehicle(track) &&
          (pixels.get(track.id) ?? 0) > 500 &&
          Math.hypot(x, y) + reach < 39
        );
      });
      const perhaps = recording.tracks.filter(
        (track) => isVehicle(track) && (pixels.get(track.id) ?? 0) > 0,
      );
      const hidden = (frames.objects![i] as SeenObject[]).filter(
        ({ id, visible, silhouette }) => id >= 0 && visible < 0.3 * silhouette,
      ).length;
      expect(Number(answer)).toBeGreaterThanOrEqual(surely.length - hidden);
      expect(Number(answer)).toBeLessThanOrEqual(perhaps.length);
    });
    expect(n).toBeGreaterThan(20);
  });

  test('side lanes: the neighbour and its marking', () => {
    for (const [kind, side] of [
      ['left_lane', 0],
      ['right_lane', 1],
    ] as const) {
      const n = each(kind, (answer, i) => {
        const { lane } = truths[i].path!;
        const own = windows[i].recording.map.lanes.find(({ id }) => id === lane.id)!;
        const neighbor = side === 0 ? own.leftNeighbor : own.rightNeighbor;
        const same = side === 0 ? own.leftSameDirection : own.rightSameDirection;
        const marking = own.markings[side];
        if (neighbor === null || !same) expect(answer).toBe('no lane');
        else if (marking === 'solid') expect(answer).toBe('solid line');
        else expect(['yes', 'occupied']).toContain(answer);
      });
      expect(n).toBeGreaterThan(20);
    }
  });

  test('bends: the side on which the route ends up', () => {
    each('road_bend', (answer, i) => {
      const { recording, ego, t0 } = windows[i];
      const own = recording.tracks[ego];
      const k = t0 - own.start;
      // Points of the middle of the path's lanes, 50 m of them ahead, in the ego's frame.
      let way = 0;
      let last: readonly [number, number] | null = null;
      let first = 0;
      let end = 0;
      for (const { lane } of truths[i].path!.lanes) {
        for (const point of lane.center) {
          const [dx, dy] = [point[0] - own.x[k], point[1] - own.y[k]];
          const ahead = dx * Math.cos(own.heading[k]) + dy * Math.sin(own.heading[k]);
          if (last === null && ahead < 0) continue;
          if (last !== null) {
            const step = Math.hypot(point[0] - last[0], point[1] - last[1]);
            if (step < 0.01) continue;
            way += step;
            end = Math.atan2(point[1] - last[1], point[0] - last[0]);
            if (first === 0) first = end;
          }
          last = point;
          if (way > 50) break;
        }
        if (way > 50) break;
      }
      const turn = Math.atan2(Math.sin(end - first), Math.cos(end - first));
      if (answer === 'left') expect(turn).toBeGreaterThan(0.15);
      else if (answer === 'right') expect(turn).toBeLessThan(-0.15);
      else expect(Math.abs(turn)).toBeLessThan(0.2);
    });
  });

  test('actions agree with what the driver did', () => {
    each('next_action', (answer, i) => {
      const { recording, ego, t0 } = windows[i];
      const own = recording.tracks[ego];
      const k = t0 - own.start;
      const way = (from: number, to: number) =>
        Math.hypot(own.x[to] - own.x[from], own.y[to] - own.y[from]);
      if (answer === 'wait') expect(way(k, k + 30)).toBeLessThan(4);
      if (answer === 'stop' || answer === 'slow down') {
        expect(way(k + 25, k + 30)).toBeLessThan(Math.max(0.3, way(k - 5, k) + 0.1));
      }
      if (answer === 'drive on' || answer === 'follow') expect(way(k, k + 30)).toBeGreaterThan(0.3);
    });
  });

  test('balanced, no answer has much more than 60 %', () => {
    const balance = new AnswerBalance();
    const kept = asked.flat().filter((question) => balance.accept(question));
    for (const [kind, share] of Object.entries(balance.shares())) {
      const own = kept.filter((question) => question.kind === kind);
      expect(share.questions).toBe(own.length);
      const most = own.filter(({ answer }) => answer === share.majority.answer).length;
      expect(share.majority.rate).toBeCloseTo(most / own.length, 10);
      if (own.length >= 40) expect(share.majority.rate, kind).toBeLessThan(0.68);
    }
  });
});
