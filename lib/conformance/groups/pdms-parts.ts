/** Parts of the simulator that need no scene, and the aggregate over scenes. */
import { checkComfort, extendedComfort, simulateTrajectory } from '../../sim/drive.js';
import { aggregateTwoStage, type TwoStageMapping } from '../../sim/epdms.js';
import type { PdmVersion } from '../../sim/pdm-scorer.js';
import type { Check } from '../check.js';
import type { PdmsCase, PdmsFile } from '../pdms-golden.js';

interface Named {
  readonly id: string;
}

/** A case for every result of a version, with the input of the same id. */
function casesOf<I extends Named, W extends Named>(
  file: PdmsFile,
  version: string,
  run: (check: Check, input: I, want: W) => void,
): PdmsCase[] {
  const inputs = new Map((file.input.cases as I[]).map((input) => [input.id, input]));
  const { results } = file.expected[version] as { results: W[] };
  return results.map((want) => ({
    id: version === 'both' ? want.id : `${want.id}/${version}`,
    run: (check) => {
      const input = inputs.get(want.id);
      if (input === undefined) throw new Error(`the input has no case ${want.id}`);
      run(check, input, want);
    },
  }));
}

const kDrive = { abs: 1e-6 };
const kSeries = { abs: 1e-6 };
const kRounded = { abs: 1e-9 };

interface EgoRow extends Readonly<Record<string, number>> {
  readonly time_us: number;
}

/** Trajectories driven from states that may have steering and yaw rates. */
export function simulatorCases(file: PdmsFile): PdmsCase[] {
  type Input = Named & { ego: EgoRow; poses: number[][] };
  type Want = Named & {
    reference_xyh: number[][];
    velocity_profile: number[];
    curvature_profile: number[];
    rollout: number[][];
  };
  const fields = ['x', 'y', 'heading', 'vx', 'vy', 'ax', 'ay'];
  const angular = ['steering_angle', 'steering_rate', 'yaw_rate', 'yaw_accel'];
  return casesOf<Input, Want>(file, 'both', (check, { ego, poses }, want) => {
    const state = Float64Array.from([...fields, ...angular], (name) => ego[name] ?? 0);
    const drive = simulateTrajectory(state, ego.time_us, Float64Array.from(poses.flat()));
    check.close('reference', drive.reference, want.reference_xyh.flat(), kDrive);
    check.close('velocity', drive.velocity, want.velocity_profile, kDrive);
    check.close('curvature', drive.curvature, want.curvature_profile, kDrive);
    check.close('rollout', drive.rollout, want.rollout.flat(), kDrive);
  });
}

/** Names of the comfort signals in goldens, in their order here. */
const kSignals = ['lon_accel', 'lat_accel', 'jerk_magnitude', 'lon_jerk', 'yaw_accel', 'yaw_rate'];

/** Filtered signals and what they say. */
export function comfortCases(file: PdmsFile): PdmsCase[] {
  type Input = Named & { states: number[][] };
  type Want = Named & {
    within_bound: Record<string, boolean>;
    comfortable: boolean;
    signals: Record<string, number[]>;
  };
  return (['v1', 'v2'] satisfies PdmVersion[]).flatMap((version) =>
    casesOf<Input, Want>(file, version, (check, { states }, want) => {
      const got = checkComfort(Float64Array.from(states.flat()), version);
      check.equal('comfortable', [String(got.comfortable)], [String(want.comfortable)]);
      got.signals.forEach(({ within, values }, k) => {
        const name = kSignals[k]!;
        check.equal(`${name} within`, [String(within)], [String(want.within_bound[name])]);
        check.close(name, values, want.signals[name]!, kSeries);
      });
    }),
  );
}

/** Differences of two consecutive frames. */
export function extendedComfortCases(file: PdmsFile): PdmsCase[] {
  type Input = Named & {
    interval_s: number;
    rollout_now: number[][];
    rollout_previous: number[][];
  };
  type Want = Named & { rms: Record<string, number>; two_frame_extended_comfort: boolean };
  return casesOf<Input, Want>(file, 'v2', (check, input, want) => {
    const now = Float64Array.from(input.rollout_now.flat());
    const previous = Float64Array.from(input.rollout_previous.flat());
    const got = extendedComfort(now, previous, input.interval_s);
    const { acceleration, jerk, yawRate, yawAcceleration, comfortable } = got;
    const { rms } = want;
    check.close(
      'rms',
      [acceleration, jerk, yawRate, yawAcceleration],
      [rms.acceleration!, rms.jerk!, rms.yaw_rate!, rms.yaw_accel!],
      // Both series are rounded to 8 decimals on their way.
      { abs: 2e-8 },
    );
    const expected = String(want.two_frame_extended_comfort);
    check.equal('comfortable', [String(comfortable)], [expected]);
  });
}

/** Two-stage scores. */
export function aggregateCases(file: PdmsFile): PdmsCase[] {
  interface Row {
    token: string;
    start_time: number;
    endpoint_x: number;
    endpoint_y: number;
    start_point_x: number;
    start_point_y: number;
    multiplicative_metrics_prod: number;
    weighted_metrics: [number, number, number, number];
    rollout: number[][];
  }
  type Mapping = { now: string; previous: string; second_stage: [string, string][] };
  type Input = Named & { rows: Row[]; mappings: Mapping[] };
  type Want = Named & {
    rows: { token: string; weight: number; score: number; two_frame_extended_comfort: number }[];
    final_score: number;
    stage_one_score: number;
    stage_two_score: number;
  };
  return casesOf<Input, Want>(file, 'v2', (check, { rows, mappings }, want) => {
    const got = aggregateTwoStage(
      rows.map((row) => {
        const [egoProgress, ttc, laneKeeping, historyComfort] = row.weighted_metrics;
        return {
          token: row.token,
          startTimeS: row.start_time,
          endpoint: [row.endpoint_x, row.endpoint_y],
          startPoint: [row.start_point_x, row.start_point_y],
          product: row.multiplicative_metrics_prod,
          egoProgress,
          ttc,
          laneKeeping,
          historyComfort,
          rollout: Float64Array.from(row.rollout.flat()),
        };
      }),
      mappings.map(
        ({ now, previous, second_stage }): TwoStageMapping => ({
          now,
          previous,
          secondStage: second_stage,
        }),
      ),
    );
    const column = (name: 'weight' | 'score') => want.rows.map((row) => row[name]);
    check.equal(
      'rows',
      got.frames.map(({ token }) => token),
      want.rows.map(({ token }) => token),
    );
    check.close(
      'weights',
      got.frames.map(({ weight }) => weight),
      column('weight'),
      kRounded,
    );
    check.close(
      'scores',
      got.frames.map(({ score }) => score),
      column('score'),
      kRounded,
    );
    check.equal(
      'extended comfort',
      got.frames.map((frame) => frame.extendedComfort),
      want.rows.map((row) => row.two_frame_extended_comfort),
    );
    check.close(
      'final, stage one, stage two',
      [got.score, got.stageOneScore, got.stageTwoScore],
      [want.final_score, want.stage_one_score, want.stage_two_score],
      kRounded,
    );
  });
}
