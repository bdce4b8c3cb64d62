import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { flagAt, placeFlags } from '../lib/viewer/browser/score/place-flags.js';
import {
  agentAt,
  boundsOf,
  cornersOf,
  distanceTo,
  focusOf,
  lightsAt,
  overlapCenter,
  rolloutAt,
} from '../lib/viewer/browser/score/geometry.js';
import { metricsOf, shortOf } from '../lib/viewer/browser/score/metrics.js';
import { scoreColor } from '../lib/viewer/browser/score/score-color.js';
import { failureTimes, sortedOrder } from '../lib/viewer/browser/score/state.js';
import { renderScorePage } from '../lib/viewer/score-page.js';
import { smallCase } from './support/score-cases.js';

type Vector = readonly [number, number, number];

describe('time', () => {
  const agent = {
    token: 'a',
    type: 'vehicle',
    length: 4,
    width: 2,
    t: [0.5, 1, 2],
    poses: [
      [0, 0, 3],
      [4, 0, -3],
      [4, 8, -3],
    ],
  } as const;

  test('an object is between the frames in which it is seen, and nowhere else', () => {
    expect(agentAt(agent, 0.4)).toBeNull();
    expect(agentAt(agent, 0.5)).toEqual([0, 0, 3]);
    expect(agentAt(agent, 0.75)?.[0]).toBeCloseTo(2, 9);
    expect(Math.cos(agentAt(agent, 0.75)![2])).toBeCloseTo(-1, 6); // the short way across pi
    expect(agentAt(agent, 1.25)?.[1]).toBeCloseTo(2, 9);
    expect(agentAt(agent, 2)).toEqual([4, 8, -3]);
    expect(agentAt(agent, 2.1)).toBeNull();
    const once = { ...agent, t: [1], poses: [agent.poses[1]] };
    expect(agentAt(once, 4)).toEqual([4, 0, -3]);
  });

  test('a rollout passes through its steps and holds at its ends', () => {
    const rollout = Array.from({ length: 41 }, (_, k): Vector => [k * k, 0, 0]);
    for (let k = 0; k <= 40; ++k) expect(rolloutAt(rollout, k / 10)[0]).toBe(k * k);
    expect(rolloutAt(rollout, 0.25)[0]).toBeCloseTo(6.5, 9);
    expect(rolloutAt(rollout, 9)[0]).toBe(1600);
  });

  test('lights hold until the next ones', () => {
    const lights = [0, 0.5, 1].map((t, i) => ({ t, red: [i], green: [] }));
    expect(lightsAt(lights, 0.49)?.red).toEqual([0]);
    expect(lightsAt(lights, 0.1 * 5)?.red).toEqual([1]);
    expect(lightsAt(lights, 4)?.red).toEqual([2]);
    expect(lightsAt([], 1)).toBeNull();
  });
});

describe('boxes', () => {
  const boxes = fc.record({
    pose: fc.tuple(
      fc.double({ min: -5, max: 5, noNaN: true }),
      fc.double({ min: -5, max: 5, noNaN: true }),
      fc.double({ min: -4, max: 4, noNaN: true }),
    ),
    size: fc.record({
      length: fc.double({ min: 0.5, max: 6, noNaN: true }),
      width: fc.double({ min: 0.5, max: 3, noNaN: true }),
    }),
  });
  type Box = { pose: Vector; size: { length: number; width: number } };
  const holds = ({ pose, size }: Box, [x, y]: readonly [number, number], room: number): boolean => {
    const [dx, dy] = [x - pose[0], y - pose[1]];
    const along = dx * Math.cos(pose[2]) + dy * Math.sin(pose[2]);
    const across = dy * Math.cos(pose[2]) - dx * Math.sin(pose[2]);
    return Math.abs(along) <= size.length / 2 + room && Math.abs(across) <= size.width / 2 + room;
  };

  test('the middle of an overlap lies in both boxes; no grid point does where there is none', () => {
    fc.assert(
      fc.property(boxes, boxes, (a, b) => {
        const middle = overlapCenter(cornersOf(a.pose, a.size), cornersOf(b.pose, b.size));
        if (middle) {
          expect(holds(a, middle, 1e-9) && holds(b, middle, 1e-9)).toBe(true);
          return;
        }
        for (let x = -9; x <= 9; x += 0.3) {
          for (let y = -9; y <= 9; y += 0.3) {
            if (holds(a, [x, y], -1e-9) && holds(b, [x, y], -1e-9)) throw new Error(`${x}, ${y}`);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('corners are front-left, rear-left, rear-right, front-right', () => {
    const corners = cornersOf([10, 0, Math.PI / 2], { length: 4, width: 2 });
    const expected = [
      [9, 2],
      [9, -2],
      [11, -2],
      [11, 2],
    ];
    corners.forEach((corner, i) => {
      expect(corner[0]).toBeCloseTo(expected[i]![0]!, 9);
      expect(corner[1]).toBeCloseTo(expected[i]![1]!, 9);
    });
  });

  test('distance to a line is to its nearest piece', () => {
    const line: Vector[] = [
      [0, 0, 0],
      [10, 0, 0],
      [10, 10, 0],
    ];
    expect(distanceTo(line, [5, 3])).toBeCloseTo(3, 9);
    expect(distanceTo(line, [13, 14])).toBeCloseTo(5, 9);
    expect(distanceTo([], [0, 0])).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('flags', () => {
  test('stand clear of each other and of the edges where there is room', () => {
    const screen = { width: 900, height: 700 };
    const place = fc.tuple(fc.integer({ min: 150, max: 750 }), fc.integer({ min: 150, max: 550 }));
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: 6 }), (anchors) => {
        const flags = placeFlags(
          anchors.map((anchor, failure) => ({ failure, text: 'DAC 1.2 s', width: 76, anchor })),
          screen,
        );
        flags.forEach((a, i) => {
          expect(a.x >= 0 && a.x + a.width <= screen.width).toBe(true);
          expect(a.y >= 0 && a.y + a.height <= screen.height).toBe(true);
          for (const b of flags.slice(i + 1)) {
            const apart =
              a.x + a.width <= b.x ||
              b.x + b.width <= a.x ||
              a.y + a.height <= b.y ||
              b.y + b.height <= a.y;
            expect(apart).toBe(true);
          }
          expect(flagAt(flags, a.x + a.width / 2, a.y + a.height / 2)).toBe(a);
        });
      }),
    );
  });
});

describe('colours of scores', () => {
  const css = readFileSync(
    new URL('../lib/viewer/browser/score/page.css', import.meta.url),
    'utf8',
  );
  const stops = [...css.matchAll(/--map-score\d: (#[0-9a-f]{6})/g)].map((match) => match[1]!);
  const linear = (hex: string): Vector => {
    const channel = (i: number): number => {
      const value = Number.parseInt(hex.slice(1 + 2 * i, 3 + 2 * i), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    };
    return [channel(0), channel(1), channel(2)];
  };
  const times = (rows: readonly Vector[], v: Vector): Vector =>
    rows.map((row) => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]) as unknown as Vector;
  /** CIE lightness, 0 to 100. */
  const lightness = ([r, g, b]: Vector): number =>
    116 * Math.cbrt(0.2126 * r + 0.7152 * g + 0.0722 * b) - 16;
  // Vienot, Brettel and Mollon 1999, in linear sRGB.
  const kRedGreen: Record<string, readonly Vector[]> = {
    protanopia: [
      [0.11238, 0.88762, 0],
      [0.11238, 0.88762, 0],
      [0.00401, -0.00401, 1],
    ],
    deuteranopia: [
      [0.29275, 0.70725, 0],
      [0.29275, 0.70725, 0],
      [-0.02234, 0.02234, 1],
    ],
  };

  test.each([
    ['light', 0, -1],
    ['dark', 5, 1],
  ])('%s theme: lightness is ordered, with and without colour vision', (_, first, sign) => {
    const scale = stops.slice(first, first + 5).map(linear);
    expect(scale).toHaveLength(5);
    for (const seen of [
      scale,
      ...Object.values(kRedGreen).map((m) => scale.map((v) => times(m, v))),
    ]) {
      const levels = seen.map(lightness);
      for (let i = 1; i < 5; ++i) expect(sign * (levels[i]! - levels[i - 1]!)).toBeGreaterThan(3);
      expect(sign * (levels[4]! - levels[0]!)).toBeGreaterThan(28);
    }
  });

  test('a score is between its two stops', () => {
    const scale = ['black', 'red', 'white'];
    expect(scoreColor(0, scale)).toBe('color-mix(in oklab, red 0.0%, black)');
    expect(scoreColor(0.25, scale)).toBe('color-mix(in oklab, red 50.0%, black)');
    expect(scoreColor(1, scale)).toBe('color-mix(in oklab, white 100.0%, red)');
    expect(scoreColor(7, scale)).toBe(scoreColor(1, scale));
  });
});

describe('what the page says of a scene', () => {
  const item = smallCase();

  test('the table sorts by score and sub-score; equals stay in the order of the file', () => {
    const scores = (order: number[]) => order.map((i) => item.trajectories[i]!.score);
    const down = sortedOrder(item, 'score', true);
    expect(scores(down)).toEqual([...scores(down)].sort((a, b) => b - a));
    expect(sortedOrder(item, 'file', true)).toEqual([0, 1, 2, 3]);
    expect(sortedOrder(item, 'file', false)).toEqual([3, 2, 1, 0]);
    expect(sortedOrder(item, 'drivableAreaCompliance', false)[0]).toBe(1);
    expect(sortedOrder(item, 'drivableAreaCompliance', true)).toEqual([0, 2, 3, 1]);
  });

  test('version 1 has no traffic lights and no lane keeping', () => {
    expect(metricsOf('v1').map(({ short }) => short)).toEqual([
      'NC',
      'DAC',
      'DDC',
      'EP',
      'TTC',
      'C',
    ]);
    expect(metricsOf('v2')).toHaveLength(8);
    expect(shortOf('v2', 'comfort')).toBe('HC');
  });

  test('a lost mark is framed with the object that it is about', () => {
    const ram = item.trajectories[0]!;
    const index = ram.failures.findIndex(({ metric }) => metric === 'noAtFaultCollisions');
    const focus = focusOf(item, ram, index)!;
    const pose = agentAt(item.agents[0]!, ram.failures[index]!.step! / 10)!;
    expect(focus.x0).toBeLessThan(pose[0] - 4);
    expect(focus.x1).toBeGreaterThan(pose[0] + 4);
    expect(focus.x1 - focus.x0).toBeLessThan(60);
    expect(focusOf(item, ram, null)).toBeNull();
    const bounds = boundsOf(item);
    for (const { rollout } of item.trajectories) {
      expect(bounds.x1).toBeGreaterThan(rollout.at(-1)![0]);
      expect(bounds.y1).toBeGreaterThan(rollout.at(-1)![1]);
    }
    const times = failureTimes(ram).map(({ time }) => time);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test('names from files stay text, and nothing is loaded', () => {
    const hostile = `</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> "'&`;
    const bad = smallCase({ id: hostile, label: hostile, token: hostile });
    const page = renderScorePage([bad], { title: hostile });
    expect(page).not.toContain('alert(1)</script>');
    expect(page).not.toContain('<img');
    expect(page.match(/<script/g)).toHaveLength(2);
    const plain = renderScorePage([item]);
    expect(plain).not.toMatch(/\b(src|href)\s*=|\bimport\s*\(|\bfetch\s*\(|@import|url\(/);
    expect(plain).not.toMatch(/\{\{\w+\}\}/);
  });
});
