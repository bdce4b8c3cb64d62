// A scene and drives for the child processes that score.

const rectangle = [
  [0, -4],
  [200, -4],
  [200, 4],
  [0, 4],
];
const ego = { timeUs: 0, x: 20, y: 0, heading: 0, vx: 8, vy: 0, ax: 0, ay: 0 };

export const scene = () => ({
  id: 'child',
  map: {
    roadblocks: [
      {
        id: 'b',
        isConnector: false,
        polygon: rectangle,
        laneIds: ['l'],
        incoming: [],
        outgoing: [],
      },
    ],
    lanes: [
      {
        id: 'l',
        roadblockId: 'b',
        isConnector: false,
        polygon: rectangle,
        baseline: Array.from({ length: 101 }, (_, i) => [2 * i, 0, 0]),
        speedLimit: 10,
        incoming: [],
        outgoing: [],
      },
    ],
    intersections: [],
    carparks: [],
  },
  routeRoadblockIds: ['b'],
  ego,
  egoPast: [],
  humanTrajectory: null,
  agents: [],
  trafficLights: [],
});

/** n drives straight on at 8 m/s. */
export const drives = (n) =>
  Float64Array.from({ length: n * 24 }, (_, i) =>
    i % 3 === 0 ? 4 * (Math.floor((i % 24) / 3) + 1) : 0,
  );
