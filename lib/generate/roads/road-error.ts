/** The drawn sizes do not fit together: the scene is drawn again. */
export class RoadError extends Error {}
