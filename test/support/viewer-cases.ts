import type { CasePlan, PlanCase, Pose } from '../../lib/viewer/case.js';

// A straight two-lane road with a lead vehicle and a red light: enough of a case for tests of the page.

/** Poses at constant speed along +x, with a bend to the left of `bend` metres at 4 s. */
export function straightPoses(speed: number, bend = 0): Pose[] {
  return Array.from({ length: 8 }, (_, i) => {
    const t = (i + 1) / 2;
    return [speed * t, (bend * t * t) / 16, Math.atan2((bend * t) / 8, speed)];
  });
}

/** A plan whose steps come nearer to the recorded driver: offsets of 6 m, 3 m, 1 m and 0 m at 4 s. */
export function fourStepPlan(label = '4 steps'): CasePlan {
  return {
    label,
    detail: 'median, renoise rule, seed 7',
    refinements: [6, 3, 1, 0].map((bend) => straightPoses(8, bend)),
    samples: [straightPoses(8, 0), straightPoses(8, -2)],
    latencyMs: 2.5,
    latencyDetail: 'median of 30 calls',
  };
}

/** A plan of one step that is 4 m off at 4 s. */
export function oneStepPlan(): CasePlan {
  return {
    ...fourStepPlan('1 step'),
    detail: 'median',
    refinements: [straightPoses(8, 4)],
    samples: [],
  };
}

/** The case; `id` is what a file would bring. */
export function straightCase(id: string, plans: CasePlan[]): PlanCase {
  const lane = (y: number): PlanCase['lanes'][number] => ({
    center: [-60, y, 60, y],
    left: [-60, y + 1.75, 60, y + 1.75],
    right: [-60, y - 1.75, 60, y - 1.75],
    leftBorder: y > 0 ? 'edge' : 'none',
    rightBorder: y > 0 ? 'dashed' : 'edge',
    onRoute: y === 0,
    stopLine: [60, y - 1.75, 60, y + 1.75],
    light: 'red',
  });
  const lead = straightPoses(6).map(([x, y, heading]): Pose => [x + 22, y, heading]);
  return {
    id,
    group: 'synthetic road',
    command: 'straight',
    speed: 9,
    lanes: [lane(0), lane(3.5)],
    agents: [
      {
        length: 4.6,
        width: 1.9,
        history: [
          [16, 0, 0],
          [22, 0, 0],
        ],
        future: lead,
      },
    ],
    ego: {
      length: 4.8,
      width: 2,
      history: [
        [-9, 0, 0],
        [0, 0, 0],
      ],
      future: straightPoses(8),
      centerOffset: 0,
    },
    plans,
  };
}
