import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { isWithinVocabulary } from '../lib/camera/plan-conversation.js';
import { baselines } from '../lib/eval/baselines.js';
import { centerPoses } from '../lib/eval/rear-axle.js';
import {
  fillTemplate,
  kPlanWording,
  NumericTokenizer,
  parseNumberList,
  planConversation,
  readScenarios,
  type ScenarioWindow,
} from '../lib/index.js';
import { sceneFromWindow } from '../lib/sim/from-window.js';
import { cameraRoad } from './support/camera-scene.js';

const numbers = new NumericTokenizer();
const isOnGrid = (value: number) => numbers.decode(numbers.encode(value)) === value;

let windows: readonly ScenarioWindow[];
beforeAll(async () => {
  ({ windows } = await readScenarios(join(import.meta.dirname, '../examples')));
});

/** A window with another motion of its ego, step by step. */
function moved(
  window: ScenarioWindow,
  at: (k: number) => { x: number; y: number; heading: number; vx: number; vy: number },
): ScenarioWindow {
  const { recording, ego, t0, future } = window;
  const own = recording.tracks[ego];
  const states = Array.from({ length: own.x.length }, (_, k) => at(k + own.start - t0));
  const of = (name: 'x' | 'y' | 'heading' | 'vx' | 'vy') =>
    Float64Array.from(states, (state) => state[name]);
  const track = {
    ...own,
    ...{ x: of('x'), y: of('y'), heading: of('heading'), vx: of('vx'), vy: of('vy') },
  };
  const tracks = recording.tracks.with(ego, track);
  return { ...window, future, recording: { ...recording, tracks } };
}

describe('the waypoints of a plan', () => {
  test('are those of the recorded driver as evaluation has them, within half a hundredth', () => {
    const recorded = baselines.find(({ name }) => name === 'recorded driver')!;
    expect(windows.length).toBeGreaterThan(3);
    for (const window of windows) {
      const { waypoints } = planConversation(window);
      const poses = recorded.plan(window);
      for (let i = 0; i < 8; ++i) {
        expect(Math.abs(waypoints![2 * i] - poses[3 * i])).toBeLessThanOrEqual(0.005 + 1e-9);
        expect(Math.abs(waypoints![2 * i + 1] - poses[3 * i + 1])).toBeLessThanOrEqual(0.0050001);
      }
      expect([...waypoints!].every(isOnGrid)).toBe(true);
    }
  });

  test('are middles of the box: what the PDM score sees as the human, moved from the rear axle', () => {
    for (const window of windows) {
      const human = sceneFromWindow(window).humanTrajectory!;
      const centers = centerPoses(Float64Array.from(human.flat()));
      const { waypoints } = planConversation(window);
      const wanted = [...centers].filter((_, i) => i % 3 < 2);
      wanted.forEach((value, i) => {
        expect(Math.abs(waypoints![i] - value)).toBeLessThanOrEqual(0.0050001);
      });
    }
  });

  test.each([
    [24.9, true],
    [25.1, false],
  ])('at %d m/s straight on end within the vocabulary: %s', (v, within) => {
    const window = moved(cameraRoad({ objects: [] }), (k) => ({
      ...{ x: v * 0.1 * k, y: 0, heading: 0, vx: v, vy: 0 },
    }));
    expect(isWithinVocabulary(window)).toBe(within);
    expect(Math.max(...planConversation(window).waypoints!)).toBe(within ? 99.6 : 100);
  });

  test('of an arc that is known have x ahead and y to the left', () => {
    // Radius 20 m to the left at 5 m/s, from (100, 200), heading north.
    const [r, v, dt] = [20, 5, 0.1];
    const window = moved(cameraRoad({ objects: [] }), (k) => {
      const a = (v / r) * k * dt;
      const heading = Math.PI / 2 + a;
      return {
        ...{ x: 100 - r + r * Math.cos(a), y: 200 + r * Math.sin(a), heading },
        ...{ vx: v * Math.cos(heading), vy: v * Math.sin(heading) },
      };
    });
    expect(window.recording.dt).toBe(dt);
    const { waypoints, fields } = planConversation(window);
    for (let i = 0; i < 8; ++i) {
      const a = (v / r) * 0.5 * (i + 1);
      expect(Math.abs(waypoints![2 * i] - r * Math.sin(a))).toBeLessThan(0.00501);
      expect(Math.abs(waypoints![2 * i + 1] - r * (1 - Math.cos(a)))).toBeLessThan(0.00501);
    }
    // Of the velocities now and 0.5 s ago, which was turned by 0.125 rad to the right.
    const back = (v / r) * 0.5;
    expect(fields).toMatchObject({
      ...{ vx: 5, vy: 0 },
      ax: Number(((v - v * Math.cos(back)) / 0.5).toFixed(2)),
      ay: Number(((v * Math.sin(back)) / 0.5).toFixed(2)),
    });
  });

  test('are those of the expert where there is one', () => {
    const expert = Array.from({ length: 8 }, (_, i) => [i + 0.123, -i / 3, 0.1] as const);
    const { waypoints } = planConversation({ ...windows[0], future: 0, expert });
    expect([...waypoints!]).toEqual(
      expert.flatMap(([x, y]) => [x, y].map((v) => Number(v.toFixed(2)) + 0)),
    );
  });

  test('are none where less than 4 s are recorded', () => {
    const steps = Math.round(4 / windows[0].recording.dt);
    const short = planConversation({ ...windows[0], future: steps - 1 });
    expect([short.waypoints, short.answer]).toEqual([null, null]);
    expect(planConversation({ ...windows[0], future: steps }).answer).not.toBeNull();
  });

  test('and the state are kept within what the vocabulary has', () => {
    const window = moved(cameraRoad({ objects: [] }), (k) => ({
      ...{ x: 300 * k, y: -300 * k, heading: 0, vx: k < 0 ? 0 : 3000, vy: -3000 },
    }));
    const { fields, waypoints } = planConversation(window);
    expect(fields).toMatchObject({ vx: 100, vy: -100, ax: 100, ay: 0 });
    expect([...waypoints!].slice(0, 2)).toEqual([100, -100]);
  });
});

describe('the words of a plan', () => {
  test('are the wording with its fields, and numbers that are tokens', () => {
    const commands = { left: 'turn left', right: 'turn right', straight: 'go straight' };
    for (const [command, text] of Object.entries({ ...commands, unknown: 'none' })) {
      const window = { ...windows[0], command } as ScenarioWindow;
      const { fields, user, answer, waypoints } = planConversation(window);
      expect(fields.command).toBe(text);
      expect(user).toBe(fillTemplate(kPlanWording, fields));
      expect(user.startsWith('<image_placeholder>\nCommand: ')).toBe(true);
      const { vx, vy, ax, ay } = fields;
      expect([vx, vy, ax, ay].every(isOnGrid)).toBe(true);
      expect(user).toContain(`Velocity: ${vx.toFixed(2)},${vy.toFixed(2)}.`);
      expect(parseNumberList(answer!, numbers, 16)).toMatchObject({ ok: true, values: waypoints });
    }
  });

  test('do not depend on what comes after the window', () => {
    const { recording, ego, t0 } = windows[0];
    const own = recording.tracks[ego];
    const upTo = t0 - own.start + 1;
    const cut = (values: Float64Array) => values.map((v, k) => (k < upTo ? v : v + 50));
    const track = { ...own, x: cut(own.x), y: cut(own.y), vx: cut(own.vx), vy: cut(own.vy) };
    const tracks = recording.tracks.with(ego, track);
    const other = planConversation({ ...windows[0], recording: { ...recording, tracks } });
    expect(other.user).toBe(planConversation(windows[0]).user);
    expect(other.answer).not.toBe(planConversation(windows[0]).answer);
  });

  test('of an ego that has just appeared have no acceleration', () => {
    const window = windows[0];
    const { recording, ego, t0 } = window;
    const own = recording.tracks[ego];
    const from = (values: Float64Array) => values.slice(t0 - own.start);
    const track = {
      ...{ ...own, start: t0, x: from(own.x), y: from(own.y), heading: from(own.heading) },
      ...{ vx: from(own.vx), vy: from(own.vy) },
    };
    const tracks = recording.tracks.with(ego, track);
    const { fields } = planConversation({ ...window, recording: { ...recording, tracks } });
    expect(fields).toMatchObject({ ax: 0, ay: 0 });
    const gone = { ...window, t0: own.start + own.x.length };
    expect(() => planConversation(gone)).toThrow(expect.objectContaining({ code: 'ERR_RANGE' }));
  });
});
