import { argumentError, WamFlowError } from '../errors.js';
import { type NativeScorer, native } from '../native.js';
import { type Explanation, Explainer } from './explanation.js';
import { packScene } from './pack-scene.js';
import { type PackedSceneMap, packSceneMap } from './pack-scene-map.js';
import { type PdmReference, readReference } from './pdm-reference.js';
import { type PdmScores, readScores } from './pdm-scores.js';
import type { PdmScene } from './scene.js';
import { kScoreColumns } from './score-rows.js';
import { packTrajectories, type Trajectories } from './trajectories.js';

/** Rules of the score: `v1` is NAVSIM v1.1 (PDMS), `v2` NAVSIM v2.2 after the human-filter fix of 2025-09-29 (EPDMS). */
export type PdmVersion = 'v1' | 'v2';

/** Options of {@link PdmScorer}. */
export interface PdmScorerOptions {
  /** Default `v2`. */
  version?: PdmVersion;
  /** Recorded traffic, or (`v2`) vehicles that react to each trajectory by the intelligent driver model. Default `replay`. */
  traffic?: 'replay' | 'reactive';
  /** Threads that work on one call, 1 to 256; results do not depend on it. Default 1. */
  threads?: number;
}

/** Options of one call. */
export interface ScoreOptions {
  /** Poses of a trajectory, 1 to 400. Default 8. */
  poses?: number;
  /** Seconds between poses, the first one an interval ahead; 0.01 to 10. Beyond the end the last pose holds. Default 0.5. */
  intervalS?: number;
  /** Also return what the simulator drove. */
  rollouts?: boolean;
  /** Also say where, when and why each trajectory lost marks. */
  explain?: boolean;
  /** Of the asynchronous calls; looked at every few milliseconds. */
  signal?: AbortSignal;
}

/** A vehicle that reacted to a rollout. */
export interface ReactiveTrack {
  token: string;
  /** [steps, 5]: x, y, heading of the box centre, vx, vy (global), 0.1 s apart from the present on. */
  states: Float64Array;
}

/** Trajectories of one call at most. */
const kMaxTrajectories = 1 << 20;
const kMaxPoses = 400;
const kRolloutSize = 41 * 11;

/**
 * NAVSIM's PDM score of one scene: set up once, then any number of trajectories in one call. Each is driven by an LQR
 * tracker and a kinematic bicycle model for 4 s and judged against the road, the other objects and PDM-Closed
 * (docs/pdm-score.md).
 *
 * @example
 * const scorer = new PdmScorer(scene);
 * const { scores, subScores } = scorer.scoreSync(trajectories); // [N, 8, 3]
 */
export class PdmScorer {
  readonly version: PdmVersion;
  readonly traffic: 'replay' | 'reactive';
  readonly threads: number;
  readonly scene: PdmScene;

  readonly #scorer: NativeScorer;
  readonly #map: PackedSceneMap;
  #explainer: Explainer | undefined;
  #reference: PdmReference | undefined;
  #scratch = new Float64Array(0);
  #jobs = 0;
  #closed: Promise<void> | undefined;

  /**
   * Sets the scene up: route, centreline, PDM-Closed. Takes some milliseconds of the calling thread.
   *
   * @throws WamFlowError `ERR_SCENARIO`, `ERR_ARGUMENT`, `ERR_NOT_FINITE`, `ERR_RANGE`, `ERR_NATIVE_MISSING`.
   */
  constructor(scene: PdmScene, options: PdmScorerOptions = {}) {
    const { version = 'v2', traffic = 'replay', threads = 1 } = options;
    if (typeof scene !== 'object' || scene === null) throw argumentError('scene', 'a scene', scene);
    if (version !== 'v1' && version !== 'v2') throw argumentError('version', 'v1 or v2', version);
    if (traffic !== 'replay' && traffic !== 'reactive') {
      throw argumentError('traffic', 'replay or reactive', traffic);
    }
    if (!Number.isInteger(threads) || threads < 1 || threads > 256) {
      throw argumentError('threads', 'an integer from 1 to 256', threads, 'ERR_RANGE');
    }
    this.scene = scene;
    this.version = version;
    this.traffic = traffic;
    this.threads = threads;
    this.#map = packSceneMap(scene.map);
    this.#scorer = native().createScorer(this.#map.native, packScene(scene, this.#map), {
      version,
      traffic,
      threads,
    });
  }

  /** What trajectories are compared with: the route, PDM-Closed and the recorded driver. */
  get reference(): PdmReference {
    this.#assertOpen();
    this.#reference ??= readReference(native().scorerReference(this.#scorer), this.#map.map);
    return this.#reference;
  }

  /** Memory of the set-up scene without its map, bytes. */
  get bytes(): number {
    this.#assertOpen();
    return native().scorerBytes(this.#scorer);
  }

  /**
   * Scores on a thread of the scorer's own, which the first such call starts. Calls wait for each other in order.
   *
   * @throws (rejects) the signal's reason when aborted; WamFlowError `ERR_CLOSED`; `ERR_ARGUMENT`, `ERR_SHAPE`,
   *   `ERR_NOT_FINITE` or `ERR_RANGE` for bad trajectories or options.
   */
  async score(trajectories: Trajectories, options: ScoreOptions = {}): Promise<PdmScores> {
    const { poses, intervalS } = this.#begin(options);
    const { values, n } = this.#pack(trajectories, poses);
    return this.#submit(values, n, poses, intervalS, options);
  }

  /**
   * Scores on the calling thread, which is blocked meanwhile; waits for a call that is running.
   *
   * @throws as {@link PdmScorer.score}.
   */
  scoreSync(trajectories: Trajectories, options: ScoreOptions = {}): PdmScores {
    const { poses, intervalS } = this.#begin(options);
    const { values, n } = this.#pack(trajectories, poses);
    const rollouts = options.rollouts ? new Float64Array(n * kRolloutSize) : undefined;
    const rows = this.#rows(n);
    native().scoreSync(this.#scorer, values, n, poses, intervalS, rows, rollouts);
    return this.#read(rows, n, rollouts, options);
  }

  /**
   * Scores trajectories that were driven elsewhere: rollouts [N, 41, 11] of states 0.1 s apart (docs/pdm-score.md) that
   * begin at the scene's ego.
   *
   * @throws as {@link PdmScorer.score}.
   */
  async scoreRollouts(
    rollouts: Float64Array,
    options: Pick<ScoreOptions, 'explain' | 'signal'> = {},
  ): Promise<PdmScores> {
    this.#begin(options);
    return this.#submit(rollouts, rolloutCount(rollouts), 0, 0, { ...options, rollouts: false });
  }

  /** {@link PdmScorer.scoreRollouts} on the calling thread. */
  scoreRolloutsSync(
    rollouts: Float64Array,
    options: Pick<ScoreOptions, 'explain'> = {},
  ): PdmScores {
    this.#begin(options);
    const n = rolloutCount(rollouts);
    const rows = this.#rows(n);
    native().scoreSync(this.#scorer, rollouts, n, 0, 0, rows);
    return this.#read(rows, n, undefined, options);
  }

  /** How the vehicles of reactive traffic drive against one rollout [41, 11]; empty with replayed traffic. */
  reactiveTracks(rollout: Float64Array): ReactiveTrack[] {
    this.#assertOpen();
    return native()
      .reactiveTracks(this.#scorer, rollout)
      .map(({ object, states }) => ({ token: this.scene.agents[object]!.token, states }));
  }

  /** Frees the scorer: pending calls reject with `ERR_CLOSED`, its thread ends. May be called again. */
  close(): Promise<void> {
    this.#closed ??= native().closeScorer(this.#scorer);
    return this.#closed;
  }

  [Symbol.dispose](): void {
    void this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new WamFlowError('ERR_CLOSED', 'the scorer was closed');
  }

  #begin(options: ScoreOptions): { poses: number; intervalS: number } {
    this.#assertOpen();
    const { poses = 8, intervalS = 0.5, signal } = options;
    if (!Number.isInteger(poses) || poses < 1 || poses > kMaxPoses) {
      throw argumentError('poses', `an integer from 1 to ${kMaxPoses}`, poses, 'ERR_RANGE');
    }
    if (typeof intervalS !== 'number') throw argumentError('intervalS', 'a number', intervalS);
    signal?.throwIfAborted();
    return { poses, intervalS };
  }

  #pack(trajectories: Trajectories, poses: number) {
    const packed = packTrajectories(trajectories, poses);
    if (packed.n > kMaxTrajectories) {
      throw argumentError('trajectories', `at most ${kMaxTrajectories}`, packed.n, 'ERR_RANGE');
    }
    return packed;
  }

  /** Memory for the rows of a synchronous call. */
  #rows(n: number): Float64Array {
    if (this.#scratch.length < n * kScoreColumns)
      this.#scratch = new Float64Array(n * kScoreColumns);
    return this.#scratch;
  }

  async #submit(
    input: Float64Array,
    n: number,
    poses: number,
    intervalS: number,
    options: ScoreOptions,
  ): Promise<PdmScores> {
    const job = ++this.#jobs;
    const wantsRollouts = options.rollouts === true;
    const pending = native().score(this.#scorer, input, n, poses, intervalS, wantsRollouts, job);
    const { signal } = options;
    const abort = () => native().abortScore(this.#scorer, job);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const buffer = await pending;
      if (buffer === undefined) throw signal?.reason;
      const rows = new Float64Array(buffer, 0, n * kScoreColumns);
      const rollouts = wantsRollouts
        ? new Float64Array(buffer, rows.byteLength, n * kRolloutSize)
        : undefined;
      return this.#read(rows, n, rollouts, options);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  #read(
    rows: Float64Array,
    n: number,
    rollouts: Float64Array | undefined,
    options: ScoreOptions,
  ): PdmScores {
    const scores = readScores(rows, n, this.version, this.scene.humanTrajectory !== null);
    if (rollouts) scores.rollouts = rollouts;
    if (options.explain) {
      this.#explainer ??= new Explainer(this.scene, this.version);
      scores.explanations = this.#explain(rows, n, this.#explainer);
    }
    return scores;
  }

  #explain(rows: Float64Array, n: number, explainer: Explainer): Explanation[][] {
    return Array.from({ length: n }, (_, i) =>
      explainer.explain(rows.subarray(i * kScoreColumns, (i + 1) * kScoreColumns)),
    );
  }
}

function rolloutCount(rollouts: Float64Array): number {
  if (!(rollouts instanceof Float64Array) || rollouts.length % kRolloutSize !== 0) {
    throw argumentError('rollouts', 'a Float64Array [N, 41, 11]', rollouts, 'ERR_SHAPE');
  }
  return rollouts.length / kRolloutSize;
}
