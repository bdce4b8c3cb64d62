import { describe, expect, it } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { type SceneFromWindowOptions, sceneFromWindow } from '../lib/sim/from-window.js';
import { parseScene } from '../lib/sim/parse-scene.js';
import type { PdmScene } from '../lib/sim/scene.js';
import { sceneToJson } from '../lib/sim/scene-json.js';
import { sceneViolations } from './support/scene-invariants.js';
import { type TinyRows, tinyScenario } from './support/tiny-scenario.js';

const kAxle = 1.461;

async function sceneOf(
  change: (rows: TinyRows) => void = () => {},
  options?: SceneFromWindowOptions,
): Promise<PdmScene> {
  const { windows } = await tinyScenario(change);
  const scene = sceneFromWindow(windows[0], options);
  expect(sceneViolations(scene)).toEqual([]);
  const { scene: again } = parseScene(JSON.parse(JSON.stringify(sceneToJson(scene))));
  expect(again).toEqual(JSON.parse(JSON.stringify(scene)));
  return scene;
}

describe('ego', () => {
  it('is the rear axle of a box centred on the recorded one', async () => {
    const { ego, egoPast, humanTrajectory } = await sceneOf();
    // Track 0 drives along +x at 8 m/s from x = 5 at step 0; the present is step 25.
    expect(ego).toMatchObject({ timeUs: 2_500_000, y: 0, heading: 0, vx: 8, vy: 0, ax: 0, ay: 0 });
    expect(ego.x).toBeCloseTo(25 - kAxle, 9);
    expect(egoPast.map(({ timeUs }) => timeUs)).toEqual([
      1_000_000, 1_500_000, 2_000_000, 2_500_000,
    ]);
    expect(egoPast.map(({ x }) => x + kAxle)).toEqual(
      [13, 17, 21, 25].map((x) => expect.closeTo(x, 9)),
    );
    expect(humanTrajectory!.map(([x]) => x)).toEqual(
      [4, 8, 12, 16, 20, 24, 28, 32].map((x) => expect.closeTo(x, 9)),
    );
  });

  it('turns about its rear axle, in its own frame', async () => {
    const radius = 20;
    const rate = 0.3; // rad/s
    const { ego, humanTrajectory } = await sceneOf(({ recording }) => {
      const [track] = recording.tracks;
      for (let k = 0; k < track.n; ++k) {
        // The rear axle drives a circle around (3, 30), the box is 1.461 m ahead of it.
        const heading = -1 + rate * 0.1 * k;
        const [cos, sin] = [Math.cos(heading), Math.sin(heading)];
        track.heading[k] = heading;
        track.x[k] = 3 + radius * sin + kAxle * cos;
        track.y[k] = 30 - radius * cos + kAxle * sin;
        track.vx[k] = rate * (radius * cos - kAxle * sin);
        track.vy[k] = rate * (radius * sin + kAxle * cos);
      }
    });
    const heading = -1 + rate * 2.5;
    expect(ego.x).toBeCloseTo(3 + radius * Math.sin(heading), 9);
    expect(ego.y).toBeCloseTo(30 - radius * Math.cos(heading), 9);
    // The velocity is that of the recorded box.
    expect([ego.vx, ego.vy]).toEqual([
      expect.closeTo(rate * radius, 9),
      expect.closeTo(rate * kAxle, 9),
    ]);
    // Mean over 1 s of the centripetal acceleration; the velocity turns by 0.3 rad meanwhile.
    const chord = 2 * Math.sin(rate / 2) * rate;
    expect([ego.ax, ego.ay]).toEqual([
      expect.closeTo(-chord * kAxle, 9),
      expect.closeTo(chord * radius, 9),
    ]);
    for (const [i, [x, y, turned]] of humanTrajectory!.entries()) {
      const angle = rate * 0.5 * (i + 1);
      expect(turned).toBeCloseTo(angle, 9);
      expect(x).toBeCloseTo(radius * Math.sin(angle), 9);
      expect(y).toBeCloseTo(radius * (1 - Math.cos(angle)), 9);
    }
  });

  it('has no past that is not recorded', async () => {
    const at = (t0: number) =>
      sceneOf(({ window }) => Object.assign(window, { t0, history: t0, future: 79 - t0 }));
    expect((await at(14)).egoPast).toEqual([]);
    expect((await at(15)).egoPast.length).toBe(4);
    // At the first step the velocity is known on one side only.
    expect((await at(0)).ego).toMatchObject({ ax: 0, ay: 0 });
  });
});

describe('future', () => {
  const until =
    (steps: number, lights: 'lights' | 'none' = 'none') =>
    (rows: TinyRows) => {
      const { recording, window } = rows;
      recording.steps = steps;
      for (const track of recording.tracks) {
        track.n = Math.min(track.n, steps - track.start);
        for (const name of ['x', 'y', 'heading', 'vx', 'vy']) track[name].length = track.n;
      }
      recording.signals = lights === 'none' ? [] : [{ lanes: [1], states: [[0, steps, 'red']] }];
      window.future = steps - 1 - window.t0;
    };

  it('of 5 s or more is taken as recorded', async () => {
    const { agents } = await sceneOf();
    expect(agents.map(({ token, samples }) => [token, samples.length])).toEqual([
      ['veh001', 11],
      // Track 2 leaves the view at step 59, 3.4 s after the present.
      ['veh002', 7],
    ]);
    expect(agents[0].samples[10]).toEqual({ t: 5, x: 76, y: 0.2, heading: 0, vx: 6, vy: 0 });
  });

  it('of 4 s goes on to 5 s at the last velocity; what has left stays away', async () => {
    const { agents, trafficLights, humanTrajectory } = await sceneOf(until(66, 'lights'));
    expect(agents.map(({ token, samples }) => [token, samples.length])).toEqual([
      ['veh001', 11],
      ['veh002', 7],
    ]);
    expect(agents[0].samples[8]).toMatchObject({ t: 4, x: 70 });
    expect(agents[0].samples[10]).toEqual({
      t: 5,
      x: expect.closeTo(76, 9),
      y: 0.2,
      heading: 0,
      vx: 6,
      vy: 0,
    });
    expect(humanTrajectory!.length).toBe(8);
    // Lane 2 follows the stop line of the lane with the light; the light stays as it is, too.
    expect(trafficLights.length).toBe(11);
    expect(trafficLights[10]).toEqual({ t: 5, red: ['l2'], green: [] });
  });

  it('of less than 4 s is refused', async () => {
    const { windows } = await tinyScenario(until(65));
    expect(() => sceneFromWindow(windows[0])).toThrow(
      expect.objectContaining({
        code: 'ERR_RANGE',
        message: expect.stringMatching(/expected a recording of 4 s after t0, received .*3\.9 s/),
      }),
    );
    expect(() => sceneFromWindow(windows[0])).toThrow(WamFlowError);
  });

  it('of the ego alone may be shorter: then nobody knows what the driver did', async () => {
    const scene = await sceneOf(({ recording, window }) => {
      const [track] = recording.tracks;
      track.n = 60;
      for (const name of ['x', 'y', 'heading', 'vx', 'vy']) track[name].length = 60;
      window.future = 34;
    });
    expect(scene.humanTrajectory).toBeNull();
    expect(scene.agents.length).toBe(2);
  });
});

describe('objects', () => {
  it('are of the kind of their track', async () => {
    const types = [
      'pedestrian',
      'bicycle',
      'traffic_cone',
      'barrier',
      'czone_sign',
      'generic_object',
    ];
    for (const type of [...types, 'truck', 'motorcycle', 'constructor', '']) {
      const { agents } = await sceneOf(({ recording }) => {
        recording.tracks[1].type = type;
      });
      expect(agents[0].type).toBe(types.includes(type) ? type : 'vehicle');
    }
  });

  it('count when they come near the rear axle of the ego', async () => {
    const apart = (distance: number) =>
      sceneOf(({ recording }) => {
        const [ego, other] = recording.tracks;
        // Beside the ego at its speed from step 15 on.
        for (let k = 0; k < other.n; ++k) {
          other.x[k] = ego.x[k + 15] - kAxle;
          other.y[k] = distance;
        }
      });
    const tokens = ({ agents }: PdmScene) => agents.map(({ token }) => token);
    expect(tokens(await apart(69.99))).toEqual(['veh001', 'veh002']);
    expect(tokens(await apart(70.01))).toEqual(['veh002']);
    expect(tokens(await sceneOf(undefined, { agentRadius: 6 }))).toEqual(['veh002']);
    expect(tokens(await sceneOf(undefined, { agentRadius: 5 }))).toEqual([]);
  });
});

describe('extremes', () => {
  it('the fastest tracks of a scenario file give a scene that is read back', async () => {
    const { ego } = await sceneOf(({ recording, window }) => {
      const [track] = recording.tracks;
      track.vx.fill(200);
      track.vy.fill(200);
      track.heading.fill(Math.PI / 4);
      // Half a second before and after, the other way.
      for (const k of [24, 25, 26]) [track.vx[k], track.vy[k]] = [-200, -200];
      Object.assign(window, { t0: 25 });
    });
    expect(ego.vx).toBeCloseTo(-200 * Math.SQRT2, 9);
  });

  it('more objects than a scene may have, an ego that is not there', async () => {
    const { windows } = await tinyScenario(({ recording }) => {
      const [, , last] = recording.tracks;
      const short = { ...last, start: 25, n: 1 };
      for (const name of ['x', 'y', 'heading', 'vx', 'vy']) short[name] = [last[name][25]];
      for (let id = 3; id < 20_010; ++id) recording.tracks.push({ ...short, id });
    });
    const refused = (window: (typeof windows)[number], message: RegExp) =>
      expect(() => sceneFromWindow(window)).toThrow(
        expect.objectContaining({ code: 'ERR_RANGE', message: expect.stringMatching(message) }),
      );
    refused(windows[0], /at most 20000 objects within 70 m of the ego, received 2000\d/);
    refused({ ...windows[0], ego: -1 }, /an ego that is seen at t0/);
    refused({ ...windows[0], ego: 3, t0: 24 }, /received "track 3, step 24"/);
  });
});

describe('lights', () => {
  const colors = async (...states: string[]) => {
    const { trafficLights } = await sceneOf(({ recording }) => {
      recording.signals = states.map((color) => ({ lanes: [1], states: [[0, 80, color]] }));
    });
    return trafficLights.map(({ red, green }) => [
      ...red.map(() => 'red'),
      ...green.map(() => 'green'),
    ])[3];
  };

  it('red, where all that work are red; green, where one is; else neither', async () => {
    expect(await colors('red')).toEqual(['red']);
    expect(await colors('green')).toEqual(['green']);
    expect(await colors('red_yellow')).toEqual(['red']);
    expect(await colors('yellow')).toEqual([]);
    expect(await colors('unknown')).toEqual([]);
    expect(await colors('inactive')).toEqual([]);
    expect(await colors('red', 'green')).toEqual(['green']);
    expect(await colors('red', 'yellow')).toEqual([]);
    expect(await colors('red', 'inactive')).toEqual(['red']);
  });

  it('show on connectors only, and not at all where there are none', async () => {
    const noStopLine = await sceneOf(({ map }) => {
      map.lanes[0].stop_line = null;
    });
    expect(noStopLine.trafficLights.length).toBe(11);
    expect(
      noStopLine.trafficLights.every(({ red, green }) => red.length + green.length === 0),
    ).toBe(true);
    const none = await sceneOf(({ recording }) => {
      recording.signals = [];
    });
    expect(none.trafficLights).toEqual([]);
  });
});

describe('route', () => {
  it('begins at the present lane and goes straight on', async () => {
    // Lane 3 is the neighbour of lane 1: one roadblock.
    expect((await sceneOf()).routeRoadblockIds).toEqual(['rb1', 'rb2']);
    const given = (route: number[]) =>
      sceneOf(({ window }) => Object.assign(window, { route_lanes: route }));
    expect((await given([1])).routeRoadblockIds).toEqual(['rb1', 'rb2']);
    expect((await given([3, 1])).routeRoadblockIds).toEqual(['rb1', 'rb2']);
    // Without a route: from the lane that the ego is on.
    expect((await given([])).routeRoadblockIds).toEqual(['rb1', 'rb2']);
    // From another lane of the roadblock, which leads nowhere itself.
    expect((await given([3])).routeRoadblockIds).toEqual(['rb1', 'rb2']);
  });

  it('leaves out what is behind', async () => {
    const later = await sceneOf(({ window }) => {
      Object.assign(window, { t0: 35, history: 20, future: 44, route_lanes: [1, 2] });
    });
    expect(later.routeRoadblockIds).toEqual(['rb1', 'rb2']);
    const { routeRoadblockIds } = await sceneOf(({ recording, window }) => {
      // 45 m further on: the ego is on lane 2 at the present.
      for (let k = 0; k < 80; ++k) recording.tracks[0].x[k] += 45;
      Object.assign(window, { route_lanes: [1, 2] });
    });
    expect(routeRoadblockIds).toEqual(['rb2']);
  });

  it('ends on a road that leads back to itself', async () => {
    const { routeRoadblockIds } = await sceneOf(({ map }) => {
      map.lanes[1].successors = [1];
      map.lanes[0].predecessors = [2];
    });
    expect(routeRoadblockIds).toEqual(['rb1', 'rb2']);
  });
});

describe('map', () => {
  it('is shared by the scenes of a recording', async () => {
    const { windows } = await tinyScenario();
    const [a, b] = [1, 2].map((t0) => sceneFromWindow({ ...windows[0], t0: 25 + t0 }));
    expect(a.map).toBe(b.map);
    expect(a.map.lanes[0].baseline).toBe(b.map.lanes[0].baseline);
  });

  it('is cut off at a radius on request, but for the route', async () => {
    const far = (rows: TinyRows) => {
      const lane = structuredClone(rows.map.lanes[2]);
      for (const name of ['center', 'left', 'right']) {
        for (const point of lane[name]) point[1] += 100;
      }
      rows.map.lanes.push({ ...lane, id: 4, right_neighbor: null, right_same_direction: false });
      rows.map.lanes[0].successors.push(4);
    };
    const ids = ({ map }: PdmScene) => map.lanes.map(({ id }) => id);
    expect(ids(await sceneOf(far))).toEqual(['l1', 'l2', 'l3', 'l4']);
    const cut = await sceneOf(far, { mapRadius: 80 });
    expect(ids(cut)).toEqual(['l1', 'l2', 'l3']);
    expect(cut.map.roadblocks[0].outgoing).toEqual(['rb2']);
    expect(ids(await sceneOf(far, { mapRadius: 1 }))).toEqual(['l1', 'l2', 'l3']);
  });

  it.each([{ agentRadius: -1 }, { agentRadius: Number.NaN }, { mapRadius: '80' }])(
    'wrong options are refused: %o',
    async (options) => {
      const { windows } = await tinyScenario();
      expect(() => sceneFromWindow(windows[0], options as SceneFromWindowOptions)).toThrow(
        expect.objectContaining({ code: 'ERR_ARGUMENT' }),
      );
    },
  );
});
