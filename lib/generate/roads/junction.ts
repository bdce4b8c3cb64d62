import { wrapAngle } from '../../scenario/observe.js';
import { findConflicts, link, type Movement, type NetLane, Network } from '../network.js';
import type { Random } from '../random.js';
import { bareWorld, type Route, type World } from '../world.js';
import { type Arm, type ArmPlan, addArm, connectLanes, crosswalkOver } from './arms.js';
import { halfWidth, type Section, urbanSection } from './carriageway.js';
import { junctionArea } from './junction-area.js';
import { type Priority, yieldsTo } from './priority.js';
import { makeSignals } from './signal-plan.js';

const kSharpest = 0.22; // 1/m, of the centre of a lane in a junction

/** A junction of three or four arms, with lights or without. */
export function junctionRoad(random: Random, kind: 'junction' | 'signals'): World {
  const lit = kind === 'signals';
  const plans = planArms(random, lit);
  const network = new Network();
  const arms = plans.map((plan) => addArm(random, network, plan));
  const inner: NetLane[] = [];
  const routes: Route[] = [];
  for (const from of arms.keys()) {
    for (const [turn, to] of targetsOf(plans, from)) {
      const edge = { lanes: [] as NetLane[] };
      for (const [lane, next] of assigned(plans, arms, from, to)) {
        const line = connectLanes(lane, next, kSharpest);
        if (!line) continue;
        const { laneWidth, speedLimit } = arms[from].section;
        const added = network.addLane(line, { kind: 'junction', width: laneWidth, speedLimit });
        added.movement = { from, to, turn };
        added.edge = edge;
        edge.lanes.push(added);
        link(lane, added);
        link(added, next);
        inner.push(added);
      }
      if (edge.lanes.length === 0) continue;
      const weight = (turn === 'through' ? 1.2 : 0.9) * arms[from].lanesIn;
      routes.push({ edges: [arms[from].in, edge, arms[to].out], weight });
    }
  }
  const priority = lit ? 'lights' : choosePriority(random, plans);
  findConflicts(inner, (a, b) =>
    yieldsTo(priority, plans, a.movement as Movement, b.movement as Movement),
  );
  const lights = lit ? makeSignals(random, arms) : [];
  if (!lit) setControls(priority, arms);
  return {
    ...bareWorld(kind, network),
    routes,
    areas: [...arms.map(({ area }) => area), junctionArea(arms, inner)],
    lights,
    crosswalks: makeCrosswalks(random, arms, inner, lit),
    sidewalks: arms.flatMap(({ sidewalks }) => sidewalks),
    inflow: random.range(0.06, lit ? 0.28 : 0.16),
  };
}

/** Directions, lanes and sizes that fit together. */
function planArms(random: Random, lit: boolean): ArmPlan[] {
  const count = random.chance(0.6) ? 4 : 3;
  const turned = random.range(-Math.PI, Math.PI);
  const skew = () => random.range(-0.3, 0.3);
  const right = Math.PI / 2;
  const base = count === 4 ? [0, right, 2 * right, 3 * right] : [0, right, 2 * right];
  const angles =
    count === 3 && random.chance(0.25)
      ? [0, (2 * Math.PI) / 3, (4 * Math.PI) / 3].map((angle) => turned + angle + skew())
      : base.map((angle) => turned + angle + skew());
  const main: Section = urbanSection(random);
  const minor: Section = random.chance(0.4) ? main : urbanSection(random);
  const most = lit ? 3 : 2;
  const mainLanes = random.integer(1, most);
  const minorLanes = random.integer(1, Math.min(most, mainLanes));
  const plans = angles.map((angle, k): ArmPlan => {
    const lanes = k % 2 === 0 ? mainLanes : minorLanes;
    const section = k % 2 === 0 ? main : minor;
    return { angle, section, lanesIn: lanes, lanesOut: Math.min(2, lanes), mouth: 0 };
  });
  for (const k of plans.keys()) plans[k].lanesIn = usableLanes(plans, k);
  const corner = random.range(6.5, 13);
  for (const [k, plan] of plans.entries()) {
    const next = plans[(k + 1) % count];
    const gap = (next.angle - plan.angle + 4 * Math.PI) % (2 * Math.PI);
    if (gap > 2.6) continue;
    // Where the kerbs of the two arms would meet, and from there as far as their round corner reaches.
    const [mine, other] = [reachLeft(plan), reachRight(next)];
    const tangent = corner / Math.tan(gap / 2);
    plan.mouth = Math.max(plan.mouth, (other + mine * Math.cos(gap)) / Math.sin(gap) + tangent);
    next.mouth = Math.max(next.mouth, (mine + other * Math.cos(gap)) / Math.sin(gap) + tangent);
  }
  for (const plan of plans) plan.mouth = Math.max(plan.mouth, corner);
  return plans;
}

const reachLeft = (plan: ArmPlan) => halfWidth(plan.section, plan.lanesIn);
const reachRight = (plan: ArmPlan) => halfWidth(plan.section, plan.lanesOut);

/** Arms that one can go to from an arm, from the rightmost to the leftmost. */
function targetsOf(plans: readonly ArmPlan[], from: number): [Movement['turn'], number][] {
  const targets = [...plans.keys()]
    .filter((to) => to !== from)
    .map((to) => ({ to, angle: wrapAngle(plans[to].angle - plans[from].angle - Math.PI) }))
    .sort((a, b) => a.angle - b.angle);
  const through = targets.reduce((a, b) => (Math.abs(a.angle) < Math.abs(b.angle) ? a : b));
  const isThrough = Math.abs(through.angle) < 0.75;
  return targets.map((target) => [
    isThrough && target === through ? 'through' : target.angle < 0 ? 'right' : 'left',
    target.to,
  ]);
}

/** Places of lanes (from the right) that serve a movement, and the lanes out that they lead to. */
function servedBy(
  plans: readonly ArmPlan[],
  from: number,
  to: number,
  n: number,
): [number, number][] {
  const targets = targetsOf(plans, from);
  const at = targets.findIndex(([, arm]) => arm === to);
  const out = plans[to].lanesOut;
  if (n === 1) return [[0, 0]];
  const last = at === targets.length - 1;
  const turn = targets[at][0];
  if (turn === 'right') return [[0, 0]];
  if (turn === 'left') return [[n - 1, out - 1]];
  // Straight on: beside the turns, from the right, each lane to its own lane out.
  const lanes = [...Array(n).keys()].filter((i) => {
    const leftOnly = i === n - 1 && !last && (n === 3 || out < n);
    return !leftOnly && i < out;
  });
  return lanes.map((i) => [i, i]);
}

/** How many of the planned lanes lead anywhere. */
function usableLanes(plans: readonly ArmPlan[], from: number): number {
  for (let n = plans[from].lanesIn; n > 1; --n) {
    const used = new Set(
      targetsOf(plans, from).flatMap(([, to]) => servedBy(plans, from, to, n).map(([i]) => i)),
    );
    if (used.size === n) return n;
  }
  return 1;
}

function assigned(
  plans: readonly ArmPlan[],
  arms: readonly Arm[],
  from: number,
  to: number,
): [NetLane, NetLane][] {
  const lanes = arms[from].in.lanes;
  return servedBy(plans, from, to, lanes.length).map(([i, k]) => [lanes[i], arms[to].out.lanes[k]]);
}

/** Who goes first without lights. */
function choosePriority(random: Random, plans: readonly ArmPlan[]): Priority {
  if (plans[0].lanesIn > plans[1].lanesIn || random.chance(0.6)) return 'main-road';
  return random.chance(0.5) ? 'right-first' : 'all-way-stop';
}

function setControls(priority: Priority, arms: readonly Arm[]): void {
  for (const [k, arm] of arms.entries()) {
    const control =
      priority === 'all-way-stop'
        ? 'stop'
        : priority === 'main-road' && k % 2 === 1
          ? 'yield'
          : 'priority';
    for (const lane of arm.in.lanes) lane.control = control;
  }
}

function makeCrosswalks(
  random: Random,
  arms: readonly Arm[],
  inner: readonly NetLane[],
  lit: boolean,
): World['crosswalks'] {
  const chosen = arms.filter(() => random.chance(lit ? 0.75 : 0.5));
  return chosen.map((arm) => {
    const { section, lanesIn, lanesOut } = arm;
    const right = halfWidth(section, lanesOut) + section.shoulder;
    const left = halfWidth(section, lanesIn) + section.shoulder;
    const lights = lit ? [...new Set(arm.in.lanes.map(({ light }) => light as number))] : [];
    return crosswalkOver(arm.reference, -2.6, right, left, inner, lights);
  });
}
