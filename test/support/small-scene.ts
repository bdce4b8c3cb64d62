// Scenes in their JSON form, small enough to be mutated a million times.

// biome-ignore lint/suspicious/noExplicitAny: scenes are changed in every way a file may be wrong.
export type SceneJson = any;

/** What a small scene has. */
export interface SmallSceneShape {
  /** Roadblocks in a row, every third a connector. */
  blocks: number;
  /** Parallel lanes. */
  lanes: number;
  agents: number;
  lights: boolean;
  /** Position of the first lane's beginning, m. */
  origin: readonly [number, number];
}

const kTypes = [
  'vehicle',
  'pedestrian',
  'bicycle',
  'traffic_cone',
  'barrier',
  'czone_sign',
  'generic_object',
];
const kWidth = 3.5;
const kLength = 30;

/** A straight road along +x: blocks of 30 m, lanes of 3.5 m, objects of all kinds beside and ahead of the ego. */
export function smallScene(shape: Partial<SmallSceneShape> = {}): SceneJson {
  const { blocks, lanes, agents, lights, origin } = {
    ...{ blocks: 3, lanes: 2, agents: 3, lights: true, origin: [0, 0] },
    ...shape,
  };
  const [x0, y0] = origin;
  const rectangle = (x: number, y: number, length: number, width: number) => [
    [x0 + x, y0 + y],
    [x0 + x + length, y0 + y],
    [x0 + x + length, y0 + y + width],
    [x0 + x, y0 + y + width],
  ];
  const isConnector = (b: number) => b % 3 === 1;
  const near = (b: number, step: number, name: (b: number) => string) =>
    b + step >= 0 && b + step < blocks ? [name(b + step)] : [];
  const all = (count: number) => Array.from({ length: count }, (_, i) => i);
  const blockId = (b: number) => `rb${b}`;
  const roadblocks = all(blocks).map((b) => ({
    id: blockId(b),
    is_connector: isConnector(b),
    polygon: rectangle(b * kLength, 0, kLength, lanes * kWidth),
    lane_ids: all(lanes).map((l) => `l${b}-${l}`),
    incoming: near(b, -1, blockId),
    outgoing: near(b, 1, blockId),
  }));
  const laneList = all(blocks).flatMap((b) =>
    all(lanes).map((l) => ({
      id: `l${b}-${l}`,
      roadblock_id: blockId(b),
      is_connector: isConnector(b),
      polygon: rectangle(b * kLength, l * kWidth, kLength, kWidth),
      baseline: all(7).map((i) => [x0 + b * kLength + i * 5, y0 + (l + 0.5) * kWidth, 0]),
      speed_limit_mps: l === 0 ? 13.9 : null,
      incoming: near(b, -1, (k) => `l${k}-${l}`),
      outgoing: near(b, 1, (k) => `l${k}-${l}`),
    })),
  );
  const connectors = laneList.filter((lane) => lane.is_connector).map((lane) => lane.id);
  const state = (t: number) => ({
    time_us: 2_000_000 + t * 1e6,
    x: x0 + 5 + 8 * t,
    y: y0 + kWidth / 2,
    heading: 0,
    vx: 8,
    vy: 0,
    ax: 0.2,
    ay: 0,
  });
  const human = all(8).map((k) => [4 * (k + 1), 0, 0]);
  return {
    id: 'small',
    kind: 'scene',
    map: {
      roadblocks,
      lanes: laneList,
      intersections: [{ id: 'i0', polygon: rectangle(kLength, -1, kLength, lanes * kWidth + 2) }],
      carparks: [{ id: 'c0', polygon: rectangle(0, -6, 20, 6) }],
    },
    route_roadblock_ids: all(blocks).map(blockId),
    ego: state(0),
    ego_past: [-1.5, -1, -0.5, 0].map(state),
    human_trajectory: human,
    agents: all(agents).map((a) => ({
      token: `a${a}`,
      type: kTypes[a % kTypes.length],
      length: 4.5,
      width: 1.9,
      samples: all(11 - (a % 3)).map((k) => ({
        t: k * 0.5,
        x: x0 + 20 + a * 7 + 3 * k,
        y: y0 + kWidth / 2 + (a % 2) * kWidth,
        heading: 0,
        ...(a % kTypes.length < 3 ? { vx: 6, vy: 0 } : {}),
      })),
    })),
    traffic_lights: lights
      ? all(11).map((k) => ({
          t: k * 0.5,
          red: connectors.slice(0, 1),
          green: connectors.slice(1),
        }))
      : [],
    trajectories: [
      { id: 'human', label: 'human', poses: human },
      { id: 'stop', label: '', poses: all(8).map(() => [0, 0, 0]) },
    ],
  };
}
