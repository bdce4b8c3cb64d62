import { kLayers, type NativeReference } from '../native.js';
import type { SceneMap } from './scene.js';
import { kColumn, kSubScores, type SubScore } from './score-rows.js';

/** Sub-scores of one rollout judged alone. */
export type OwnSubScores = Record<SubScore, number>;

/** PDM-Closed, the rule-based planner that progress is compared with: 3 paths by 5 speeds, the best one taken. */
export interface PdmClosed {
  /** Scores of the 15 proposals against its own forecast, [15]; index = path * 5 + speed (centre, 1 m right, 1 m left). */
  scores: Float64Array;
  /** Metres, [15]. */
  rawProgressM: Float64Array;
  best: number;
  /** Progress (m) and speed (m/s) of the best along its path, 0.1 s apart up to 5 s: [51, 2]. */
  idm: Float64Array;
  /** Its plan: poses [51, 3] in the global frame. */
  poses: Float64Array;
  /** The plan as a scorer samples it, [41, 3]. */
  reference: Float64Array;
  /** As driven: states [41, 11]. */
  rollout: Float64Array;
  /** Poses of all proposals, [15, 41, 3]. */
  proposals: Float64Array;
  /** As the scorer judges it in recorded traffic. */
  subScores: OwnSubScores;
  progressM: number;
}

/** What the trajectories of a scene are compared with. */
export interface PdmReference {
  /** The route after correction: roadblocks, all of their lanes, and the lanes that are driven. */
  routeRoadblockIds: string[];
  routeLaneIds: string[];
  lanePathIds: string[];
  /** Line of progress and lane keeping, [n, 3]: x, y, heading. */
  centerline: Float64Array;
  /** Of the lane that the ego starts on, m/s. */
  speedLimit: number;
  /** Areas near enough to count, layer after layer, in the devkit's order. */
  drivableMap: { id: string; layer: (typeof kLayers)[number] }[];
  pdmClosed: PdmClosed;
  /** The recorded driver, judged alone as the human filter does (without history); null when unknown. */
  human: { subScores: OwnSubScores; progressM: number } | null;
}

/** Gives native indices the map's ids. */
export function readReference(from: NativeReference, map: SceneMap): PdmReference {
  const itemsOf = {
    roadblock: map.roadblocks,
    lane: map.lanes,
    lane_connector: map.lanes,
    intersection: map.intersections,
    carpark: map.carparks,
  };
  const laneIds = (indices: Int32Array) => Array.from(indices, (i) => map.lanes[i]!.id);
  const areas = Array.from({ length: from.areas.length / 2 }, (_, i) => ({
    layer: from.areas[2 * i]!,
    index: from.areas[2 * i + 1]!,
  }));
  // The devkit lists lanes block after block; native code has them in the map's order.
  const laneOrder = new Map(
    map.roadblocks.flatMap((block) => block.laneIds).map((id, i) => [id, i]),
  );
  const orderOf = ({ layer, index }: (typeof areas)[number]) =>
    itemsOf[kLayers[layer]!] === map.lanes ? laneOrder.get(map.lanes[index]!.id)! : index;
  areas.sort((a, b) => a.layer - b.layer || orderOf(a) - orderOf(b));
  return {
    routeRoadblockIds: Array.from(from.routeBlocks, (i) => map.roadblocks[i]!.id),
    routeLaneIds: laneIds(from.routeLanes),
    lanePathIds: laneIds(from.lanePath),
    centerline: from.centerline,
    speedLimit: from.speedLimit,
    drivableMap: areas.map(({ layer, index }) => ({
      id: itemsOf[kLayers[layer]!][index]!.id,
      layer: kLayers[layer]!,
    })),
    pdmClosed: {
      scores: from.scores,
      rawProgressM: from.rawProgress,
      best: from.best,
      idm: from.idm,
      poses: from.poses,
      reference: from.reference,
      rollout: from.rollout,
      proposals: from.proposals,
      ...ownScores(from.row),
    },
    human: from.humanRow ? ownScores(from.humanRow) : null,
  };
}

function ownScores(row: Float64Array): { subScores: OwnSubScores; progressM: number } {
  const subScores = {} as OwnSubScores;
  kSubScores.forEach((name, k) => {
    subScores[name] = row[kColumn.subScores + k]!;
  });
  return { subScores, progressM: row[kColumn.progress]! };
}
