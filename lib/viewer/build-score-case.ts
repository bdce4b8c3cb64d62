import { argumentError } from '../errors.js';
import type { SceneTrajectory } from '../sim/parse-scene.js';
import type { PdmReference } from '../sim/pdm-reference.js';
import type { ReactiveTrack } from '../sim/pdm-scorer.js';
import type { PdmScores } from '../sim/pdm-scores.js';
import type { PdmScene, SceneAgent } from '../sim/scene.js';
import { kSubScores, type SubScore } from '../sim/score-rows.js';
import type { FlatLine, Pose } from './case.js';
import { type Frame, flat, frameAt, type Point, round, roundPose } from './ego-frame.js';
import {
  kRolloutStates,
  type ScoreAgent,
  type ScoreArea,
  type ScoreCase,
  type ScoredTrajectory,
  type ScoreLane,
} from './score-case.js';
import { failuresOf } from './score-failures.js';

/** What lies farther from the ego than this many metres is left out, but for objects that a failure names. */
const kRadius = 120;
/** Numbers of a rollout's state. */
const kStateSize = 11;
/** The ego of the score: nuPlan's Pacifica, metres around its rear axle. */
const kEgo = { front: 4.049, rear: 1.127, width: 2.297 };

/** Options of {@link scoreCaseFromScene}. */
export interface ScoreCaseOptions {
  /** Heading under which the list groups the scene. Default: its version. */
  group?: string;
  /** Of each trajectory: how vehicles reacted to its rollout (`PdmScorer.reactiveTracks`). Default: recorded traffic. */
  reactiveTracks?: readonly (readonly ReactiveTrack[])[];
}

/**
 * What the score page shows of a scene: map, objects and trajectories within 120 m, in the ego's present frame, rounded
 * to centimetres and milliradians.
 *
 * @param trajectories those that were scored, in that order; ids and labels are shown as text
 * @param scores of `PdmScorer.score` with `rollouts` and `explain`
 * @param reference of the same scorer
 * @throws WamFlowError `ERR_ARGUMENT` when the scores lack rollouts or explanations, or are of another number
 */
export function scoreCaseFromScene(
  scene: PdmScene,
  trajectories: readonly SceneTrajectory[],
  scores: PdmScores,
  reference: PdmReference,
  options: ScoreCaseOptions = {},
): ScoreCase {
  if (!scores.rollouts || !scores.explanations) {
    throw argumentError('scores', 'scores with rollouts and explanations', scores);
  }
  if (scores.n !== trajectories.length) {
    throw argumentError('scores', `the scores of ${trajectories.length} trajectories`, scores.n);
  }
  const frame = frameAt(scene.ego.x, scene.ego.y, scene.ego.heading);
  const { lanes, laneIndex } = lanesNear(scene, reference, frame);
  const named = scores.explanations.flat().flatMap(({ object }) => (object ? [object.token] : []));
  const { agents, agentIndex } = agentsNear(scene, new Set(named), frame);
  const index = { agent: agentIndex, lane: laneIndex };
  const { pdmClosed } = reference;
  return {
    id: scene.id,
    group: options.group ?? (scores.version === 'v1' ? 'PDMS (v1)' : 'EPDMS (v2)'),
    version: scores.version,
    traffic: options.reactiveTracks ? 'reactive' : 'replay',
    filtered: scores.filtered !== undefined,
    speed: round(Math.hypot(scene.ego.vx, scene.ego.vy), 3),
    ego: kEgo,
    areas: areasNear(scene, frame),
    lanes,
    lights: scene.trafficLights.map(({ t, red, green }) => ({
      t,
      red: indicesOf(red, laneIndex),
      green: indicesOf(green, laneIndex),
    })),
    centerline: flat(rowsOf(reference.centerline, 3).map(([x, y]) => frame.point(x!, y!))),
    agents,
    human: (scene.humanTrajectory ?? []).map((pose) => roundPose(...pose)),
    trajectories: trajectories.map((trajectory, i) => ({
      ...scoredTrajectory(trajectory, scores, i, frame),
      failures: failuresOf(scores, i, index),
      reacted: (options.reactiveTracks?.[i] ?? []).flatMap(({ token, states }) => {
        const agent = agentIndex.get(token);
        return agent === undefined ? [] : [{ agent, poses: posesOf(states, 5, frame) }];
      }),
    })),
    reference: {
      rollout: posesOf(pdmClosed.rollout, kStateSize, frame),
      progressM: round(pdmClosed.progressM, 2),
      best: pdmClosed.best,
      proposals: Array.from(pdmClosed.scores, (score, i) => ({
        poses: posesOf(pdmClosed.proposals.subarray(i * 123, (i + 1) * 123), 3, frame),
        score: round(score, 4),
      })),
    },
  };
}

function scoredTrajectory(
  { id, label, poses }: SceneTrajectory,
  scores: PdmScores,
  i: number,
  frame: Frame,
): Omit<ScoredTrajectory, 'failures' | 'reacted'> {
  const size = kRolloutStates * kStateSize;
  const states = scores.rollouts!.subarray(i * size, (i + 1) * size);
  const subScores = {} as Record<SubScore, number>;
  for (const name of kSubScores) subScores[name] = round(scores.subScores[name][i]!, 4);
  return {
    id,
    label,
    poses: poses.map((pose) => roundPose(...pose)),
    rollout: posesOf(states, kStateSize, frame),
    speeds: rowsOf(states, kStateSize).map((state) => round(Math.hypot(state[3]!, state[4]!), 2)),
    score: round((scores.filtered?.scores ?? scores.scores)[i]!, 4),
    unfilteredScore: round(scores.scores[i]!, 4),
    subScores,
    progressM: round(scores.progressM[i]!, 2),
  };
}

function areasNear(scene: PdmScene, frame: Frame): ScoreArea[] {
  const { roadblocks, intersections, carparks } = scene.map;
  const areas = [
    ...roadblocks
      .filter(({ isConnector }) => !isConnector)
      .map(({ polygon }) => ({ kind: 'roadblock' as const, polygon })),
    ...intersections.map(({ polygon }) => ({ kind: 'intersection' as const, polygon })),
    ...carparks.map(({ polygon }) => ({ kind: 'carpark' as const, polygon })),
  ];
  return areas
    .filter(({ polygon }) => isNear(polygon, frame))
    .map(({ kind, polygon }) => ({ kind, ring: lineOf(polygon, frame) }));
}

function lanesNear(scene: PdmScene, reference: PdmReference, frame: Frame) {
  const route = new Set(reference.routeLaneIds);
  const laneIndex = new Map<string, number>();
  const lanes: ScoreLane[] = [];
  for (const { id, isConnector, polygon, baseline } of scene.map.lanes) {
    if (!isNear(polygon, frame)) continue;
    laneIndex.set(id, lanes.length);
    lanes.push({
      id,
      isConnector,
      ring: lineOf(polygon, frame),
      baseline: lineOf(baseline, frame),
      onRoute: route.has(id),
    });
  }
  return { lanes, laneIndex };
}

function agentsNear(scene: PdmScene, named: ReadonlySet<string>, frame: Frame) {
  const agentIndex = new Map<string, number>();
  const agents: ScoreAgent[] = [];
  for (const agent of scene.agents) {
    const near = agent.samples.some(({ x, y }) => Math.hypot(...frame.point(x, y)) < kRadius);
    if (!near && !named.has(agent.token)) continue;
    agentIndex.set(agent.token, agents.length);
    agents.push(agentOf(agent, frame));
  }
  return { agents, agentIndex };
}

function agentOf({ token, type, length, width, samples }: SceneAgent, frame: Frame): ScoreAgent {
  return {
    token,
    type,
    length: round(length, 2),
    width: round(width, 2),
    t: samples.map(({ t }) => round(t, 3)),
    poses: samples.map(({ x, y, heading }) => frame.pose(x, y, heading)),
  };
}

/** Whether the box around a line comes within the radius of the ego. */
function isNear(line: readonly Point[], frame: Frame): boolean {
  const points = line.map(([x, y]) => frame.point(x, y));
  const beyond = [0, 1].map((axis) => {
    const values = points.map((point) => point[axis]!);
    const low = values.reduce((least, v) => Math.min(least, v), Number.POSITIVE_INFINITY);
    const high = values.reduce((most, v) => Math.max(most, v), Number.NEGATIVE_INFINITY);
    return Math.max(0, low, -high);
  });
  return Math.hypot(...beyond) < kRadius;
}

function lineOf(points: readonly Point[], frame: Frame): FlatLine {
  return flat(points.map(([x, y]) => frame.point(x, y)));
}

function indicesOf(ids: readonly string[], index: ReadonlyMap<string, number>): number[] {
  return ids.flatMap((id) => index.get(id) ?? []);
}

/** Rows of `size` numbers. */
function rowsOf(values: Float64Array, size: number): Float64Array[] {
  return Array.from({ length: Math.floor(values.length / size) }, (_, i) =>
    values.subarray(i * size, (i + 1) * size),
  );
}

/** x, y, heading of rows that begin with them. */
function posesOf(values: Float64Array, size: number, frame: Frame): Pose[] {
  return rowsOf(values, size).map(([x, y, heading]) => frame.pose(x!, y!, heading!));
}
