import type { ConversationSummary } from '../conversation/conversation-mix.js';
import type { ModelConfig } from '../model/config.js';
import type { CutOptions } from '../native-types.js';
import type { AlignParameters, DistillParameters } from './align-recipe.js';
import type { JanusConfig } from '../vla/janus-config.js';
import type { VlaTrainingMemory } from '../vla/vla-trainer.js';
import type { AlignVlaParameters } from '../vla-train/align-vla-recipe.js';
import type { VlaStage, VlaTrainParameters } from '../vla-train/vla-recipe.js';
import type { SftParameters, TokenizerParameters } from './recipe.js';

/** Stages, in the order that a model goes through them. */
export const kTrainStages = ['tokenizer', 'sft', 'distill', 'align'] as const;

/**
 * What a run trains: the table of a numeric tokenizer by triplet margin; a planner on recorded traffic; a planner of few
 * steps on the plans of one of many; a planner on the PDM score of its own plans.
 */
export type TrainStage = (typeof kTrainStages)[number];

/** Rules that end an alignment early: divergence, plans that are all alike, plans far from the recorded future. */
export const kStopRules = ['kl', 'diversity', 'adeDrift'] as const;
export type StopRule = (typeof kStopRules)[number];

/** Before `start` of stage `align`: scenes are set up. Not logged. */
export interface SetupEvent {
  type: 'setup';
  /** Updates made so far. */
  step: number;
  scenes: number;
  total: number;
}

/** First event of a run: everything that decides its result. */
export interface StartEvent {
  type: 'start';
  stage: TrainStage | VlaStage;
  /** Updates that were made before, and of the whole schedule. */
  step: number;
  steps: number;
  /** Values that are trained. */
  parameters: number;
  threads: number;
  /** Absolute path of the output folder. */
  output: string;
  /** The model; for stage `tokenizer` what its table is made for. */
  config: ModelConfig | TableConfigSummary | JanusConfig;
  train:
    | SftParameters
    | TokenizerParameters
    | DistillParameters
    | AlignParameters
    | VlaTrainParameters
    | AlignVlaParameters;
  /** Not of stage `tokenizer`, nor of vision-language models. */
  data?: DataSummary;
  /** Vision-language models only: what the trainer takes, bytes by part. */
  memory?: VlaTrainingMemory;
  /** Vision-language models only. */
  conversations?: ConversationData;
  /** Stage `align` only: scenes that plans are drawn for, others that are probed, windows that cannot be scored. */
  scenes?: { scenes: number; probes: number; refused: number };
}

/** What a tokenizer table is made for. */
export interface TableConfigSummary {
  vocab_size: number;
  table_size: number;
}

/** The data of a run of a vision-language model. */
export interface ConversationData {
  /** Conversations of all sets. */
  used: number;
  sets: readonly ConversationSummary[];
  fingerprint: string;
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

/** Means over groups of plans, a group a scene. Scores are shares, from 0 to 1. */
export interface GroupFigures {
  reward: number;
  /** Reward of the best plan of a group. */
  best: number;
  /** Standard deviation in a group. */
  spread: number;
  /** Share of the groups whose plans do not all have the same reward. */
  uneven: number;
  /** Sub-scores: no at-fault collision, drivable area, time to collision, ego progress, comfort. */
  nc: number;
  dac: number;
  ttc: number;
  ep: number;
  c: number;
  /** Mean distance of two plans' waypoints, metres. */
  diversity: number;
  /** Mean distance to the recorded future, metres. */
  ade: number;
}

/** Stage `align`: the policy on scenes and with random numbers that stay the same; plans of the most steps. */
export interface ProbeEvent extends GroupFigures {
  type: 'probe';
  step: number;
  /** Mean of what the reward leaves out: direction, lights, lane and comfort of version 2. Not when that is the reward. */
  heldBack?: number;
  /** Divergence from the start, exact, nats a token. */
  kl: number;
  /** Of the plan of one step, by posterior medians. */
  medianReward: number;
  medianAde: number;
}

/** Progress, every `logEvery` updates. */
export interface StepEvent extends Partial<GroupFigures> {
  type: 'step';
  /** Updates made. */
  step: number;
  steps: number;
  /** Mean over the updates since the last event: cross entropy in nats, triplet loss or policy objective. */
  loss: number;
  /** Mean norm of the gradient before clipping; not of stage `tokenizer`. */
  gradNorm?: number;
  /** Of the last update; not of stage `tokenizer`. */
  lr?: number;
  /** Stage `align` only: divergence from the start, nats a token; share of tokens that clipping stopped. */
  kl?: number;
  clipped?: number;
  /** Stage `align` only: seconds of all threads that an update took. */
  seconds?: { rollout: number; judge: number; update: number };
  /** Share of triplets in the wrong order, mean; stage `tokenizer` only. */
  orderViolations?: number;
  updatesPerSecond: number;
  /** Stages `sft` and `distill` of planners only. */
  windowsPerSecond?: number;
  /** Vision-language models only. */
  conversationsPerSecond?: number;
  /** Stage `embed` only: mean over triplets, before its weight; not in `loss`. */
  tripletLoss?: number;
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
  /** Stage `align` only: the rule that ended the run before its last update. */
  stopRule?: StopRule;
  /** Seconds of training, those of earlier parts of the run included. */
  seconds: number;
}

/** What {@link train} yields and what `train_log.jsonl` holds, one a line (but for `setup`). */
export type TrainEvent =
  | SetupEvent
  | StartEvent
  | StepEvent
  | CheckpointEvent
  | EvalEvent
  | ProbeEvent
  | DoneEvent;
