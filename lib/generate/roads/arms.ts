import { Line } from '../line.js';
import type { Edge, NetLane, Network } from '../network.js';
import type { Random } from '../random.js';
import { type Crossing, type Crosswalk, intersection, type Ring, strip } from '../world.js';
import { addTwoWayRoad, halfWidth, type Section } from './carriageway.js';

/** One arm of a junction before it is built. */
export interface ArmPlan {
  /** Direction from the middle outward, radians. */
  angle: number;
  section: Section;
  /** Lanes towards the middle, and away from it. */
  lanesIn: number;
  lanesOut: number;
  /** Metres from the middle to the line at which the arm begins. */
  mouth: number;
}

/** One arm: two-way road from its mouth outward. */
export interface Arm extends ArmPlan {
  /** Middle of the road, from the mouth outward. */
  reference: Line;
  /** Towards the junction, and away from it. */
  in: Edge;
  out: Edge;
  area: Ring;
  sidewalks: Line[];
  bikeways: Line[];
}

/** Builds an arm: straight for a while, then perhaps bending. */
export function addArm(random: Random, network: Network, plan: ArmPlan): Arm {
  const { angle, section, mouth } = plan;
  const start = { x: mouth * Math.cos(angle), y: mouth * Math.sin(angle), heading: angle };
  const length = random.range(75, 105) + 4.5 * section.speedLimit;
  const bends = random.chance(0.5);
  const reference = Line.fromCurvature(start, [
    { length: 45, curvature: 0 },
    { length: length - 45, curvature: bends ? random.range(-1, 1) / 130 : 0 },
  ]);
  const { forward, backward } = addTwoWayRoad(
    network,
    reference,
    [0, length],
    section,
    plan.lanesOut,
    plan.lanesIn,
  );
  const right = halfWidth(section, plan.lanesOut) + section.shoulder;
  const left = halfWidth(section, plan.lanesIn) + section.shoulder;
  const walk = random.range(1, 2.2);
  return {
    ...plan,
    reference,
    in: backward[0],
    out: forward[0],
    area: strip(reference, -right, left),
    sidewalks: [reference.beside(-right - walk), reference.beside(left + walk).reversed()],
    bikeways: [],
  };
}

/** Joins the end of one lane to the beginning of another within a junction; null when the turn is too tight. */
export function connectLanes(from: NetLane, to: NetLane, sharpest: number): Line | null {
  const begin = from.line.at(from.line.length);
  const end = to.line.at(0);
  let best: Line | null = null;
  for (const reach of [0.94, 1, 0.88]) {
    const line = Line.connect(begin, end, reach);
    if (!best || line.sharpest < best.sharpest) best = line;
  }
  return best && best.sharpest <= sharpest ? best : null;
}

/**
 * A crosswalk over an arm, `ahead` metres from its mouth along the arm (negative: towards the middle). `lanes` are all
 * that may meet it.
 */
export function crosswalkOver(
  reference: Line,
  ahead: number,
  right: number,
  left: number,
  lanes: readonly NetLane[],
  lights: readonly number[],
): Crosswalk {
  const pose = reference.at(ahead);
  const approach = 7; // metres on either side where people come from and go to
  const begin = reference.pointBeside(ahead, -right - approach);
  const line = Line.fromCurvature(
    { x: begin[0], y: begin[1], heading: pose.heading + Math.PI / 2 },
    [{ length: right + left + 2 * approach, curvature: 0 }],
  );
  const crossings: Crossing[] = [];
  for (const lane of lanes) {
    const meet = intersection(lane.line, line);
    if (meet) crossings.push({ lane, s: meet.a, walk: meet.b });
  }
  return { line, kerbs: [approach, approach + right + left], crossings, lights };
}
