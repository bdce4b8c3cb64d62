import type { ModelConfig } from '../model/config.js';
import type { CutOptions } from '../native-types.js';
import type { SftParameters, TokenizerParameters } from './recipe.js';

/** What a run trains: the table of a numeric tokenizer by triplet margin, or a planner on recorded traffic. */
export type TrainStage = 'tokenizer' | 'sft';

/** First event of a run: everything that decides its result. */
export interface StartEvent {
  type: 'start';
  stage: TrainStage;
  /** Updates that were made before, and of the whole schedule. */
  step: number;
  steps: number;
  /** Values that are trained. */
  parameters: number;
  threads: number;
  /** Absolute path of the output folder. */
  output: string;
  /** The model; for stage `tokenizer` what its table is made for. */
  config: ModelConfig | TableConfigSummary;
  train: SftParameters | TokenizerParameters;
  /** Stage `sft` only. */
  data?: DataSummary;
}

/** What a tokenizer table is made for. */
export interface TableConfigSummary {
  vocab_size: number;
  table_size: number;
}

/** The data of a run. */
export interface DataSummary {
  /** Folders, files or `memory`. */
  sources: string[];
  splits: string[];
  recordings: number;
  /** Windows that the data lists, and those cut from the tracks beside them. */
  listedWindows: number;
  cutWindows: number;
  cut: CutOptions | false;
  /** SHA-256 of everything that training reads. */
  fingerprint: string;
}

/** Progress, every `logEvery` updates. */
export interface StepEvent {
  type: 'step';
  /** Updates made. */
  step: number;
  steps: number;
  /** Mean over the updates since the last event: cross entropy in nats, or the triplet loss. */
  loss: number;
  /** Mean norm of the gradient before clipping; stage `sft` only. */
  gradNorm?: number;
  /** Of the last update; stage `sft` only. */
  lr?: number;
  /** Share of triplets in the wrong order, mean; stage `tokenizer` only. */
  orderViolations?: number;
  updatesPerSecond: number;
  /** Stage `sft` only. */
  windowsPerSecond?: number;
  /** Seconds until the last update at this rate. */
  secondsLeft: number;
}

/** A checkpoint was written to the output folder. */
export interface CheckpointEvent {
  type: 'checkpoint';
  step: number;
}

/** The averaged weights were tried on windows that are not trained on; box centres, metres. */
export interface EvalEvent {
  type: 'eval';
  step: number;
  split: string;
  windows: number;
  /** Mean distance over the waypoints and at the last one, one step, posterior median. */
  ade: number;
  fde: number;
  /** The same mean for the best of 6 samples of 5 steps. */
  minAde: number;
}

/** Last event of a run; the output folder holds its checkpoint. */
export interface DoneEvent {
  type: 'done';
  step: number;
  steps: number;
  /** True when the run was aborted before its last update: `resume` goes on. */
  stopped: boolean;
  /** Seconds of training, those of earlier parts of the run included. */
  seconds: number;
}

/** What {@link train} yields and what `train_log.jsonl` holds, one a line. */
export type TrainEvent = StartEvent | StepEvent | CheckpointEvent | EvalEvent | DoneEvent;
