/** Scenes: trajectories of both versions and the reference that they are compared with. */
import { PdmScorer, type PdmVersion } from '../../sim/pdm-scorer.js';
import type { PdmScores } from '../../sim/pdm-scores.js';
import { type ParsedScene, parseScene } from '../../sim/parse-scene.js';
import { type SubScore, stepsOf } from '../../sim/score-rows.js';
import type { Check } from '../check.js';
import type { PdmsCase, PdmsFile } from '../pdms-golden.js';

/** Metrics of a golden file; null is "never". */
type Metrics = Readonly<Record<string, number | null | number[]>>;

interface ExpectedReference {
  route_roadblock_ids_after_correction: string[];
  route_lane_ids: string[];
  centerline: number[][];
  drivable_map: [string, string][];
  pdm_closed_scores: number[];
  pdm_closed_raw_progress_m: number[];
  pdm_closed_best_index: number;
  pdm_closed_idm_progress_velocity: number[][];
  pdm_closed_planned_xyh: number[][];
  pdm_closed_rollout: number[][];
}

interface ExpectedResult {
  id: string;
  metrics: Metrics;
  metrics_human_filtered?: Metrics;
  rollout?: number[][];
}

interface Expected {
  reference: ExpectedReference;
  results: ExpectedResult[];
}

/** Sub-scores that are steps and compared exactly; the names of the goldens. */
const kSteps: Readonly<Record<string, SubScore>> = {
  no_at_fault_collisions: 'noAtFaultCollisions',
  drivable_area_compliance: 'drivableAreaCompliance',
  traffic_light_compliance: 'trafficLightCompliance',
  driving_direction_compliance: 'drivingDirectionCompliance',
  time_to_collision_within_bound: 'timeToCollisionWithinBound',
  lane_keeping: 'laneKeeping',
  history_comfort: 'comfort',
  comfort: 'comfort',
};

// The goldens are rounded: metrics to 9 decimals, progress to 7, rollouts to 8.
const kMetric = { abs: 1e-9 };
const kProgress = { abs: 2e-7 };
const kPose = { abs: 1e-6 };

/** Every trajectory of every version is a case, and the reference of every version. */
export function sceneCases(file: PdmsFile): PdmsCase[] {
  const parsed = once(() => parseScene(file.input, file.name));
  return (['v1', 'v2'] as const).flatMap((version): PdmsCase[] => {
    const expected = file.expected[version] as Expected | undefined;
    if (expected === undefined) return [];
    const scored = once((threads: number) => scoreScene(parsed(), version, 'replay', threads));
    return [
      {
        id: `${file.name}/${version}/reference`,
        run: (check, { threads }) => {
          checkReference(check, scored(threads).scorer, expected.reference);
        },
      },
      ...expected.results.map(
        (want): PdmsCase => ({
          id: `${file.name}/${version}/${want.id}`,
          run: (check, { threads }) => {
            const { scores, index } = scored(threads);
            checkTrajectory(check, scores, indexOf(index, want.id), want);
          },
        }),
      ),
    ];
  });
}

/** Every trajectory is a case, with the vehicles that reacted to it. */
export function reactiveCases(file: PdmsFile): PdmsCase[] {
  const { results } = file.expected.v2 as {
    results: (ExpectedResult & { vehicle_tracks: Record<string, number[][]> })[];
  };
  const scored = once((threads: number) =>
    scoreScene(parseScene(file.input, file.name), 'v2', 'reactive', threads),
  );
  return results.map((want) => ({
    id: `${file.name}/v2/${want.id}`,
    run: (check, { threads }) => {
      const { scorer, scores, index } = scored(threads);
      const i = indexOf(index, want.id);
      checkTrajectory(check, scores, i, want);
      const rollout = scores.rollouts!.slice(i * 41 * 11, (i + 1) * 41 * 11);
      checkTracks(check, scorer, rollout, want.vehicle_tracks);
    },
  }));
}

interface ScoredScene {
  scorer: PdmScorer;
  scores: PdmScores;
  /** Row by trajectory id. */
  index: ReadonlyMap<string, number>;
}

function scoreScene(
  { scene, trajectories }: ParsedScene,
  version: PdmVersion,
  traffic: 'replay' | 'reactive',
  threads: number,
): ScoredScene {
  const scorer = new PdmScorer(scene, { version, traffic, threads });
  const poses = trajectories.map((trajectory) => trajectory.poses);
  const scores = scorer.scoreSync(poses, { rollouts: true });
  return { scorer, scores, index: new Map(trajectories.map(({ id }, i) => [id, i])) };
}

function indexOf(index: ReadonlyMap<string, number>, id: string): number {
  const i = index.get(id);
  if (i === undefined) throw new Error(`the input has no trajectory ${id}`);
  return i;
}

function checkTrajectory(check: Check, scores: PdmScores, i: number, want: ExpectedResult): void {
  const { metrics, metrics_human_filtered: filtered, rollout } = want;
  const known = new Set<string>();
  const expect = (name: string) => {
    known.add(name);
    return metrics[name];
  };
  for (const [name, subScore] of Object.entries(kSteps)) {
    if (metrics[name] === undefined) continue;
    check.equal(name, [scores.subScores[subScore][i]!], [expect(name) as number]);
  }
  const numbers: [string, Float64Array, { abs: number }][] = [
    ['ego_progress', scores.subScores.egoProgress, kMetric],
    ['pdm_score', scores.scores, kMetric],
    ['raw_progress_m', scores.progressM, kProgress],
    ['reference_raw_progress_m', scores.referenceProgressM, kProgress],
    ['reference_multiplicative_product', scores.referenceMultipliers, kMetric],
  ];
  for (const [name, values, limit] of numbers) {
    if (metrics[name] === undefined) continue;
    check.close(name, [values[i]!], [expect(name) as number], limit);
  }
  const { firstSteps, flags } = scores;
  const first: [string, Int32Array][] = [
    ['first_at_fault_collision_step', firstSteps.noAtFaultCollisions],
    ['first_ttc_infraction_step', firstSteps.timeToCollisionWithinBound],
  ];
  for (const [name, steps] of first) {
    if (metrics[name] === undefined) continue;
    check.equal(name, [steps[i]!], [(expect(name) as number | null) ?? -1]);
  }
  const masks: [string, Float64Array][] = [
    ['steps_multiple_lanes', flags.multipleLanes],
    ['steps_non_drivable', flags.nonDrivable],
    ['steps_off_route', flags.offRoute],
  ];
  for (const [name, mask] of masks) {
    if (metrics[name] === undefined) continue;
    check.equal(name, stepsOf(mask[i]!), expect(name) as number[]);
  }
  for (const name of Object.keys(metrics)) {
    if (!known.has(name)) check.failures.push(`${name}: nothing here computes it`);
  }
  if (filtered !== undefined) checkFiltered(check, scores, i, filtered);
  if (rollout !== undefined) {
    const got = scores.rollouts!.subarray(i * 41 * 11, (i + 1) * 41 * 11);
    check.close('rollout', got, rollout.flat(), kPose);
  }
}

function checkFiltered(check: Check, scores: PdmScores, i: number, want: Metrics): void {
  const { filtered } = scores;
  if (filtered === undefined) {
    check.failures.push('human filter: the scene has no recorded driver');
    return;
  }
  const { subScores } = filtered;
  for (const [name, value] of Object.entries(want)) {
    const subScore = kSteps[name];
    if (subScore !== undefined) {
      check.equal(`filtered ${name}`, [subScores[subScore][i]!], [value as number]);
    } else if (name === 'ego_progress') {
      check.close(`filtered ${name}`, [subScores.egoProgress[i]!], [value as number], kMetric);
    } else if (name === 'multiplicative_metrics_prod') {
      const product =
        subScores.noAtFaultCollisions[i]! *
        subScores.drivableAreaCompliance[i]! *
        subScores.trafficLightCompliance[i]! *
        subScores.drivingDirectionCompliance[i]!;
      check.equal(`filtered ${name}`, [product], [value as number]);
    } else {
      check.failures.push(`filtered ${name}: nothing here computes it`);
    }
  }
}

function checkReference(check: Check, scorer: PdmScorer, want: ExpectedReference): void {
  const { pdmClosed, ...reference } = scorer.reference;
  const blocks = want.route_roadblock_ids_after_correction;
  check.equal('corrected route', reference.routeRoadblockIds, blocks);
  check.equal('route lanes', reference.routeLaneIds, want.route_lane_ids);
  check.close('centerline', reference.centerline, want.centerline.flat(), kPose);
  check.equal(
    'drivable map',
    reference.drivableMap.map(({ id, layer }) => `${layer} ${id}`),
    want.drivable_map.map(([id, layer]) => `${layer.toLowerCase().replace('_area', '')} ${id}`),
  );
  check.close('PDM-Closed scores', pdmClosed.scores, want.pdm_closed_scores, kPose);
  check.close('PDM-Closed progress', pdmClosed.rawProgressM, want.pdm_closed_raw_progress_m, kPose);
  check.equal('PDM-Closed best', [pdmClosed.best], [want.pdm_closed_best_index]);
  const idm = want.pdm_closed_idm_progress_velocity.flat();
  check.close('PDM-Closed IDM', pdmClosed.idm, idm, kPose);
  const planned = want.pdm_closed_planned_xyh.flat();
  check.close('PDM-Closed plan', pdmClosed.reference, planned, kPose);
  check.close('PDM-Closed rollout', pdmClosed.rollout, want.pdm_closed_rollout.flat(), kPose);
}

function checkTracks(
  check: Check,
  scorer: PdmScorer,
  rollout: Float64Array,
  want: Readonly<Record<string, number[][]>>,
): void {
  const tracks = new Map(
    scorer.reactiveTracks(rollout).map(({ token, states }) => [token, states]),
  );
  check.equal('vehicles', [...tracks.keys()].toSorted(), Object.keys(want).toSorted());
  for (const [token, rows] of Object.entries(want)) {
    const states = tracks.get(token);
    if (states === undefined) continue;
    const got: number[] = [];
    for (let step = 0; step * 5 < states.length; step += 5) {
      got.push(step / 10, ...states.subarray(step * 5, step * 5 + 5));
    }
    check.close(`track of ${token}`, got, rows.flat(), kPose);
  }
}

/** `make` with the first argument it is called with, made at the first call and kept. */
function once<A extends unknown[], T>(make: (...args: A) => T): (...args: A) => T {
  let made: { value: T } | undefined;
  return (...args) => {
    made ??= { value: make(...args) };
    return made.value;
  };
}
