import { beforeAll, describe, expect, test } from 'vitest';
import { renderCamera } from '../lib/camera/camera.js';
import type { CameraOptions } from '../lib/camera/options.js';
import { kPatchLabels, patchLabelsOf } from '../lib/camera/patch-labels.js';
import { cameraRoad, type Placed, type RoadOptions } from './support/camera-scene.js';

const kSize = 192;
const kSide = 8;

/** Labels of a scene, [row][column]. */
async function labels(road: RoadOptions, side = kSide, camera: CameraOptions = {}) {
  const window = cameraRoad(road);
  const options = { ...camera, width: kSize, height: kSize };
  const frames = await renderCamera(window, { ...options, ids: true, depth: true });
  const text = patchLabelsOf(window, frames, 0, side, options);
  return Array.from({ length: side }, (_, y) => text.slice(y * side, (y + 1) * side));
}

/** Where a point is in the picture, in patches: a pinhole at 1.6 m that looks 5 degrees down. */
function place(x: number, y: number, z = 0, side = kSide): [number, number] {
  const pitch = (5 * Math.PI) / 180;
  const focal = kSize / 2 / Math.tan((32 * Math.PI) / 180);
  const [ahead, up] = [x - 0.4, z - 1.6];
  const depth = ahead * Math.cos(pitch) - up * Math.sin(pitch);
  const down = -ahead * Math.sin(pitch) - up * Math.cos(pitch);
  const scale = focal / depth / (kSize / side);
  return [Math.floor(side / 2 + down * scale), Math.floor(side / 2 - y * scale)];
}

describe('labels of patches', () => {
  let empty: string[];
  beforeAll(async () => {
    empty = await labels({}, 24);
  });
  const groundAt = (x: number, y: number) => {
    const [row, column] = place(x, y, 0, 24);
    return empty[row]![column];
  };

  test('one for each patch, of those that are explained', async () => {
    const rows = await labels({ objects: [{ x: 20, y: 0 }] });
    expect(rows.map(({ length }) => length)).toEqual(Array(kSide).fill(kSide));
    for (const label of rows.join('')) expect(kPatchLabels[label]).toBeTypeOf('string');
  });

  test('of the ground: the way ahead, other lanes, what is beside the road, the sky', () => {
    for (const x of [6, 8, 10, 14, 20]) {
      expect([x, groundAt(x, 0)]).toEqual([x, 'D']);
      expect([x, groundAt(x, 3.5)]).toEqual([x, 'C']); // beside: the lane to the left
    }
    for (const x of [12, 16, 20]) expect([x, groundAt(x, -4.5)]).toEqual([x, 'B']);
    for (const x of [16, 20, 24]) expect([x, groundAt(x, 7)]).toEqual([x, 'C']); // oncoming
    expect(empty.slice(0, 8).join('')).toMatch(/^A+$/);
  });

  test('the way ahead bends with the road', async () => {
    const straight = await labels({}, 24);
    const left = await labels({ curvature: 0.02 }, 24);
    // 35 m along: 25 m of the bend, 6.1 m to the left.
    const turn = 25 * 0.02;
    const [row, column] = place(10 + Math.sin(turn) / 0.02, (1 - Math.cos(turn)) / 0.02, 0, 24);
    expect(left[row]![column]).toBe('D');
    expect(straight[row]![column]).not.toBe('D');
  });

  test.each([
    [9, 'E'],
    [17, 'G'],
    [33, 'I'],
    [44, 'J'],
  ])(
    'a vehicle whose middle is %d m ahead is labelled by the depth of its rear',
    async (x, label) => {
      const rows = await labels({ objects: [{ x, y: 0 }] });
      const [row, column] = place(x - 2.25, 0, 0.5);
      expect(rows[row]![column]).toBe(label);
    },
  );

  test('the nearest of two vehicles is the label', async () => {
    const objects: Placed[] = [
      { x: 40, y: 0 },
      { x: 14, y: 0 },
    ];
    const [row, column] = place(11.75, 0, 0.7);
    expect((await labels({ objects }))[row]![column]).toBe('F');
  });

  test.each([
    [12, 'M'],
    [26, 'N'],
  ])('a person %d m ahead', async (x, label) => {
    const person = { type: 'pedestrian', length: 0.6, width: 0.6 };
    const rows = await labels({ objects: [{ ...person, x, y: -3 }] }, 16);
    const [row, column] = place(x - 0.3, -3, 0.9, 16);
    expect(rows[row]![column]).toBe(label);
  });

  test.each([
    ['red', 'O'],
    ['yellow', 'P'],
    ['green', 'Q'],
  ] as const)('a light that is %s, at the line and beyond the junction', async (light, label) => {
    const rows = (await labels({ light, line: 25 })).join('');
    const seen = [...rows].filter((letter) => 'OPQ'.includes(letter));
    expect(seen.length).toBeGreaterThanOrEqual(2);
    expect(new Set(seen)).toEqual(new Set([label]));
  });

  test('a light for others, which is seen from behind, says nothing', async () => {
    const window = cameraRoad({ light: 'red', line: 60 });
    const size = { width: kSize, height: kSize };
    const track = window.recording.tracks[0]!;
    // The ego beyond the junction, on its way back.
    const turned = Float64Array.from(track.heading, () => Math.PI);
    track.heading.set(turned);
    for (let k = 0; k < track.x.length; ++k) track.x[k] = 72;
    const frames = await renderCamera(window, { ...size, ids: true, depth: true });
    expect([...frames.ids!].some((id) => id <= -4)).toBe(true);
    expect(patchLabelsOf(window, frames, 0, kSide, size)).not.toMatch(/[OPQ]/);
  });

  test('follow the camera to where it looks', async () => {
    const rows = await labels({}, kSide, { yawDeg: 90 });
    // To the left there are lanes up to y = 8.75 m and no way ahead.
    expect(rows.join('')).not.toContain('D');
    expect(rows[7]).toBe('CCCCCCCC');
  });

  test('pictures that are not square, or not of such patches, are refused', async () => {
    const window = cameraRoad();
    const wide = { width: 96, height: 48 };
    const frames = await renderCamera(window, { ...wide, ids: true, depth: true });
    const refused = expect.objectContaining({ code: 'ERR_ARGUMENT' });
    expect(() => patchLabelsOf(window, frames, 0, 8, wide)).toThrow(refused);
    const square = { width: 96, height: 96 };
    const full = await renderCamera(window, { ...square, ids: true, depth: true });
    for (const side of [0, 7, 1.5, Number.NaN]) {
      expect(() => patchLabelsOf(window, full, 0, side, square)).toThrow(refused);
    }
    const bare = await renderCamera(window, square);
    expect(() => patchLabelsOf(window, bare, 0, 8, square)).toThrow(refused);
  });
});
