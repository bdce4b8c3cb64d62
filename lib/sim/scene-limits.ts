/**
 * Limits of a scene. They are far beyond any real one: what exceeds them is a mistake, and is said so before it costs
 * minutes or gigabytes.
 */

/** Characters of an id: of a lane of a scenario file (256) and what the adapter puts before it. */
export const kMaxId = 260;
export const kMaxRoadblocks = 100_000;
export const kMaxLanes = 100_000;
export const kMaxAreas = 100_000;
/** Vertices of one polygon, points of one baseline. */
export const kMaxPoints = 10_000;
export const kMaxAgents = 20_000;
export const kMaxRoute = 1000;
export const kMaxTrajectories = 100_000;

/** Radians; headings need not be wrapped. */
export const kMaxHeading = 100;
/** m/s, each component in any frame (those of a track reach 200). */
export const kMaxSpeed = 300;
/** m/s^2: what such a speed and steps of 0.01 s come to. */
export const kMaxAcceleration = 1e5;
/** m. */
export const kMinBoxSize = 0.001;
export const kMaxBoxSize = 1000;

/** Seconds between the moments of agents, lights, poses and past states. */
export const kSceneInterval = 0.5;
/** Moments of agents and lights: 0 to 5 s. */
export const kSceneMoments = 11;
/** Poses of a trajectory: 0.5 to 4 s. */
export const kScenePoses = 8;
/** Past states with the present. */
export const kPastStates = 4;
