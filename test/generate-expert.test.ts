import { expect, test } from 'vitest';
import { rearAxlePoses } from '../lib/eval/rear-axle.js';
import { windowScene } from '../lib/eval/window-scene.js';
import { expertPlan } from '../lib/generate/expert.js';
import { generateScenarios } from '../lib/generate/generate.js';
import { PathLine } from '../lib/generate/path-line.js';
import { PdmScorer } from '../lib/sim/pdm-scorer.js';

const { windows } = await generateScenarios({ windows: 24, seed: 31 });

test('an expert is within 0.02 of the recorded driver and of PDM-Closed or better, in every window', () => {
  let [expert, recorded, closed] = [0, 0, 0];
  for (const window of windows) {
    const plan = expertPlan(window);
    expect(plan.score).toBeGreaterThanOrEqual(
      Math.max(plan.recordedScore, plan.pdmClosedScore) - 0.0200001,
    );
    expert += plan.score;
    recorded += plan.recordedScore;
    closed += plan.pdmClosedScore;
  }
  expect(expert).toBeGreaterThan(Math.max(recorded, closed));
});

test('the poses of an expert are box centres that score what it says', () => {
  for (const window of windows.slice(0, 6)) {
    const plan = expertPlan(window);
    const scorer = new PdmScorer(windowScene(window));
    expect(scorer.scoreSync(rearAxlePoses(plan.poses)).scores[0]).toBeCloseTo(plan.score, 9);
    void scorer.close();
  }
});

test('generateScenarios gives each window its expert on request, and the same windows otherwise', async () => {
  const experts = await generateScenarios({ windows: 6, seed: 31, expert: true });
  for (const [i, { expert, ...window }] of experts.windows.entries()) {
    expect(expert).toHaveLength(8);
    const { poses } = expertPlan(windows[i]!);
    expect(expert!.flat()).toEqual(Array.from(poses, (v) => expect.closeTo(v, 4)));
    expect(window.id).toBe(windows[i]!.id);
    expect(window.t0).toBe(windows[i]!.t0);
  }
});

test('a path line projects and gives back places, also beyond its ends and with repeated points', () => {
  const bend = new PathLine(Float64Array.of(0, 0, 0, 10, 0, 0, 10, 0, 0, 10, 10, Math.PI / 2));
  expect(bend.project(4, 2)).toEqual({ along: 4, left: 2 });
  expect(bend.project(12, 7)).toEqual({ along: 17, left: -2 });
  expect(bend.pose(4)).toEqual({ x: 4, y: 0, heading: 0 });
  expect(bend.pose(10).heading).toBeCloseTo(Math.PI / 4, 9);
  expect(bend.pose(25)).toMatchObject({ x: 10, y: 15 });
  expect(bend.pose(-3)).toMatchObject({ x: -3, y: 0, heading: 0 });
});
