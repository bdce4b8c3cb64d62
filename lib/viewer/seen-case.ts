// What a page of `wam-flow see` shows. The page's code and Node's share this.

/** A camera without roll over a flat road, and where it is mounted on the ego. */
export interface SeenCamera {
  /** Horizontal field of view, degrees. */
  fovDeg: number;
  /** Above the road, metres. */
  heightM: number;
  /** Degrees that it looks down. */
  pitchDeg: number;
  /** Ahead of the point that plans are relative to, metres. */
  forwardM: number;
}

/** A picture as a `data:` address. */
export interface SeenPicture {
  url: string;
  /** Of the picture that is meant, pixels; the one in `url` may be smaller. */
  width: number;
  height: number;
}

/** What a position of a sequence is. */
export type TokenKind = 'text' | 'special' | 'number' | 'image' | 'pad';

/** A sequence as the model takes it; arrays have a value for each position. */
export interface SeenSequence {
  /** Name on the switch. */
  label: string;
  detail: string;
  ids: readonly number[];
  kinds: readonly TokenKind[];
  /** What a token says; empty for image positions and pads. */
  texts: readonly string[];
  /** Whether the model fills the position in. */
  filled: readonly boolean[];
  /** Whether others may look at it. */
  attended: readonly boolean[];
  answerStart: number;
  mask: 'causal' | 'full' | 'prefix';
}

/** Waypoints x0, y0, x1, y1, ...: metres, x ahead, y to the left. */
export type Waypoints = readonly number[];

/** What a model answered. */
export interface SeenPlan {
  /** The plan after each step. */
  refinements: readonly Waypoints[];
  /** Of each number of the last step, log-probability among all numbers. */
  logProbability: readonly number[];
  /** The answer as text, and what reading it back gave. */
  answer: string;
  complete: boolean;
  problems: readonly string[];
  /** One line: model, steps, times. */
  detail: string;
}

/** One picture with everything that is made of it. */
export interface SeenCase {
  name: string;
  original: SeenPicture;
  seen: SeenPicture & {
    /** Pixels of a patch's side. */
    patch: number;
    /** Where the original lies in it. */
    placement: { left: number; top: number; width: number; height: number };
    /** Mean colour of each patch, 0xRRGGBB, row by row. */
    colors: readonly number[];
  };
  /** The same prompt in one or several forms; empty without a tokenizer. */
  sequences: readonly SeenSequence[];
  plan: SeenPlan | null;
  /** Waypoints to compare with. */
  known: Waypoints | null;
  camera: SeenCamera | null;
}
