import { describe, expect, test } from 'vitest';
import { renderCamera } from '../lib/camera/camera.js';
import { kRoadDistances, type Layout, layoutsOf } from '../lib/camera/layout.js';
import { sceneTruth } from '../lib/camera/scene-truth.js';
import { cameraRoad, type RoadOptions } from './support/camera-scene.js';

const kSize = 192;

async function layouts(options: RoadOptions): Promise<Layout[]> {
  const window = cameraRoad(options);
  const frames = await renderCamera(window, { width: kSize, height: kSize, objects: true });
  return layoutsOf(sceneTruth(window, frames.objects![0]!, kSize * kSize));
}

async function placesOf(kind: Layout['kind'], options: RoadOptions) {
  const places = (await layouts(options)).find((layout) => layout.kind === kind)?.places;
  return places && Array.from({ length: 8 }, (_, i) => [places[2 * i]!, places[2 * i + 1]!]);
}

describe('layouts', () => {
  test('a straight road leads straight on', async () => {
    const places = await placesOf('road', {});
    expect(places).toEqual(kRoadDistances.map((s) => [s, 0]));
  });

  test.each([0.01, -0.006])('a road of curvature %d from 10 m on', async (k) => {
    const places = await placesOf('road', { curvature: k });
    for (const [i, s] of kRoadDistances.entries()) {
      const bent = Math.max(0, s - 10);
      const want = [Math.min(s, 10) + Math.sin(k * bent) / k, (1 - Math.cos(k * bent)) / k];
      expect(Math.hypot(places![i]![0]! - want[0]!, places![i]![1]! - want[1]!)).toBeLessThan(0.15);
    }
  });

  test('road users that are seen come nearest first, the rest is 0, 0', async () => {
    const objects = [
      { x: 30, y: 0.5 },
      { x: 12, y: 3.6 },
      { x: -15, y: 0 }, // behind
      { x: 75, y: 3.6 }, // too far
      { x: 16, y: -4.5, type: 'pedestrian', length: 0.6, width: 0.6 },
    ];
    const places = await placesOf('road_users', { objects });
    expect(places).toEqual([[12, 3.6], [16, -4.5], [30, 0.5], ...Array(5).fill([0, 0])]);
  });

  test('nothing is asked where nothing is seen', async () => {
    expect((await layouts({})).map(({ kind }) => kind)).toEqual(['road']);
  });

  test('questions tell the command and nothing of the ego, answers are lists of hundredths', async () => {
    const [road] = await layouts({ command: 'left', speed: 3 });
    const [faster] = await layouts({ command: 'left', speed: 12 });
    expect(road).toEqual(faster);
    expect(road!.question).toContain('turn left');
    expect(road!.answer).toBe(kRoadDistances.map((s) => `${s.toFixed(2)},0.00`).join(','));
  });
});
