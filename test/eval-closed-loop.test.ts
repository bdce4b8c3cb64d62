import { beforeAll, describe, expect, it } from 'vitest';
import { baselines } from '../lib/eval/baselines.js';
import { evaluateClosedLoop } from '../lib/eval/closed-loop.js';
import {
  driveWindow,
  kStateSize,
  type Moment,
  type Policy,
  stepsOf,
} from '../lib/eval/closed-loop-drive.js';
import { DriveJudge } from '../lib/eval/closed-loop-judge.js';
import {
  constantVelocityPolicy,
  humanPolicy,
  pdmClosedPolicy,
  sceneOf,
} from '../lib/eval/closed-loop-policies.js';
import { explainHuman } from '../lib/eval/explain-human.js';
import type { EvaluatedPlanner } from '../lib/eval/planner-runs.js';
import { reactedTracks } from '../lib/eval/reacted-tracks.js';
import { rearAxlePoses } from '../lib/eval/rear-axle.js';
import { roadBeyond, windowScene } from '../lib/eval/window-scene.js';
import type { ScenarioData, ScenarioWindow } from '../lib/scenario/types.js';
import { withoutGhosts } from '../lib/sim/brief-objects.js';
import { simulateTrajectory } from '../lib/sim/drive.js';
import { sceneFromWindow } from '../lib/sim/from-window.js';
import { PdmScorer } from '../lib/sim/pdm-scorer.js';
import { type TinyRows, tinyScenario } from './support/tiny-scenario.js';

// The ego drives at 8 m/s along y = 0 from x = 25 on; the recording goes on for 5.4 s.
let data: ScenarioData;
let window: ScenarioWindow;
beforeAll(async () => {
  data = await tinyScenario();
  [window] = data.windows;
});

const replay = { replanSteps: 5, reactive: null, signal: undefined };

/** Straight on at `speed`, then to the right by `aside` metres a second. */
function plan(speed: number, aside = 0): Float64Array {
  const heading = Math.atan2(-aside, speed);
  return Float64Array.from({ length: 24 }, (_, i) => {
    const seconds = 0.5 * (Math.floor(i / 3) + 1);
    return [speed * seconds, -aside * seconds, heading][i % 3];
  });
}

async function judged(policy: Policy, of = window, traffic: 'replay' | 'reactive' = 'replay') {
  const judge = new DriveJudge(of, traffic, stepsOf(of, traffic === 'reactive'));
  try {
    const { reactive } = judge;
    const drive = await driveWindow(of, policy, { ...replay, reactive });
    return { ...judge.verdict(drive), drive, humanDistance: judge.humanDistance };
  } finally {
    judge.close();
  }
}

describe('driveWindow', () => {
  it('keeps a steady car steady', async () => {
    const { states, recording } = await driveWindow(window, constantVelocityPolicy, replay);
    expect(states.length).toBe(55 * kStateSize);
    const track = recording.tracks[0];
    expect(track.x.length).toBe(25 + 55);
    for (let k = 0; k <= 54; ++k) {
      expect(track.x[25 + k]).toBeCloseTo(25 + 0.8 * k, 1);
      expect(track.y[25 + k]).toBeCloseTo(0, 9);
      expect(track.vx[25 + k]).toBeCloseTo(8, 1);
      // The axle is behind the centre.
      expect(states[k * kStateSize]).toBeCloseTo(track.x[25 + k] - 1.461, 9);
    }
  });

  it.each([1, 2, 5])('plans every %i steps, from what it drove', async (replanSteps) => {
    const moments: Moment[] = [];
    const policy: Policy = (moment) => {
      moments.push(moment);
      return plan(8, 0.5);
    };
    const { states, firstPlan } = await driveWindow(window, policy, { ...replay, replanSteps });
    expect(firstPlan).toEqual(plan(8, 0.5));
    expect(moments).toHaveLength(Math.ceil(54 / replanSteps));
    for (const [index, moment] of moments.entries()) {
      const done = index * replanSteps;
      expect(moment.index).toBe(index);
      expect(moment.window.t0).toBe(25 + done);
      expect(moment.state).toEqual(states.slice(done * kStateSize, (done + 1) * kStateSize));
      const { history } = moment.observation.ego;
      expect(history).toHaveLength(21);
      // Recorded before the present of the window, driven after it.
      const track = window.recording.tracks[0];
      for (const [i, { x, y, heading }] of history.entries()) {
        const k = done - 20 + i;
        if (k <= 0) {
          expect([x, y, heading]).toEqual([track.x[25 + k], track.y[25 + k], 0]);
          continue;
        }
        const [ax, ay, angle] = states.subarray(k * kStateSize);
        expect(x).toBeCloseTo(ax + 1.461 * Math.cos(angle), 9);
        expect(y).toBeCloseTo(ay + 1.461 * Math.sin(angle), 9);
        expect(heading).toBe(angle);
      }
      // Nothing of the ego's recorded future is left.
      expect(moment.window.recording.tracks[0].x.length).toBe(26 + done);
    }
    // Steering is carried over: NAVSIM begins with none, later plans begin with what there is.
    expect(moments[0].state[7]).toBe(0);
    expect(moments[1].state[7]).not.toBe(0);
  });

  it('follows each plan as the simulator does', async () => {
    const { states } = await driveWindow(window, () => plan(6, 0.3), replay);
    for (const done of [0, 5, 50]) {
      const state = states.slice(done * kStateSize, (done + 1) * kStateSize);
      const timeUs = (25 + done) * 100_000;
      const { rollout } = simulateTrajectory(state, timeUs, rearAxlePoses(plan(6, 0.3)));
      const steps = Math.min(5, 54 - done);
      expect(states.subarray(done * kStateSize, (done + steps + 1) * kStateSize)).toEqual(
        rollout.subarray(0, (steps + 1) * kStateSize),
      );
    }
  });

  it('refuses recordings of other steps', async () => {
    const slow = { ...window, recording: { ...window.recording, dt: 0.25 } };
    await expect(driveWindow(slow, constantVelocityPolicy, replay)).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_SCENARIO' }),
    );
  });
});

describe('policies', () => {
  it('the recorded driver comes back to its path', async () => {
    const { closed, open } = await judged(humanPolicy(window));
    expect(open.ade).toBeCloseTo(0, 9);
    expect(closed.ade).toBeLessThan(0.1);
    expect(closed.finalDistance).toBeLessThan(0.2);
  });

  it('PDM-Closed sees the present of the others and none of their future', async () => {
    let seen = 0;
    await driveWindow(
      window,
      (moment) => {
        const { agents, egoPast, humanTrajectory, ego } = sceneOf(moment);
        expect([egoPast, humanTrajectory]).toEqual([[], null]);
        expect([ego.x, ego.y, ego.vx]).toEqual([moment.state[0], moment.state[1], moment.state[3]]);
        for (const { token, samples } of agents) {
          const track = window.recording.tracks[Number(token.slice(3))];
          expect(samples).toHaveLength(1);
          expect(samples[0].x).toBe(track.x[moment.window.t0 - track.start]);
          ++seen;
        }
        return pdmClosedPolicy(moment);
      },
      replay,
    );
    // Two vehicles at 0, 0.5 .. 3 s (the second leaves at step 60), then one at 3.5 .. 5 s.
    expect(seen).toBe(2 * 7 + 4);
  });

  it('constant velocity is the floor of that name at the beginning', async () => {
    const { firstPlan } = await driveWindow(window, constantVelocityPolicy, replay);
    const floor = baselines.find(({ name }) => name === 'constant velocity')!;
    expect(firstPlan).toEqual(floor.plan(window));
  });
});

describe('DriveJudge', () => {
  it('passes a car that does what was recorded', async () => {
    const { closed, open, discomforts, humanDistance } = await judged(constantVelocityPolicy);
    expect(humanDistance).toBeCloseTo(8 * 5.4, 6);
    expect(closed.distance).toBeCloseTo(8 * 5.4, 0);
    expect(closed).toMatchObject({
      collisionAtFault: 0,
      collision: 0,
      offRoad: 0,
      discomfort: 0,
      noAtFaultCollisions: 1,
      drivableAreaCompliance: 1,
    });
    expect(discomforts).toEqual([]);
    expect(closed.pdms).toBeCloseTo(open.pdms, 2);
  });

  it('sees a car that drives into the one ahead', async () => {
    const { closed } = await judged(() => plan(25));
    expect(closed).toMatchObject({ collisionAtFault: 1, collision: 1, pdms: 0, epdms: 0 });
    expect(closed.discomfort).toBe(1);
  });

  it('sees what happens after 4 s', async () => {
    const policy: Policy = ({ index }) => (index < 7 ? plan(8) : plan(8, 4));
    const { closed, open } = await judged(policy);
    expect(closed).toMatchObject({ offRoad: 1, drivableAreaCompliance: 1 });
    expect(open.drivableAreaCompliance).toBe(1);
  });

  it('tells closed from open loop: plans that never turn back', async () => {
    // Each plan is harmless for half a second; one after the other they leave the road.
    const drift: Policy = () => {
      const poses = plan(8);
      poses.set([4, -0.35, -0.1], 0);
      for (let i = 1; i < 8; ++i) poses.set([4 + 4 * i, -0.35, 0], 3 * i);
      return poses;
    };
    const { closed, open } = await judged(drift);
    expect(open.drivableAreaCompliance).toBe(1);
    expect(closed.drivableAreaCompliance).toBe(0);
  });
});

describe('reactive traffic', () => {
  it('has moved as the scorer moves it, whatever the ego does later', async () => {
    const scene = windowScene(window);
    const scorer = new PdmScorer(scene, { traffic: 'reactive' });
    const policy: Policy = () => plan(3);
    const { states, recording } = await driveWindow(window, policy, {
      ...replay,
      reactive: scorer,
    });
    expect(states.length).toBe(41 * kStateSize);
    const whole = scorer.reactiveTracks(states);
    expect(whole.length).toBeGreaterThan(0);
    for (const { token, states: of } of whole) {
      const id = Number(token.slice(3));
      for (const done of [5, 20, 40]) {
        const track = reactedTracks(window, scorer, states, done)[id];
        const last = track.x.length - 1;
        expect(track.start + last).toBe(25 + done);
        expect([track.x[last], track.y[last]]).toEqual([of[5 * done], of[5 * done + 1]]);
      }
      expect(recording.tracks[id].x.slice(-1)[0]).toBe(of[5 * 40]);
    }
  });

  it('is not seen after its last state', () => {
    const scorer = new PdmScorer(windowScene(window), { traffic: 'reactive' });
    const states = new Float64Array(41 * kStateSize);
    const [{ token, states: of }] = scorer.reactiveTracks(states);
    const brief = {
      scene: scorer.scene,
      reactiveTracks: () => [{ token, states: of.slice(0, 5 * 11) }],
    } as unknown as PdmScorer;
    const track = reactedTracks(window, brief, states, 30)[Number(token.slice(3))];
    expect(track.start + track.x.length - 1).toBe(25 + 10);
    expect(track.x.every(Number.isFinite)).toBe(true);
    expect(track.x.at(-1)).toBe(of[5 * 10]);
  });

  it('stops at the end of its lane, by the rules of NAVSIM, and has no version 1', async () => {
    // The recorded vehicle ahead drives on at x = 50; the one that reacts does not.
    const { closed } = await judged(constantVelocityPolicy, window, 'reactive');
    expect(closed).toMatchObject({ collisionAtFault: 1, collision: 1, epdms: 0, offRoad: 0 });
    expect(closed.pdms).toBeNaN();
    const replayed = await judged(constantVelocityPolicy);
    expect(replayed.closed).toMatchObject({ collisionAtFault: 0, collision: 0 });
  });
});

describe('evaluateClosedLoop', () => {
  const straight: EvaluatedPlanner = {
    plan: async () => ({ trajectory: plan(25), samples: [plan(25)] }),
  };
  const run = { samples: 1, reduce: 'medoid', temperature: 1, coupling: 'independent' } as const;
  const settings = [{ steps: 1, decode: 'median', rule: 'renoise' }] as const;

  it('has a row for the recorded driver, PDM-Closed, constant velocity and the planner', async () => {
    const planner = { planner: straight, name: 'fast', settings, run };
    const evaluation = await evaluateClosedLoop(planner, data, { resamples: 20 });
    expect(evaluation).toMatchObject({
      n: 1,
      egos: 1,
      replanS: 0.5,
      traffic: 'replay',
      failed: [],
    });
    expect(evaluation.meanSeconds).toBeCloseTo(5.4, 9);
    const { rows } = evaluation;
    expect(rows.map((row) => row.planner)).toEqual([
      'recorded driver',
      'PDM-Closed',
      'constant velocity',
      'fast',
    ]);
    expect(rows[3]).toMatchObject({ steps: 1, decode: 'median', collisionAtFault: 1, pdms: 0 });
    expect(rows[3].progress).toBeGreaterThan(1.5);
    expect(rows[2].progress).toBeCloseTo(1, 1);
    const [{ ade, open, closedMinusOpen }] = rows;
    expect(closedMinusOpen.ade!.mean).toBeCloseTo(ade! - open.ade!, 9);
  });

  it.each([{ replanS: 0.05 }, { replanS: 0.25 }, { replanS: 0.6 }, { limit: 0 }])(
    'refuses %j',
    async (options) => {
      await expect(evaluateClosedLoop(null, data, options)).rejects.toThrow(
        expect.objectContaining({ code: 'ERR_ARGUMENT' }),
      );
    },
  );

  it('stops when it is aborted', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(evaluateClosedLoop(null, data, { signal })).rejects.toThrow('enough');
  });
});

describe('objects that are seen once', () => {
  it('are there for half a second instead of all the time', () => {
    const scene = sceneFromWindow(window);
    const sample = { t: 0, x: 10, y: 4, heading: 0, vx: 8, vy: -2 };
    const agent = { ...scene.agents[0], samples: [sample] };
    const late = {
      ...agent,
      samples: [
        { ...sample, t: 4 },
        { ...sample, t: 4.5, x: 14, y: 3 },
      ],
    };
    const whole = scene.agents[0];
    const [first, second, third] = withoutGhosts({ ...scene, agents: [agent, late, whole] }).agents;
    expect(first.samples).toEqual([sample, { ...sample, t: 0.5, x: 14, y: 3 }]);
    expect(second.samples.map(({ t, x, y }) => [t, x, y])).toEqual([
      [3.5, 6, 5],
      [4, 10, 4],
      [4.5, 14, 3],
    ]);
    expect(third).toBe(whole);
  });
});

describe('the road beyond the map', () => {
  it('goes on where lanes end at its border, and nowhere else', () => {
    const { map } = window.recording;
    const [first, second, beside] = roadBeyond(map).lanes;
    // Lane 1 goes on in lane 2. Lane 3 ends beside it: it merges.
    expect(first).toBe(map.lanes[0]);
    expect(beside).toBe(map.lanes[2]);
    expect(second.center.at(-1)).toEqual([260, 0]);
    expect(second.left.at(-1)).toEqual([260, 1.75]);
    expect(second.right.at(-1)).toEqual([260, -1.75]);
    expect(second.center).toHaveLength(map.lanes[1].center.length + 80);
    expect(roadBeyond(map)).toBe(roadBeyond(map));
  });

  it('is road to drives: nobody is off it for leaving the map', async () => {
    // The map ends at 100 m; in 5.4 s at 20 m/s the ego comes to 130 m. The car ahead is not there.
    const { tracks } = window.recording;
    const gone = { ...window, recording: { ...window.recording, tracks: [tracks[0]] } };
    const { closed } = await judged(() => plan(25), gone);
    expect(closed.distance).toBeGreaterThan(90);
    expect(closed).toMatchObject({ offRoad: 0, drivableAreaCompliance: 1, collision: 0 });
  });
});

describe('explainHuman', () => {
  /** The vehicle ahead parked at (60, y) instead. */
  const parked = (y: number) =>
    tinyScenario(({ recording }: TinyRows) => {
      const [ego, ahead] = recording.tracks;
      Object.assign(ahead, { start: 0, n: 80, x: ego.x.map(() => 60), y: ego.x.map(() => y) });
      Object.assign(ahead, { heading: ego.heading, vx: ego.x.map(() => 0), vy: ego.vy });
    });
  const collisions = async (y: number) => {
    const { failures, counts, n } = await explainHuman(await parked(y));
    expect(n).toBe(1);
    expect(counts.reduce((sum, { windows }) => sum + windows, 0)).toBe(failures.length);
    return failures
      .filter(({ metric }) => metric === 'noAtFaultCollisions')
      .map(({ version, cause, detail }) => [version, cause, detail]);
  };

  it('blames the recording when recorded boxes meet', async () => {
    expect(await collisions(0)).toEqual([
      ['v1', 'recording', 'stopped-track'],
      ['v2', 'recording', 'stopped-track'],
    ]);
  });

  it('blames the size of the ego when only its box is too wide', async () => {
    // Half widths: 0.95 m recorded, 1.1485 m of the ego, 0.95 m of the parked car.
    expect(await collisions(2)).toEqual([
      ['v1', 'vehicle size', 'stopped-track'],
      ['v2', 'vehicle size', 'stopped-track'],
    ]);
  });

  it('says nothing of those who pass', async () => {
    expect(await collisions(2.2)).toEqual([]);
  });
});
