import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { parseScene } from '../lib/sim/parse-scene.js';
import { type ReadSceneOptions, readSceneFile } from '../lib/sim/read-scene.js';
import { sceneToJson } from '../lib/sim/scene-json.js';
import { sceneViolations } from './support/scene-invariants.js';
import { type SceneJson, smallScene } from './support/small-scene.js';
import { errorOf } from './support/tiny-scenario.js';

const folder = mkdtempSync(join(tmpdir(), 'wam-scene-read-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(content: string | Uint8Array, options?: ReadSceneOptions) {
  const path = join(folder, 'scene.json');
  writeFileSync(path, content);
  return readSceneFile(path, options);
}

/** The scene that a change of the small one is read as. */
function changed(change: (scene: SceneJson) => void) {
  const scene = smallScene();
  change(scene);
  return parseScene(scene).scene;
}

/** JSON has no negative zero. */
const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

const kGoldens = new URL('../../shared/pdms-golden/', import.meta.url).pathname;
const goldens = existsSync(kGoldens)
  ? readdirSync(kGoldens).filter((name) => /^(real-)?scene-|^reactive-/.test(name))
  : [];

// The reference scenes are not part of the package.
describe.skipIf(goldens.length === 0)('reference scenes (../shared/pdms-golden)', () => {
  it.each(goldens)('%s is read whole, and written back', async (name) => {
    const { scene, trajectories } = await readSceneFile(join(kGoldens, name));
    expect(sceneViolations(scene)).toEqual([]);
    const { input } = JSON.parse(readFileSync(join(kGoldens, name), 'utf8'));
    const { family, seed, ...expected } = input;
    for (const agent of expected.agents) {
      delete agent.height;
      for (const sample of agent.samples) Object.assign(sample, { vx: 0, vy: 0, ...sample });
    }
    const again = plain(sceneToJson(scene, trajectories));
    const absent = { human_trajectory: null, traffic_lights: [] };
    expect(again).toEqual(plain({ ...absent, ...expected, kind: 'scene' }));
    expect(plain(parseScene(again))).toEqual(plain({ scene, trajectories }));
  });
});

describe('what is accepted', () => {
  it('a scene, a file that holds it as input, gzip or plain', async () => {
    const expected = parseScene(smallScene());
    const text = JSON.stringify(smallScene());
    const file = JSON.stringify({ schema: 'pdms-golden/1', input: smallScene(), expected: {} });
    for (const content of [text, file, gzipSync(text), gzipSync(file), `\ufeff${text}`])
      expect(await read(content)).toEqual(expected);
    expect(parseScene(plain(sceneToJson(expected.scene, expected.trajectories)))).toEqual(expected);
  });

  it('absent optional parts are empty', () => {
    const scene = changed((s) => {
      for (const name of ['kind', 'ego_past', 'human_trajectory', 'traffic_lights', 'trajectories'])
        delete s[name];
      for (const name of ['intersections', 'carparks']) delete s.map[name];
      delete s.map.lanes[0].speed_limit_mps;
    });
    expect(scene).toMatchObject({ egoPast: [], humanTrajectory: null, trafficLights: [] });
    expect(scene.map).toMatchObject({ intersections: [], carparks: [] });
    expect(scene.map.lanes[0].speedLimit).toBeNull();
    expect(changed((s) => Object.assign(s, { human_trajectory: null })).humanTrajectory).toBeNull();
  });

  it('links out of the map are dropped', () => {
    const scene = changed((s) => {
      s.map.roadblocks[0].incoming = ['elsewhere'];
      s.map.lanes[0].outgoing.push('elsewhere', 'l1-0');
    });
    expect(scene.map.roadblocks[0].incoming).toEqual([]);
    expect(scene.map.lanes[0].outgoing).toEqual(['l1-0']);
  });

  it('closed rings and repeated vertices and points are cleaned', () => {
    const clean = changed(() => {});
    const scene = changed((s) => {
      const [roadblock, lane] = [s.map.roadblocks[0], s.map.lanes[0]];
      roadblock.polygon.push(roadblock.polygon[0]);
      lane.polygon.splice(1, 0, lane.polygon[0], lane.polygon[0]);
      lane.baseline.splice(3, 0, lane.baseline[3]);
    });
    expect(scene).toEqual(clean);
  });

  it('a self-crossing polygon is kept as it is', () => {
    const bowTie = [
      [0, 0],
      [4, 4],
      [4, 0],
      [0, 4],
    ];
    const scene = changed((s) => Object.assign(s.map.carparks[0], { polygon: bowTie }));
    expect(scene.map.carparks[0].polygon).toEqual(bowTie);
  });

  it('agents with gaps, with one sample, and with samples in any order', () => {
    const scene = changed((s) => {
      s.agents[0].samples = [7, 2, 0].map((k) => s.agents[0].samples[k]);
      s.agents[1].samples = [{ t: 0.5 + 1e-9, x: 1, y: 2, heading: 3, vx: 4, vy: 5 }];
    });
    expect(scene.agents[0].samples.map(({ t }) => t)).toEqual([0, 1, 3.5]);
    expect(scene.agents[1].samples).toEqual([{ t: 0.5, x: 1, y: 2, heading: 3, vx: 4, vy: 5 }]);
  });

  it('static objects need no velocity', () => {
    const scene = changed((s) => {
      s.agents[0].type = 'barrier';
      for (const sample of s.agents[0].samples) delete sample.vx;
    });
    expect(scene.agents[0].samples.every(({ vx, vy }) => vx === 0 && vy === 0)).toBe(true);
  });

  it('lights show on lane connectors of the map only, and red wins', () => {
    const scene = changed((s) => {
      s.traffic_lights = [
        { t: 0.5, green: ['l1-0', 'l1-1', 'l1-1'] },
        { t: 0, red: ['nowhere', 'l0-0', 'l1-0', 'l1-0'], green: ['l1-0', 'l1-1'] },
      ];
    });
    expect(scene.trafficLights).toEqual([
      { t: 0, red: ['l1-0'], green: ['l1-1'] },
      { t: 0.5, red: [], green: ['l1-0', 'l1-1'] },
    ]);
  });

  it('coordinates as far as 1e8 m', () => {
    const { scene } = parseScene(smallScene({ origin: [-9.9e7, 9.9e7] }));
    expect(sceneViolations(scene)).toEqual([]);
  });
});

describe('what is refused', () => {
  it.each([null, 1, 'x', [], () => {}])('something else than an object: %s', async (value) => {
    const error = await errorOf(Promise.resolve().then(() => parseScene(value)));
    expect(error).toMatchObject({
      code: 'ERR_SCENARIO',
      message: expect.stringMatching(/an object/),
    });
  });

  it('files that are none', async () => {
    const text = JSON.stringify(smallScene());
    const scenario = (content: string | Uint8Array, options?: ReadSceneOptions) =>
      errorOf(read(content, options)).then((e) => {
        expect(e.code).toBe('ERR_SCENARIO');
        return e.message;
      });
    expect(await scenario('')).toMatch(/scene\.json: .*expected a scene, received nothing/);
    expect(await scenario(text.slice(0, -1))).toMatch(/expected one JSON object/);
    expect(await scenario(Buffer.from([0x22, 0xff, 0x22]))).toMatch(/expected one JSON object/);
    expect(await scenario(gzipSync(text).subarray(0, 500))).toMatch(/damaged/);
    expect(await scenario(text, { maxBytes: 100 })).toMatch(/at most 100 bytes, received \d+/);
    const bomb = gzipSync(Buffer.alloc(1 << 20, 0x20));
    expect(await scenario(bomb, { maxBytes: 1 << 19 })).toMatch(/more once decompressed/);
    expect(await errorOf(readSceneFile(folder))).toMatchObject({ code: 'ERR_SCENARIO' });
    expect(await errorOf(readSceneFile(join(folder, 'none')))).toMatchObject({ code: 'ERR_IO' });
  });
});

describe('large scenes', () => {
  it('10,000 objects are read, and the event loop gets turns', async () => {
    const text = JSON.stringify(smallScene({ agents: 10_000 }));
    // Parsing is one piece; what follows is not.
    const before = performance.now();
    JSON.parse(text);
    const parse = performance.now() - before;
    let [last, longest] = [performance.now(), 0];
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    const { scene } = await read(text);
    clearInterval(timer);
    expect(scene.agents.length).toBe(10_000);
    expect(longest).toBeLessThan(4 * parse + 1000);
  });

  it('a million objects, and a wide map of one polygon, are refused at once', async () => {
    const scene = smallScene();
    scene.agents = Array(1_000_000).fill(scene.agents[0]);
    const before = performance.now();
    const error = await errorOf(Promise.resolve().then(() => parseScene(scene)));
    expect(error.message).toMatch(/agents: expected an array of 0 to 20000 items, .* 1000000/);
    scene.map.carparks[0].polygon = Array(1_000_000).fill([0, 0]);
    const other = await errorOf(Promise.resolve().then(() => parseScene(scene)));
    expect(other.message).toMatch(/carparks\[0\]\.polygon: expected an array of 3 to 10000 items/);
    expect(performance.now() - before).toBeLessThan(5000);
  });

  it('time grows with the size of a map, not with its square', () => {
    const seconds = (blocks: number) => {
      const scene = smallScene({ blocks });
      scene.route_roadblock_ids.splice(600);
      const before = performance.now();
      parseScene(scene);
      return performance.now() - before;
    };
    seconds(600);
    const [small, large] = [seconds(600), seconds(9600)];
    expect(large).toBeLessThan(16 * 6 * small + 500);
  });
});
