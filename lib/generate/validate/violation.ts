/** What a scene can have wrong with it. */
export type Rule =
  | 'link'
  | 'neighbor'
  | 'joint'
  | 'joint-heading'
  | 'border-side'
  | 'width'
  | 'curvature'
  | 'self-overlap'
  | 'lane-overlap'
  | 'drivable-area'
  | 'off-road'
  | 'collision'
  | 'acceleration'
  | 'lateral-acceleration'
  | 'motion'
  | 'heading'
  | 'red-light';

/** One broken rule: where, and the figures. */
export interface Violation {
  rule: Rule | 'no-window' | 'road-sizes';
  /** `lane 12`, `lanes 3 and 7`, `track 4 at step 88`, ... */
  where: string;
  detail: string;
}

export type Point = readonly [number, number];
