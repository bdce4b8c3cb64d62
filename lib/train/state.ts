// trainer_state.json: what a run was, so that it can go on and cannot go on as another.

import { z } from 'zod';
import { WamFlowError } from '../errors.js';
import { describeIssues } from '../model/config-schema.js';
import type { FloatTensor } from '../model/safetensors.js';
import {
  type CutOptions,
  type NativeTokenizerTrainer,
  type NativeTrainer,
  native,
} from '../native.js';
import { kStopRules, kTrainStages, type StopRule, type TrainStage } from './events.js';

/** Content of trainer_state.json. */
export interface TrainerState {
  format: 1;
  stage: TrainStage;
  /** Updates made. */
  step: number;
  /** Seconds that they took. */
  seconds: number;
  /** Parameters of the stage. */
  train: Record<string, unknown>;
  /** Not of stage `tokenizer`. */
  data?: { fingerprint: string; splits: string[]; cut: CutOptions | false };
  /** Stage `align`: the rule that ended the run. */
  stopRule?: StopRule;
}

const schema = z.strictObject({
  format: z.literal(1),
  stage: z.enum(kTrainStages),
  step: z.int().min(0),
  seconds: z.number().min(0),
  train: z.record(
    z.string(),
    z.union([
      z.number(),
      z.boolean(),
      z.string(),
      z.array(z.number()),
      z.record(z.string(), z.number()),
    ]),
  ),
  data: z
    .strictObject({
      fingerprint: z.string(),
      splits: z.array(z.string()),
      cut: z.union([
        z.literal(false),
        z.strictObject({
          strideS: z.number(),
          standingStrideS: z.number(),
          minFutureS: z.number(),
          minHistoryS: z.number(),
          weight: z.number(),
          standingWeight: z.number(),
        }),
      ]),
    })
    .optional(),
  stopRule: z.enum(kStopRules).optional(),
}) satisfies z.ZodType<TrainerState>;

/**
 * Checks trainer_state.json for a run of `stage` that goes on.
 *
 * @throws WamFlowError `ERR_CHECKPOINT_CORRUPT`; `ERR_CONFIG` when the run is of another stage.
 */
export function checkState(value: unknown, stage: TrainStage, output: string): TrainerState {
  const result = schema.safeParse(value);
  if (!result.success) {
    const text = describeIssues(result.error, `${output}: trainer_state.json`);
    throw new WamFlowError('ERR_CHECKPOINT_CORRUPT', text);
  }
  requireSame(output, { stage: result.data.stage }, { stage });
  return result.data;
}

/**
 * Refuses to go on with a run as another one.
 *
 * @throws WamFlowError `ERR_CONFIG` that lists every difference.
 */
export function requireSame(output: string, saved: unknown, asked: unknown): void {
  const differences = differ(saved, asked, '');
  if (differences.length === 0) return;
  throw new WamFlowError(
    'ERR_CONFIG',
    `cannot resume the run in ${output}: it was started with ${differences.join('; ')}. Leave these out or start ` +
      'another run',
  );
}

/** Gives a trainer the state of a run; closes it when the state does not fit. */
export async function restoreTrainer(
  trainer: NativeTrainer | NativeTokenizerTrainer,
  tensors: readonly FloatTensor[],
  step: number,
): Promise<void> {
  try {
    const copies = tensors.map(({ name, shape, data }) => ({ name, shape: [...shape], data }));
    native().trainerRestore(trainer, copies, step);
  } catch (error) {
    await native().closeTrainer(trainer);
    throw error;
  }
}

function differ(saved: unknown, asked: unknown, at: string): string[] {
  if (isRecord(saved) && isRecord(asked)) {
    const keys = new Set([...Object.keys(saved), ...Object.keys(asked)]);
    return [...keys].flatMap((key) =>
      differ(saved[key], asked[key], at === '' ? key : `${at}.${key}`),
    );
  }
  const [a, b] = [JSON.stringify(saved), JSON.stringify(asked)];
  return a === b ? [] : [`${at} ${shorten(a)}, now ${shorten(b)} is asked for`];
}

function shorten(text: string | undefined): string {
  if (text === undefined) return 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
