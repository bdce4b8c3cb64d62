import { Line } from '../line.js';
import { findConflicts, link, type NetLane, Network } from '../network.js';
import type { Random } from '../random.js';
import { bareWorld, type Route, strip, type World } from '../world.js';
import { type Arm, addArm, crosswalkOver } from './arms.js';
import { halfWidth, type Section } from './carriageway.js';
import { RoadError } from './road-error.js';

const kSharpest = 0.16; // 1/m, of the curves into and out of the ring

/** Lanes around one arm of a roundabout. */
interface Quarter {
  entry: NetLane;
  exit: NetLane;
  /** On the ring past the arm, and on to the next one. */
  pass: NetLane;
  onward: NetLane;
}

/** A roundabout of one lane with three to five arms; traffic on the ring goes first. */
export function roundaboutRoad(random: Random): World {
  const count = random.integer(3, 5);
  const radius = random.range(10 + 1.5 * count, 17 + 2.4 * count);
  const width = random.range(4, 5.4);
  const turned = random.range(-Math.PI, Math.PI);
  const sector = (2 * Math.PI) / count;
  const loose = Math.max(0, (sector - 1.2) * 0.3);
  const network = new Network();
  const arms = Array.from({ length: count }, (_, k) => {
    const section: Section = {
      kind: 'urban',
      laneWidth: random.range(3, 3.7),
      speedLimit: random.pick([8.33, 11.11, 13.89, 16.67]),
      median: random.range(2, 4.5),
      shoulder: random.range(0.2, 1.2),
    };
    return addArm(random, network, {
      angle: turned + k * sector + random.range(-loose, loose),
      section,
      lanesIn: 1,
      lanesOut: 1,
      mouth: radius + random.range(10, 15),
    });
  });
  const quarters = makeRing(random, network, arms, radius, width);
  const inner = quarters.flatMap(({ entry, exit, pass, onward }) => [entry, exit, pass, onward]);
  findConflicts(inner, (a, b) => a.movement !== null && b.movement === null);
  const routes: Route[] = [];
  for (const from of arms.keys()) {
    for (let step = 1; step <= count; ++step) {
      const to = (from + step) % count;
      const ring = Array.from({ length: step }, (_, i) => (from + i) % count).flatMap((k, i) =>
        i === 0 ? [quarters[k].onward.edge] : [quarters[k].pass.edge, quarters[k].onward.edge],
      );
      routes.push({
        edges: [
          arms[from].in,
          quarters[from].entry.edge,
          ...ring,
          quarters[to].exit.edge,
          arms[to].out,
        ],
        weight: step === count ? 0.1 : 1,
      });
    }
  }
  return {
    ...bareWorld('roundabout', network),
    routes,
    areas: [
      ...arms.map(({ area }) => area),
      ...inner.map(({ line, width: w }) => strip(line, -w / 2 - 0.5, w / 2 + 0.8)),
    ],
    crosswalks: arms
      .filter(() => random.chance(0.5))
      .map((arm) => {
        const right = halfWidth(arm.section, 1) + arm.section.shoulder;
        return crosswalkOver(
          arm.reference,
          7,
          right,
          right,
          [...arm.in.lanes, ...arm.out.lanes],
          [],
        );
      }),
    sidewalks: arms.flatMap(({ sidewalks }) => sidewalks),
    inflow: random.range(0.06, 0.2),
  };
}

function makeRing(
  random: Random,
  network: Network,
  arms: readonly Arm[],
  radius: number,
  width: number,
): Quarter[] {
  const count = arms.length;
  const speedLimit = random.pick([8.33, 11.11]);
  const ring = (from: number, to: number) =>
    network.addLane(Line.arc([0, 0], radius, from, to), { kind: 'roundabout', width, speedLimit });
  const curves = arms.map((arm) => entryAndExit(arm, radius));
  const quarters = arms.map((arm, k): Quarter => {
    const { entryLine, exitLine, entryAt, exitAt } = curves[k];
    const next = (k + 1) % count;
    const round = next > k ? 0 : 2 * Math.PI;
    const common = { kind: 'roundabout', width: arm.section.laneWidth, speedLimit } as const;
    const entry = network.addLane(entryLine, common);
    const exit = network.addLane(exitLine, common);
    entry.movement = { from: k, to: -1, turn: 'right' };
    const pass = ring(exitAt, entryAt);
    const onward = ring(entryAt, curves[next].exitAt + round);
    return { entry, exit, pass, onward };
  });
  for (const [k, { entry, exit, pass, onward }] of quarters.entries()) {
    const arm = arms[k];
    const before = quarters[(k + count - 1) % count].onward;
    arm.in.lanes[0].control = 'yield';
    link(arm.in.lanes[0], entry);
    link(entry, onward);
    link(before, pass);
    link(before, exit);
    link(pass, onward);
    link(exit, arm.out.lanes[0]);
  }
  return quarters;
}

/** Curves between an arm and the ring, as gentle as the angle at which they touch the ring allows. */
function entryAndExit(arm: Arm, radius: number) {
  const begin = arm.in.lanes[0].line.at(arm.in.lanes[0].line.length);
  const end = arm.out.lanes[0].line.at(0);
  const onRing = (angle: number) => ({
    x: radius * Math.cos(angle),
    y: radius * Math.sin(angle),
    heading: angle + Math.PI / 2,
    curvature: 1 / radius,
  });
  const gentlest = (make: (delta: number, reach: number) => Line) => {
    let best = { line: make(0.5, 1), delta: 0.5 };
    for (let delta = 0.34; delta < 0.56; delta += 0.03) {
      for (const reach of [0.85, 1]) {
        const line = make(delta, reach);
        if (line.sharpest < best.line.sharpest) best = { line, delta };
      }
    }
    if (best.line.sharpest > kSharpest) throw new RoadError('roundabout curves too tight');
    return best;
  };
  const entry = gentlest((d, reach) => Line.connect(begin, onRing(arm.angle + d), reach));
  const exit = gentlest((d, reach) => Line.connect(onRing(arm.angle - d), end, reach));
  return {
    entryLine: entry.line,
    exitLine: exit.line,
    entryAt: arm.angle + entry.delta,
    exitAt: arm.angle - exit.delta,
  };
}
