import type {
  PdmScene,
  SceneAgent,
  SceneLane,
  ScenePose,
  SceneRoadblock,
} from '../../lib/sim/scene.js';

/** Where the scene lies and what is on it. */
export interface StraightRoad {
  agents?: readonly SceneAgent[];
  /** Of the connector ahead, at all times. */
  light?: 'red' | 'green' | 'none';
  /** What the driver did; default: drove on at 10 m/s. */
  human?: readonly ScenePose[] | null;
  hasPast?: boolean;
  /** Where the intersection of 20 m begins, m along the road; default 40. */
  middle?: number;
  /** Turn and shift of everything. */
  pose?: ScenePose;
}

/** Speed of the ego, m/s. */
export const kSpeed = 10;
/** Rear axle of the ego along the road, m; it is on the middle of its lane, y = 1.75. */
export const kEgoX = 20.4;

const kWidth = 3.5;
/** Speed limit, m/s. */
export const kLimit = 9.97;

/**
 * A road along +x in three stretches with an intersection in the middle: two lanes of the route (lane 0 at
 * y = 0 .. 3.5, lane 1 at y = 3.5 .. 7) and an oncoming lane at y = 7 .. 10.5. The ego drives at 10 m/s on lane 0.
 */
export function straightRoad(road: StraightRoad = {}): PdmScene {
  const { agents = [], light = 'none', hasPast = true, middle = 40 } = road;
  const stretches = [
    { name: 'in', from: 0, to: middle, isConnector: false },
    { name: 'middle', from: middle, to: middle + 20, isConnector: true },
    { name: 'out', from: middle + 20, to: 160, isConnector: false },
  ];
  const human = road.human === undefined ? drive(() => [0, 0]) : road.human;
  const [x0, y0, turn] = road.pose ?? [0, 0, 0];
  const point = (x: number, y: number): [number, number] => [
    x0 + x * Math.cos(turn) - y * Math.sin(turn),
    y0 + x * Math.sin(turn) + y * Math.cos(turn),
  ];
  const rectangle = (x: number, y: number, length: number, width: number) => [
    point(x, y),
    point(x + length, y),
    point(x + length, y + width),
    point(x, y + width),
  ];
  const roadblocks: SceneRoadblock[] = [];
  const lanes: SceneLane[] = [];
  const stretch = (side: 'own' | 'oncoming', indices: readonly number[]) => {
    const order = side === 'own' ? stretches : stretches.toReversed();
    order.forEach(({ name, from, to, isConnector }, k) => {
      const id = `${side}-${name}`;
      const near = (step: number, suffix = '') =>
        order[k + step] ? [`${side}-${order[k + step]!.name}${suffix}`] : [];
      const bottom = indices[0]! * kWidth;
      roadblocks.push({
        id,
        isConnector,
        polygon: rectangle(from, bottom, to - from, indices.length * kWidth),
        laneIds: indices.map((i) => `${id}-${i}`),
        incoming: near(-1),
        outgoing: near(1),
      });
      for (const i of indices) {
        const count = (to - from) / 2;
        const baseline = Array.from({ length: count + 1 }, (_, n): [number, number, number] => {
          const x = side === 'own' ? from + 2 * n : to - 2 * n;
          return [...point(x, (i + 0.5) * kWidth), side === 'own' ? turn : turn + Math.PI];
        });
        lanes.push({
          id: `${id}-${i}`,
          roadblockId: id,
          isConnector,
          polygon: rectangle(from, i * kWidth, to - from, kWidth),
          baseline,
          speedLimit: kLimit,
          incoming: near(-1, `-${i}`),
          outgoing: near(1, `-${i}`),
        });
      }
    });
  };
  stretch('own', [0, 1]);
  stretch('oncoming', [2]);
  const ego = (t: number) => {
    const [x, y] = point(kEgoX + kSpeed * t, kWidth / 2);
    return { timeUs: 2_000_000 + t * 1e6, x, y, heading: turn, vx: kSpeed, vy: 0, ax: 0, ay: 0 };
  };
  return {
    id: 'straight',
    map: {
      roadblocks,
      lanes,
      intersections: [{ id: 'crossing', polygon: rectangle(middle, 0, 20, 3 * kWidth) }],
      carparks: [],
    },
    routeRoadblockIds: ['own-in', 'own-middle', 'own-out'],
    ego: ego(0),
    egoPast: hasPast ? [-1.5, -1, -0.5, 0].map(ego) : [],
    humanTrajectory: human,
    agents: agents.map((agent) => ({
      ...agent,
      samples: agent.samples.map((s) => {
        const [x, y] = point(s.x, s.y);
        const [vx, vy] = [
          s.vx * Math.cos(turn) - s.vy * Math.sin(turn),
          s.vx * Math.sin(turn) + s.vy * Math.cos(turn),
        ];
        return { t: s.t, x, y, heading: s.heading + turn, vx, vy };
      }),
    })),
    trafficLights:
      light === 'none'
        ? []
        : Array.from({ length: 11 }, (_, k) => ({
            t: k / 2,
            red: light === 'red' ? ['own-middle-0', 'own-middle-1'] : [],
            green: light === 'green' ? ['own-middle-0', 'own-middle-1'] : [],
          })),
  };
}

/** An object, 2 m wide and 4 m long unless it is said otherwise, that keeps its velocity along x. */
export function movingObject(
  token: string,
  {
    x,
    y,
    speed,
    type = 'vehicle',
    length = 4,
  }: { x: number; y: number; speed: number; type?: SceneAgent['type']; length?: number },
): SceneAgent {
  return {
    token,
    type,
    length,
    width: 2,
    samples: Array.from({ length: 11 }, (_, k) => ({
      t: k / 2,
      x: x + (speed * k) / 2,
      y,
      heading: speed < 0 ? Math.PI : 0,
      vx: speed,
      vy: 0,
    })),
  };
}

/**
 * 8 poses at 0.5 .. 4 s of a drive at 10 m/s that is moved by `[ahead, left]` metres at each time; the heading follows
 * the way.
 */
export function drive(moved: (t: number) => readonly [number, number]): ScenePose[] {
  const at = (t: number) => {
    const [ahead, left] = moved(t);
    return [kSpeed * t + ahead, left] as const;
  };
  return Array.from({ length: 8 }, (_, k): ScenePose => {
    const t = (k + 1) / 2;
    const [x, y] = at(t);
    const [before, after] = [at(t - 0.05), at(t + 0.05)];
    const [dx, dy] = [after[0] - before[0], after[1] - before[1]];
    return [x, y, Math.hypot(dx, dy) < 0.01 ? 0 : Math.atan2(dy, dx)];
  });
}
