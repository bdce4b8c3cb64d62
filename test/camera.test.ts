import { inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { heightOf, kCameraIds, shapeOf, tintOf } from '../lib/camera/bodies.js';
import { type CameraFrames, CameraRenderer, renderCamera } from '../lib/camera/camera.js';
import { lightFurniture } from '../lib/camera/lights.js';
import type { CameraOptions } from '../lib/camera/options.js';
import { encodePng } from '../lib/vision/encode-image.js';
import { generateScenarios } from '../lib/generate/generate.js';
import { native } from '../lib/native.js';
import type { ScenarioWindow } from '../lib/scenario/types.js';
import { cameraRoad, kStep } from './support/camera-scene.js';

/** A pinhole camera in float64, written from its definition; nothing of the renderer's. */
function pinhole(options: {
  width: number;
  height: number;
  fovDeg: number;
  heightM: number;
  pitchDeg: number;
  x: number;
  y: number;
  heading: number;
}) {
  const focal = options.width / 2 / Math.tan((options.fovDeg * Math.PI) / 360);
  const pitch = (options.pitchDeg * Math.PI) / 180;
  const { heading } = options;
  // Rows: right, down, ahead, in the frame of the map.
  const ahead = [
    Math.cos(pitch) * Math.cos(heading),
    Math.cos(pitch) * Math.sin(heading),
    -Math.sin(pitch),
  ];
  const right = [Math.sin(heading), -Math.cos(heading), 0];
  const down = [
    ahead[1] * right[2] - ahead[2] * right[1],
    ahead[2] * right[0] - ahead[0] * right[2],
    ahead[0] * right[1] - ahead[1] * right[0],
  ];
  return (x: number, y: number, z: number) => {
    const d = [x - options.x, y - options.y, z - options.heightM];
    const along = (axis: number[]) => axis[0] * d[0] + axis[1] * d[1] + axis[2] * d[2];
    const depth = along(ahead);
    return {
      u: options.width / 2 + (focal * along(right)) / depth,
      v: options.height / 2 + (focal * along(down)) / depth,
      depth,
    };
  };
}

const kView = { width: 320, height: 240, fovDeg: 70, heightM: 1.5, pitchDeg: 4, forwardM: 0 };
const kAll = { ids: true, depth: true, objects: true } as const;

async function look(window: ScenarioWindow, options: CameraOptions = {}): Promise<CameraFrames> {
  return renderCamera(window, { ...kView, varied: false, ...options, ...kAll });
}

const project = pinhole({ ...kView, x: 0, y: 0, heading: 0 });

describe('where things are seen', () => {
  test.each([
    [12, 0],
    [25, -3],
    [25, 4],
    [60, 1],
    [6, 2.2],
  ])('a small box at (%d, %d) lies around its projection, at its depth', async (x, y) => {
    const size = 0.3;
    const box = { type: 'generic_object', x, y, length: size, width: size };
    const window = cameraRoad({ objects: [box] });
    const frames = await look(window);
    const height = heightOf('generic_object', tintOf(window.recording, 1, 1));
    const corners = [-1, 1].flatMap((i) =>
      [-1, 1].flatMap((k) =>
        [0, height].map((z) => project(x + (i * size) / 2, y + (k * size) / 2, z)),
      ),
    );
    const seen = frames.objects![0].find(({ id }) => id === 1)!;
    const at = (of: (c: { u: number; v: number }) => number, pick: (...n: number[]) => number) =>
      pick(...corners.map(of));
    // Pixels hold samples at a quarter and three quarters.
    expect(Math.abs(seen.left - at((c) => c.u, Math.min))).toBeLessThan(1.01);
    expect(Math.abs(seen.right - at((c) => c.u, Math.max))).toBeLessThan(1.01);
    expect(Math.abs(seen.top - at((c) => c.v, Math.min))).toBeLessThan(1.01);
    expect(Math.abs(seen.bottom - at((c) => c.v, Math.max))).toBeLessThan(1.01);
    expect(seen.depth).toBeGreaterThan(Math.min(...corners.map((c) => c.depth)) - 1e-3);
    expect(seen.depth).toBeLessThan(Math.max(...corners.map((c) => c.depth)));
  });

  test('a box covers exactly the samples that its projected silhouette holds', async () => {
    const box = { type: 'generic_object', x: 9, y: 0.8, heading: 0.4, length: 2.4, width: 1.3 };
    const window = cameraRoad({ objects: [box] });
    const frames = await look(window);
    const height = heightOf('generic_object', tintOf(window.recording, 1, 1));
    const [cos, sin] = [Math.cos(box.heading), Math.sin(box.heading)];
    const corners = [-1, 1].flatMap((i) =>
      [-1, 1].flatMap((k) =>
        [0, height].map((z) => {
          const [a, b] = [(i * box.length) / 2, (k * box.width) / 2];
          const { u, v } = project(box.x + a * cos - b * sin, box.y + a * sin + b * cos, z);
          return [u, v] as const;
        }),
      ),
    );
    const hull = convexHull(corners);
    let covered = 0;
    let wrong = 0;
    for (let row = 0; row < kView.height; ++row) {
      for (let column = 0; column < kView.width; ++column) {
        let inside = 0;
        for (const [du, dv] of [
          [0.25, 0.25],
          [0.75, 0.25],
          [0.25, 0.75],
          [0.75, 0.75],
        ]) {
          if (isInHull(hull, column + du, row + dv)) inside += 1;
        }
        covered += inside;
        const shown = frames.ids![row * kView.width + column] === 1;
        // Half of a pixel is enough: the nearer one wins.
        if (shown !== inside >= 2) wrong += 1;
      }
    }
    expect(wrong).toBe(0);
    expect(frames.objects![0].find(({ id }) => id === 1)!.visible).toBe(covered / 4);
  });

  test('the nearer of two hides the farther, whichever comes first', async () => {
    const near = { type: 'generic_object', x: 10, y: 0, width: 2, length: 1 };
    const far = { type: 'generic_object', x: 14, y: 0.4, width: 2, length: 1 };
    for (const objects of [
      [near, far],
      [far, near],
    ]) {
      const frames = await look(cameraRoad({ objects }));
      const nearId = objects.indexOf(near) + 1;
      const { u, v } = project(9.5, 0, 0.4);
      const at = Math.floor(v) * kView.width + Math.floor(u);
      expect(frames.ids![at]).toBe(nearId);
      expect(frames.depth![at]).toBeCloseTo(project(9.5, 0, 0.4).depth, 1);
      const [first, second] = frames.objects![0];
      expect(first.id).toBe(nearId);
      expect(first.visible).toBe(first.silhouette);
      expect(second.visible).toBeLessThan(second.silhouette);
    }
  });

  test('the ground has the depth of the ray to it, the sky none', async () => {
    const frames = await look(cameraRoad());
    for (const [x, y] of [
      [5, 1],
      [12, -3],
      [40, 6],
    ]) {
      const { u, v, depth } = project(x, y, 0);
      const at = Math.floor(v) * kView.width + Math.floor(u);
      expect(frames.ids![at]).toBe(kCameraIds.ground);
      // Within a pixel's worth of rows.
      const row = project(x, y, 0).v;
      const next = depth * (1 + 1 / Math.max(1, row - kView.height / 2 + 16));
      expect(frames.depth![at]).toBeGreaterThan(2 * depth - next - 0.05);
      expect(frames.depth![at]).toBeLessThan(next + 0.05);
    }
    expect(frames.ids![0]).toBe(kCameraIds.sky);
    expect(frames.depth![0]).toBe(Number.POSITIVE_INFINITY);
  });

  test('the mounting moves the camera', async () => {
    const box = { type: 'generic_object', x: 20, y: 3, length: 0.3, width: 0.3 };
    const window = cameraRoad({ objects: [box] });
    const mount = { forwardM: 1.5, leftM: 0.4, yawDeg: 9, heightM: 2.2, pitchDeg: -3 };
    const moved = pinhole({ ...kView, ...mount, x: 1.5, y: 0.4, heading: (9 * Math.PI) / 180 });
    const frames = await look(window, mount);
    const { u, v } = moved(20, 3, 0.3);
    const seen = frames.objects![0].find(({ id }) => id === 1)!;
    expect(Math.abs((seen.left + seen.right) / 2 - u)).toBeLessThan(1);
    expect(v).toBeGreaterThan(seen.top - 1);
    expect(v).toBeLessThan(seen.bottom + 1);
  });
});

describe('lights and lamps', () => {
  const lit = { red: [1, 0, 0], yellow: [1, 1, 0], green: [0, 1, 0] } as const;

  test.each(['red', 'yellow', 'green', 'unknown'] as const)('%s shines so', async (light) => {
    const window = cameraRoad({ light, line: 30 });
    const frames = await look(window, { width: 512, height: 512 });
    const heads = lightFurniture(window.recording).heads.map((_, k) => kCameraIds.firstHead - k);
    const counts = { red: 0, yellow: 0, green: 0 };
    frames.ids!.forEach((id, i) => {
      if (!heads.includes(id)) return;
      const [r, g, b] = frames.rgb.subarray(3 * i, 3 * i + 3);
      for (const [name, [wr, wg]] of Object.entries(lit) as [
        keyof typeof lit,
        readonly number[],
      ][]) {
        const is = (value: number, want: number) => (want ? value > 170 : value < 140);
        if (is(r, wr) && is(g, wg) && b < 230 && Math.max(r, g) > 200) counts[name] += 1;
      }
    });
    for (const name of ['red', 'yellow', 'green'] as const) {
      if (name === light) expect(counts[name], name).toBeGreaterThan(4);
      else expect(counts[name], name).toBe(0);
    }
  });

  test('a head hangs over the lane beyond the line, and one stands beside it', () => {
    const { heads, poles } = lightFurniture(cameraRoad({ light: 'red' }).recording);
    expect(heads.map(({ lane }) => lane)).toEqual([1, 1]);
    expect(heads[0].x).toBeCloseTo(40.2, 5);
    expect(heads[0].y).toBeLessThan(-1.75);
    expect(heads[1].x).toBeGreaterThan(55);
    expect(heads[1].y).toBeCloseTo(0, 5);
    expect(poles).toHaveLength(3);
  });

  test('brake lamps shine on who slows down', async () => {
    const red = async (acceleration: number) => {
      const frames = await look(cameraRoad({ objects: [{ x: 12, y: 0, speed: 8, acceleration }] }));
      let n = 0;
      frames.ids!.forEach((id, i) => {
        const [r, g, b] = frames.rgb.subarray(3 * i, 3 * i + 3);
        if (id === 1 && r > 220 && g < 90 && b < 90) n += 1;
      });
      return n;
    };
    expect(await red(-2)).toBeGreaterThan(20);
    expect(await red(0)).toBe(0);
    expect(await red(1)).toBe(0);
  });
});

describe('the same picture', () => {
  let windows: ScenarioWindow[];
  beforeAll(async () => {
    windows = [...(await generateScenarios({ windows: 10, seed: 12 })).windows];
  });

  test('on every number of threads, in every batch, twice', async () => {
    const options = { width: 96, height: 96, seed: 3 };
    const one = await renderCamera(windows, options);
    const again = await renderCamera(windows, { ...options, threads: 2 });
    const three = await renderCamera(windows.toReversed(), { ...options, threads: 3 });
    expect(again.rgb).toEqual(one.rgb);
    const size = 96 * 96 * 3;
    windows.forEach((_, i) => {
      const k = windows.length - 1 - i;
      expect(three.rgb.subarray(k * size, (k + 1) * size)).toEqual(
        one.rgb.subarray(i * size, (i + 1) * size),
      );
    });
  });

  test('of a seed, another of another one', async () => {
    const options = { width: 64, height: 64 };
    const a = await renderCamera(windows[0], { ...options, seed: 1 });
    const b = await renderCamera(windows[0], { ...options, seed: 2 });
    expect(a.rgb).not.toEqual(b.rgb);
  });

  test('mirrored of a mirrored scene', async () => {
    const objects = [
      { x: 15, y: 2.5, heading: 0.3 },
      { type: 'generic_object', x: 9, y: -1, heading: 0.2, length: 1, width: 1 },
      { x: 40, y: 0, speed: 9 },
    ];
    const mirrored = objects.map((o) => ({ ...o, y: -o.y, heading: -(o.heading ?? 0) }));
    const render = async (list: typeof objects) => {
      const window = cameraRoad({ objects: list });
      // A road that is its own mirror image; colours go by the id, which is the same.
      const [first] = window.recording.map.lanes;
      const lane = { ...first, leftNeighbor: null, markings: ['solid', 'solid'] as const };
      const map = { ...window.recording.map, lanes: [lane] };
      return look({ ...window, recording: { ...window.recording, map } });
    };
    const a = await render(objects);
    const b = await render(mirrored as typeof objects);
    let far = 0;
    let off = 0;
    for (let row = 0; row < a.height; ++row) {
      for (let column = 0; column < a.width; ++column) {
        const i = row * a.width + column;
        const k = row * a.width + a.width - 1 - column;
        for (let c = 0; c < 3; ++c) {
          const difference = Math.abs(a.rgb[3 * i + c] - b.rgb[3 * k + c]);
          if (difference > 1) far += 1;
          if (difference > 0) off += 1;
        }
      }
    }
    // Sums of coverage run from left to right: the last bit may differ, and with it a level where it rounds.
    expect(far).toBe(0);
    expect(off / (a.width * a.height * 3)).toBeLessThan(0.01);
  });
});

describe('a renderer', () => {
  test('gives nothing for nothing', async () => {
    const frames = await renderCamera([], { width: 16, height: 16, ...kAll });
    expect(frames).toMatchObject({ count: 0, objects: [] });
    expect(frames.rgb).toHaveLength(0);
  });

  test('leaves the event loop alone, stops when told, and can be closed', async () => {
    const camera = new CameraRenderer({ width: 256, height: 256 });
    const window = cameraRoad({ objects: [{ x: 12, y: 0 }] });
    await camera.render(window);
    const controller = new AbortController();
    const many = Array.from({ length: 400 }, () => window);
    const began = performance.now();
    const pending = camera.render(many, { signal: controller.signal });
    const returned = performance.now() - began;
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(pending).rejects.toThrow('enough');
    expect(returned).toBeLessThan(1000);
    await expect(camera.render(window, { signal: controller.signal })).rejects.toThrow('enough');
    const waiting = camera.render(many);
    const closing = camera.close();
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await closing;
    await expect(camera.render(window)).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(native().counters().jobs).toBe(0);
  });

  const window = cameraRoad();
  test.each<[string, CameraOptions | null, object]>([
    ['width', { width: 15 }, { code: 'ERR_RANGE' }],
    ['width', { width: 2049 }, { code: 'ERR_RANGE' }],
    ['height', { height: 100.5 }, { code: 'ERR_RANGE' }],
    ['fov', { fovDeg: 151 }, { code: 'ERR_RANGE' }],
    ['pitch', { pitchDeg: Number.NaN }, { code: 'ERR_RANGE' }],
    ['height over the road', { heightM: 0 }, { code: 'ERR_RANGE' }],
    ['seed', { seed: -1 }, { code: 'ERR_RANGE' }],
    ['threads', { threads: 0 }, { code: 'ERR_RANGE' }],
    ['varied', { varied: 1 as unknown as boolean }, { code: 'ERR_ARGUMENT' }],
    ['focal', { fovDeg: '64' as unknown as number }, { code: 'ERR_ARGUMENT' }],
    ['options', null, { code: 'ERR_ARGUMENT' }],
  ])('refuses a bad %s (%o)', (_, options, error) => {
    expect(() => new CameraRenderer(options as CameraOptions)).toThrow(
      expect.objectContaining(error),
    );
  });

  test.each<[string, unknown, string]>([
    ['no moment', [null], 'ERR_ARGUMENT'],
    ['an unknown ego', { ...window, ego: 7 }, 'ERR_RANGE'],
    ['a step that is not seen', { ...window, t0: 1000 }, 'ERR_RANGE'],
    ['half a step', { ...window, t0: kStep + 0.5 }, 'ERR_RANGE'],
    ['too many pictures', Array.from({ length: 3000 }, () => window), 'ERR_RANGE'],
    ['a lane that is a point', withLane({ left: [[0, 0]] }), 'ERR_SHAPE'],
    [
      'a lane at infinity',
      withLane({
        left: [
          [0, 0],
          [Number.POSITIVE_INFINITY, 0],
        ],
      }),
      'ERR_NOT_FINITE',
    ],
    ['a track at NaN', withTrack(Number.NaN), 'ERR_NOT_FINITE'],
  ])('refuses %s', async (_, moments, code) => {
    await expect(renderCamera(moments as ScenarioWindow)).rejects.toMatchObject({ code });
  });

  function withLane(change: object): ScenarioWindow {
    const of = cameraRoad();
    const lanes = of.recording.map.lanes.map((lane) => ({ ...lane, ...change }));
    return { ...of, recording: { ...of.recording, map: { ...of.recording.map, lanes } } };
  }

  function withTrack(x: number): ScenarioWindow {
    const of = cameraRoad({ objects: [{ x: 10, y: 0 }] });
    of.recording.tracks[1].heading.fill(x);
    return of;
  }
});

describe('shapes', () => {
  test.each([
    ['car', 4.5, 1.9, 'car'],
    ['car', 6.2, 2.1, 'van'],
    ['car', 12, 2.5, 'truck'],
    ['car', 2.1, 0.8, 'motorcycle'],
    ['bus', 12, 2.5, 'bus'],
    ['tram', 4, 2, 'car'],
    ['pedestrian', 0.6, 0.6, 'pedestrian'],
    ['barrier', 0.4, 2, 'barrier'],
  ] as const)('%s of %d x %d m looks like a %s', (type, length, width, shape) => {
    expect(shapeOf({ type, length, width })).toBe(shape);
  });
});

describe('PNG', () => {
  test('holds every byte of the picture', async () => {
    const [width, height] = [37, 23];
    const rgb = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i * 31 + i) % 256);
    const png = Buffer.from(await encodePng({ data: rgb, width, height }));
    expect([...png.subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10]);
    const chunks = new Map<string, Buffer>();
    for (let at = 8; at < png.length; ) {
      const length = png.readUInt32BE(at);
      const data = png.subarray(at + 4, at + 8 + length);
      expect(png.readUInt32BE(at + 8 + length)).toBe(crcByBits(data));
      chunks.set(data.toString('latin1', 0, 4), data.subarray(4));
      at += length + 12;
    }
    expect([...chunks.keys()]).toEqual(['IHDR', 'IDAT', 'IEND']);
    const header = chunks.get('IHDR')!;
    expect([header.readUInt32BE(0), header.readUInt32BE(4)]).toEqual([width, height]);
    expect([...header.subarray(8)]).toEqual([8, 2, 0, 0, 0]);
    expect(unfilter(inflateSync(chunks.get('IDAT')!), width, height)).toEqual(rgb);
  });

  test('refuses a picture of another size', async () => {
    await expect(
      encodePng({ data: new Uint8Array(10), width: 2, height: 2 }),
    ).rejects.toMatchObject({ code: 'ERR_SHAPE' });
    await expect(encodePng({ data: new Uint8Array(0), width: 0, height: 2 })).rejects.toMatchObject(
      { code: 'ERR_RANGE' },
    );
  });

  function unfilter(rows: Uint8Array, width: number, height: number): Uint8Array {
    const stride = width * 3;
    const out = new Uint8Array(stride * height);
    for (let y = 0; y < height; ++y) {
      const filter = rows[y * (stride + 1)];
      for (let i = 0; i < stride; ++i) {
        const left = i >= 3 ? out[y * stride + i - 3] : 0;
        const up = y > 0 ? out[(y - 1) * stride + i] : 0;
        out[y * stride + i] = rows[y * (stride + 1) + 1 + i] + [0, left, up][filter];
      }
    }
    return out;
  }

  function crcByBits(data: Uint8Array): number {
    let crc = 0xffffffff;
    for (const byte of data) {
      crc ^= byte;
      for (let k = 0; k < 8; ++k) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
    return (crc ^ 0xffffffff) >>> 0;
  }
});

afterAll(() => {
  expect(native().counters()).toMatchObject({ threads: 0, jobs: 0 });
});

type Corner = readonly [number, number];

/** Corners around a set of points, counter-clockwise with v down. */
function convexHull(points: readonly Corner[]): Corner[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const half = (list: readonly Corner[]) => {
    const hull: Corner[] = [];
    for (const p of list) {
      while (hull.length >= 2 && turn(hull[hull.length - 2], hull[hull.length - 1], p) <= 0) {
        hull.pop();
      }
      hull.push(p);
    }
    return hull.slice(0, -1);
  };
  return [...half(sorted), ...half(sorted.reverse())];
}

function turn(a: Corner, b: Corner, c: Corner): number {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

function isInHull(hull: readonly Corner[], u: number, v: number): boolean {
  return hull.every((a, i) => turn(a, hull[(i + 1) % hull.length], [u, v]) > 0);
}
