import { Path } from './path.js';
import type { Scene } from './record.js';
import { laneOffset, makeMap, makeRoad } from './roads.js';
import type { Driver, LaneChange, VehiclePlan } from './traffic.js';

const kWidth = 3.5; // metres, of a lane
const kApron = 80; // metres of road before and behind the map, where vehicles come from and go to

/** A vehicle on a road: its lane from the right, and the arc length of the reference where it starts. */
interface RoadVehicle extends Partial<Pick<VehiclePlan, 'braking' | 'length' | 'width'>> {
  lane: number;
  arc: number;
  speed: number;
  desired: number;
  /** Change to this lane, not before `from` metres. */
  change?: { lane: number; from: number };
}

/** Two lanes through a left and a right bend; the ego follows another vehicle. */
export function curveScene(random: () => number): Scene {
  const reference = Path.fromCurvature({ x: 0, y: 0, heading: 0.3 }, [
    { length: kApron + 60, curvature: 0 },
    { length: 75, curvature: 1 / 45 },
    { length: 40, curvature: 0 },
    { length: 90, curvature: -1 / 60 },
    { length: 60 + kApron, curvature: 0 },
  ]);
  return roadScene('curve', reference, {
    laneEnds: [Infinity, Infinity],
    speedLimit: 13.89,
    seconds: 22,
    random,
    vehicles: [
      { lane: 0, arc: 60, speed: 11, desired: 13 },
      { lane: 0, arc: 92, speed: 11, desired: 12 },
      { lane: 1, arc: 75, speed: 12, desired: 13.5 },
      { lane: 1, arc: 120, speed: 12, desired: 13 },
      { lane: 0, arc: 25, speed: 11, desired: 13 },
      { lane: 1, arc: 20, speed: 12, desired: 14 },
      { lane: 0, arc: 160, speed: 10, desired: 11, length: 8.4, width: 2.4 },
    ],
    cases: [
      { ego: 0, seconds: [4, 6, 8, 10, 12, 14, 16] },
      { ego: 2, seconds: [3, 5, 7, 9, 11, 13] },
    ],
  });
}

/** Three lanes of fast traffic; the vehicle before the ego brakes hard and drives on. */
export function leadVehicleScene(random: () => number): Scene {
  const reference = Path.fromCurvature({ x: 0, y: 0, heading: -0.6 }, [
    { length: kApron + 150, curvature: 0 },
    { length: 150, curvature: -1 / 700 },
    { length: 130 + kApron, curvature: 0 },
  ]);
  return roadScene('lead-vehicle', reference, {
    laneEnds: [Infinity, Infinity, Infinity],
    speedLimit: 22.22,
    seconds: 22,
    random,
    vehicles: [
      { lane: 1, arc: 35, speed: 18, desired: 20 },
      {
        lane: 1,
        arc: 66,
        speed: 18,
        desired: 19,
        braking: { at: 4.5, deceleration: 3.4, speed: 4, hold: 2 },
      },
      { lane: 1, arc: 5, speed: 18, desired: 20 },
      { lane: 0, arc: 50, speed: 16, desired: 17 },
      { lane: 0, arc: 100, speed: 16, desired: 16.5, length: 11.2, width: 2.5 },
      { lane: 0, arc: 10, speed: 16, desired: 18 },
      { lane: 2, arc: 20, speed: 20, desired: 21.5 },
      { lane: 2, arc: 75, speed: 20, desired: 21 },
      { lane: 1, arc: 110, speed: 19, desired: 20 },
    ],
    cases: [
      { ego: 0, seconds: [5, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13] },
      { ego: 2, seconds: [5, 7, 9, 11, 13] },
    ],
  });
}

/** The ego's lane ends and it merges into a gap; farther left another vehicle passes a truck. */
export function laneChangeScene(random: () => number): Scene {
  const reference = Path.fromCurvature({ x: 0, y: 0, heading: 1.9 }, [
    { length: kApron + 120, curvature: 0 },
    { length: 160, curvature: 1 / 900 },
    { length: 140 + kApron, curvature: 0 },
  ]);
  return roadScene('lane-change', reference, {
    laneEnds: [kApron + 240, Infinity, Infinity],
    speedLimit: 19.44,
    seconds: 22,
    random,
    vehicles: [
      { lane: 0, arc: 44, speed: 14, desired: 16, change: { lane: 1, from: kApron + 90 } },
      { lane: 1, arc: 5, speed: 15, desired: 16.5 },
      { lane: 1, arc: 84, speed: 15.5, desired: 17 },
      { lane: 1, arc: 118, speed: 15.5, desired: 17 },
      { lane: 1, arc: 196, speed: 15, desired: 15.5, length: 9.8, width: 2.5 },
      { lane: 2, arc: 8, speed: 18, desired: 19.5 },
      { lane: 2, arc: 215, speed: 18, desired: 19.5 },
      { lane: 0, arc: 0, speed: 14, desired: 16, change: { lane: 1, from: kApron + 90 } },
      { lane: 1, arc: 152, speed: 15, desired: 19, change: { lane: 2, from: kApron + 150 } },
    ],
    cases: [
      { ego: 0, seconds: [5, 3, 4, 6, 7, 8, 9, 10] },
      { ego: 8, seconds: [2, 3, 4, 5, 6] },
    ],
  });
}

interface RoadScene {
  laneEnds: readonly number[];
  speedLimit: number;
  seconds: number;
  random: () => number;
  vehicles: readonly RoadVehicle[];
  cases: Scene['cases'];
}

function roadScene(name: string, reference: Path, scene: RoadScene): Scene {
  const end = reference.length - kApron;
  const cuts = [kApron, kApron + 120, kApron + 240, end].filter(
    (cut, i) => i === 3 || cut < end - 20,
  );
  const lanes = makeRoad(reference, { ...scene, firstId: 101, width: kWidth, cuts });
  return {
    name,
    map: makeMap(`map-${name}`, name, lanes),
    vehicles: scene.vehicles.map((vehicle) => {
      // People do not drive on the centre line.
      const aside = (scene.random() - 0.5) * 0.5;
      const lateral = laneOffset(vehicle.lane, kWidth) + aside;
      const change: LaneChange | undefined = vehicle.change && {
        from: vehicle.change.from,
        reference,
        fromLateral: lateral,
        toLateral: laneOffset(vehicle.change.lane, kWidth) + aside,
        laneEnd: scene.laneEnds[vehicle.lane],
      };
      const path = reference.offset(lateral);
      const [x, y] = reference.beside(vehicle.arc, lateral);
      return {
        length: vehicle.length ?? carLength(scene.random),
        width: vehicle.width ?? carWidth(scene.random),
        driver: makeDriver(scene.random, vehicle.desired),
        path,
        arc: path.project(x, y).arc,
        speed: vehicle.speed,
        lanes,
        braking: vehicle.braking,
        laneChange: change,
      };
    }),
    lights: [],
    seconds: scene.seconds,
    isOnMap: (x, y) => {
      const { arc } = reference.project(x, y);
      return arc >= kApron && arc <= end;
    },
    cases: scene.cases,
  };
}

/** Parameters spread as among people. */
export function makeDriver(random: () => number, desiredSpeed: number): Driver {
  return {
    desiredSpeed,
    headway: 1 + 0.6 * random(),
    acceleration: 1.3 + 0.7 * random(),
    comfortableBraking: 1.8 + 0.6 * random(),
    gap: 1.8 + 0.8 * random(),
  };
}

/** Metres. */
export function carLength(random: () => number): number {
  return Math.round((4.1 + random()) * 100) / 100;
}

/** Metres. */
export function carWidth(random: () => number): number {
  return Math.round((1.75 + 0.25 * random()) * 100) / 100;
}
