import { describe, expect, test } from 'vitest';
import { Camera } from '../lib/viewer/browser/camera.js';
import { mixPose } from '../lib/viewer/browser/geometry.js';
import {
  boundsOf,
  constantVelocity,
  planAt,
  poseAt,
} from '../lib/viewer/browser/plans/geometry.js';
import { Playback } from '../lib/viewer/browser/plans/playback.js';
import type { View } from '../lib/viewer/browser/plans/state.js';
import { errorsOf } from '../lib/viewer/errors.js';
import { fourStepPlan, straightCase, straightPoses } from './support/viewer-cases.js';

describe('poses of the page', () => {
  test('a heading turns the short way across pi', () => {
    const [, , heading] = mixPose([0, 0, 3], [0, 0, -3], 0.5);
    expect(Math.cos(heading)).toBeCloseTo(-1, 6);
  });

  test('whole refinement steps are the plans themselves, between them lies a blend', () => {
    const { refinements } = fourStepPlan();
    expect(planAt(refinements, 0)).toBe(refinements[0]);
    expect(planAt(refinements, 3)).toBe(refinements[3]);
    const y = planAt(refinements, 1.5)[7][1];
    expect(y).toBeCloseTo(2, 9); // half way from 3 m to 1 m
  });

  test('the pose in time passes through present and waypoints and ends with them', () => {
    const poses = straightPoses(8);
    expect(poseAt([0, 0, 0], poses, 0)).toEqual([0, 0, 0]);
    expect(poseAt([0, 0, 0], poses, 0.25)?.[0]).toBeCloseTo(2, 9);
    expect(poseAt([0, 0, 0], poses, 4)).toEqual(poses[7]);
    expect(poseAt([0, 0, 0], poses.slice(0, 4), 2)).toEqual(poses[3]);
    expect(poseAt([0, 0, 0], poses.slice(0, 4), 2.1)).toBeNull();
  });

  test('errors against a short recording count its waypoints and leave the last one open', () => {
    const truth = straightPoses(8);
    const plan = straightPoses(9); // 0.5 m farther at each waypoint than the one before
    expect(errorsOf(plan, truth)).toEqual({ ade: 2.25, fde: 4 });
    expect(errorsOf(plan, truth.slice(0, 2))).toEqual({ ade: 0.75, fde: null });
    expect(errorsOf(plan, [])).toEqual({ ade: null, fde: null });
  });

  test('constant velocity keeps the present one', () => {
    const poses = constantVelocity(straightCase('a', []));
    expect(poses).toHaveLength(8);
    expect(poses[7].slice(0, 2)).toEqual([36, 0]);
  });
});

describe('camera', () => {
  const camera = (rotation: number): Camera =>
    Object.assign(new Camera(), { width: 800, height: 600, x: 12, y: -5, scale: 7, rotation });

  test.each([0, Math.PI / 2])('screen to world inverts the canvas transform, rotation %f', (r) => {
    const [a, b, c, d, e, f] = camera(r).matrix();
    const [x, y] = camera(r).toWorld(130, 470);
    expect(a * x + c * y + e).toBeCloseTo(130, 6);
    expect(b * x + d * y + f).toBeCloseTo(470, 6);
  });

  test('ahead is to the right, or up when turned; left is up, or left when turned', () => {
    const at = (view: Camera, x: number, y: number) => {
      const [a, b, c, d, e, f] = view.matrix();
      return [a * x + c * y + e, b * x + d * y + f];
    };
    expect(at(camera(0), 13, -5)[0]).toBeGreaterThan(400);
    expect(at(camera(0), 12, -4)[1]).toBeLessThan(300);
    expect(at(camera(Math.PI / 2), 13, -5)[1]).toBeLessThan(300);
    expect(at(camera(Math.PI / 2), 12, -4)[0]).toBeLessThan(400);
  });

  test.each([0, Math.PI / 2])('zoom keeps the point under the pointer, rotation %f', (r) => {
    const view = camera(r);
    const before = view.toWorld(200, 100);
    view.zoomAt(200, 100, 1.7);
    const after = view.toWorld(200, 100);
    expect(view.scale).toBeCloseTo(11.9, 9);
    expect(after[0]).toBeCloseTo(before[0], 9);
    expect(after[1]).toBeCloseTo(before[1], 9);
  });

  test.each([0, Math.PI / 2])('a fitted case lies inside the free part, rotation %f', (r) => {
    const view = camera(r);
    const bounds = boundsOf(straightCase('a', [fourStepPlan()]));
    view.fit(bounds, { top: 40, right: 100, bottom: 60, left: 20 });
    const [a, b, c, d, e, f] = view.matrix();
    for (const x of [bounds.x0, bounds.x1]) {
      for (const y of [bounds.y0, bounds.y1]) {
        expect(a * x + c * y + e).toBeGreaterThan(19.9);
        expect(a * x + c * y + e).toBeLessThan(700.1);
        expect(b * x + d * y + f).toBeGreaterThan(39.9);
        expect(b * x + d * y + f).toBeLessThan(540.1);
      }
    }
  });
});

describe('playback', () => {
  const start = (): View => ({
    caseIndex: 0,
    planIndex: 0,
    refinement: 3,
    time: 0,
    playing: false,
    hidden: new Set(),
  });

  test.each([false, true])(
    'goes from the first guess to the last, then drives it (still %s)',
    (still) => {
      const view = start();
      const playback = new Playback(view);
      const seen: number[] = [];
      playback.start(3);
      expect(view).toMatchObject({ refinement: 0, time: 0, playing: true });
      for (let i = 0; view.playing && i < 1000; ++i) {
        if (view.refinement < 3) expect(view.time).toBe(0);
        seen.push(view.refinement);
        playback.advance(0.05, 3, still);
      }
      expect(view).toMatchObject({ refinement: 3, time: 4, playing: false });
      const steps = new Set(seen);
      if (still) expect([...steps]).toEqual([0, 1, 2, 3]);
      else expect(steps.size).toBeGreaterThan(20);
    },
  );

  test('goes on from where the sliders stand', () => {
    const view = { ...start(), refinement: 1, time: 0 };
    new Playback(view).start(3);
    expect(view.refinement).toBe(1);
  });
});
