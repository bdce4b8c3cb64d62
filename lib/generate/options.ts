import { argumentError } from '../errors.js';
import type { SceneRequest } from './scene.js';
import { kRoadKinds, type RoadKind } from './world.js';

/** Options of {@link generateScenes} and of what is built on it. */
export interface GenerateOptions {
  /** Windows in all; the last scene may give fewer of its own. Default 1000. */
  windows?: number;
  /** 0 to 2^53 - 1. Scene i of a seed is always the same, whatever else is asked for beside `kinds`. Default 1. */
  seed?: number;
  /** Kinds of road: a list, each with the same share of the scenes, or shares by name. Default all. */
  kinds?: readonly RoadKind[] | Readonly<Partial<Record<RoadKind, number>>>;
  /** Share of the scenes with split `val`; all others have `train`. Default 0.1. */
  valShare?: number;
  /** Windows of one scene at most. Default 6. */
  windowsPerScene?: number;
  /** Windows of one vehicle of a scene at most. Default 2. */
  windowsPerEgo?: number;
  /** Give each window what an expert would drive ({@link expertPlan}); about 30 ms a window. Default false. */
  expert?: boolean;
  /** Stops the work; the call rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Options that are checked and complete. */
export interface CheckedOptions {
  windows: number;
  /** All of a scene's request but its number. */
  request: Omit<SceneRequest, 'index'>;
  expert: boolean;
  signal: AbortSignal | undefined;
}

/** @throws WamFlowError `ERR_ARGUMENT`, `ERR_RANGE`. */
export function checkOptions(options: GenerateOptions): CheckedOptions {
  const integer = (name: keyof GenerateOptions, low: number, high: number, other: number) => {
    const value = options[name] ?? other;
    if (!Number.isInteger(value) || (value as number) < low || (value as number) > high) {
      throw argumentError(name, `an integer from ${low} to ${high}`, value, 'ERR_RANGE');
    }
    return value as number;
  };
  const valShare = options.valShare ?? 0.1;
  if (typeof valShare !== 'number' || !(valShare >= 0 && valShare <= 1)) {
    throw argumentError('valShare', 'a number from 0 to 1', valShare, 'ERR_RANGE');
  }
  if (options.expert !== undefined && typeof options.expert !== 'boolean') {
    throw argumentError('expert', 'true or false', options.expert);
  }
  return {
    expert: options.expert ?? false,
    windows: integer('windows', 1, 10_000_000, 1000),
    request: {
      seed: integer('seed', 0, Number.MAX_SAFE_INTEGER, 1),
      kinds: checkKinds(options.kinds ?? kRoadKinds),
      valShare,
      cut: {
        perScene: integer('windowsPerScene', 1, 1000, 6),
        perEgo: integer('windowsPerEgo', 1, 1000, 2),
      },
    },
    signal: options.signal,
  };
}

function checkKinds(kinds: NonNullable<GenerateOptions['kinds']>): SceneRequest['kinds'] {
  const shares: (readonly [unknown, unknown])[] = Array.isArray(kinds)
    ? kinds.map((kind) => [kind, 1])
    : Object.entries(kinds);
  const checked = shares.map(([kind, share]) => {
    if (!kRoadKinds.includes(kind as RoadKind)) {
      throw argumentError('kinds', `of ${kRoadKinds.join(', ')}`, kind);
    }
    if (typeof share !== 'number' || !(share >= 0 && share < Number.POSITIVE_INFINITY)) {
      throw argumentError(`kinds.${kind}`, 'a share of at least 0', share, 'ERR_RANGE');
    }
    return { kind: kind as RoadKind, share };
  });
  if (!checked.some(({ share }) => share > 0)) {
    throw argumentError('kinds', 'at least one kind of road', kinds);
  }
  // In one order whatever the caller's, so that the same kinds give the same scenes.
  const order = (kind: RoadKind) => kRoadKinds.indexOf(kind);
  return checked.sort((a, b) => order(a.kind) - order(b.kind));
}
