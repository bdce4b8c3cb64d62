// config.json of the model family `wam-flow`: names as other model hubs use them, checked strictly, converted to what
// the engine takes.

import { WamFlowError } from '../errors.js';
import type { NativeModelConfig } from '../native-types.js';
import { describeIssues, modelConfigSchema } from './config-schema.js';

/** Tokens that are residuals to driving on at constant velocity, each slot scaled on its own and companded. */
export interface ResidualTokens {
  kind: 'residual_companded';
  /** Values a slot, an odd number so that 0 has a token. Default 401. */
  vocab_size: number;
  /** Poses of a plan. Default 8. */
  waypoints: number;
  /** Seconds between poses. Default 0.5. */
  interval_s: number;
  /** value = scale sinh(u asinh(compand)) / compand, u = -1 .. 1 equally spaced; 0 is linear. Default 5. */
  compand: number;
  /** [waypoints * 3]: largest residual of x (m), y (m) and heading (rad) of each waypoint. */
  slot_scale: number[];
}

/** Tokens on one shared linear grid: x and y in metres, heading in degrees (the paper's form). */
export interface AbsoluteTokens {
  kind: 'absolute';
  /** Values of the grid. Default 401. */
  vocab_size: number;
  /** Poses of a plan. Default 8. */
  waypoints: number;
  /** Seconds between poses. Default 0.5. */
  interval_s: number;
  /** Value of token 0. Default -100. */
  min: number;
  /** Distance of neighbouring values. Default 0.5. */
  step: number;
}

/**
 * How sharp the metric path is over time. `published`: beta = c (t/(1-t))^a. `kernel_width`: the kernel's width shrinks
 * geometrically from `initial_width` to `final_width`, in units of the token coordinate, whose whole range is 2.
 */
export type PathScheduleConfig =
  | { kind: 'kernel_width'; initial_width: number; final_width: number }
  | { kind: 'published'; a: number; c: number };

/** The path by distance between tokens (WAM-Flow's). */
export interface MetricPathConfig {
  kind: 'metric';
  /** Distance of the token coordinates, or of the rows of the trained table. Default `coordinate`. */
  metric: 'coordinate' | 'table';
  /** d = |u_i - u_j|^power; `coordinate` only. Default 1. */
  power: number;
  /** Default kernel width 1 to 0.004. */
  schedule: PathScheduleConfig;
  /**
   * Schedule of the refinement steps of a plan; default `schedule`. The network is not told the time, so a plan may
   * sharpen its tokens faster than training blurred them.
   */
  sampling_schedule?: PathScheduleConfig;
  /** Feed a mask token at t = 0 instead of random tokens. Default true. */
  mask_at_zero: boolean;
}

/**
 * kappa(t), the share of data tokens at time t, from one of the usual schedulers. `cond_ot`: t. `polynomial`: t^exponent.
 * `cosine`: sin(pi t / 2). `linear_vp`: t. `vp`: exp(-T(1-t)/2) with T(s) = (beta_max - beta_min) s^2 / 2 + beta_min s.
 */
export type MixtureSchedulerConfig =
  | { kind: 'cond_ot' | 'cosine' | 'linear_vp' }
  | { kind: 'polynomial'; exponent: number }
  | { kind: 'vp'; beta_min: number; beta_max: number };

/** The path that swaps random tokens for data tokens one by one, whatever their values. */
export interface MixturePathConfig {
  kind: 'mixture';
  /** Default `cond_ot`. */
  scheduler: MixtureSchedulerConfig;
  /** What data tokens are swapped for: uniform random tokens, or the mask token. Default `uniform`. */
  source: 'uniform' | 'mask';
  /** Feed a mask token at t = 0 instead of random tokens. Default true. */
  mask_at_zero: boolean;
}

/**
 * How the action rows become a plan. `flow`: numeric tokens, refined in parallel along `path`. `autoregressive`: the same
 * tokens one after the other, with their keys and values cached; the mask must not be `full`, and with `prefix` the
 * observation still sees itself both ways. `regression`: token coordinates in one pass. `diffusion`: token coordinates
 * denoised in parallel by DDIM steps. `path` means something to `flow` alone.
 */
export type DecoderConfig =
  | { kind: 'flow' | 'autoregressive' | 'regression' }
  | {
      kind: 'diffusion';
      /** Coordinates are divided by this before they are noised: about their standard deviation. Default 0.35. */
      data_scale: number;
      /** Time that plans begin at: 1, the default, is pure noise, less is truncated diffusion around constant velocity. */
      start_time: number;
    };

/** Everything that config.json says, defaults filled in. */
export interface ModelConfig {
  model_type: 'wam-flow';
  /** Width of the decoder. Default 96. */
  hidden_size: number;
  /** Decoder layers. Default 4. */
  num_hidden_layers: number;
  /** Divides `hidden_size`. Default 3. */
  num_attention_heads: number;
  /** Divides `num_attention_heads`. Default: the same number. */
  num_key_value_heads: number;
  /** Width inside the feed-forward layers. Default 3 x `hidden_size`. */
  intermediate_size: number;
  /** Default `gelu`. */
  hidden_act: 'gelu' | 'swiglu';
  /** Default `layer_norm`. */
  norm: 'layer_norm' | 'rms_norm';
  /** Default 1e-5. */
  norm_eps: number;
  /** Base of rotary positions, 0 for none. Default 0. */
  rope_theta: number;
  /** Who sees whom; `prefix`: the observation sees itself, action tokens see all. Default `prefix`. */
  attention_mask: 'causal' | 'full' | 'prefix';
  /** Scene encoder. */
  encoder: {
    /** Width inside the encoder's layers. Default `hidden_size`. */
    hidden_size: number;
    /** Vehicles that the model sees, nearest first. Default 14. */
    max_agents: number;
    /** Lane pieces that the model sees. Default 26. */
    max_lanes: number;
  };
  /** What the action tokens stand for. */
  tokens: ResidualTokens | AbsoluteTokens;
  /** Numeric embedding and head. */
  numeric: {
    /** Fixed Fourier and Gaussian features, the rows of a trained table, or a free row a token. Default `fourier`. */
    features: 'fourier' | 'table' | 'free';
    /** Width of a row of the trained table; for `features` or `metric` `table`. Default 64. */
    table_size: number;
  };
  /** How action rows become a plan. Default `flow`. */
  decoder: DecoderConfig;
  /** How tokens travel from noise to data. */
  path: MetricPathConfig | MixturePathConfig;
}

/**
 * Checks what config.json held and fills in defaults.
 *
 * @param value parsed JSON.
 * @param source what error messages call it.
 * @throws WamFlowError `ERR_CONFIG` that lists every wrong, missing and unknown field; for a vision-language model, what
 *   reads it.
 */
export function parseModelConfig(value: unknown, source = 'config'): ModelConfig {
  if (isVisionLanguage(value)) {
    throw new WamFlowError(
      'ERR_CONFIG',
      `${source}: this is a vision-language model, which plans from pictures and text and not from an observation: ` +
        'VlaPlanner.load and loadModel read it',
    );
  }
  const result = modelConfigSchema.safeParse(value);
  if (result.success) return result.data;
  throw new WamFlowError('ERR_CONFIG', describeIssues(result.error, source));
}

/** Whether a config.json is of the Janus family. */
export function isVisionLanguage(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { model_type: type } = value as { model_type?: unknown };
  // The field may be missing; what it is made of may not.
  return type === 'multi_modality' || type === 'janus' || 'language_config' in value;
}

/** The same configuration in the engine's form. */
export function toNativeConfig(config: ModelConfig): NativeModelConfig {
  const { tokens, path, decoder } = config;
  const metric = path.kind === 'metric' ? path : undefined;
  return {
    hidden: config.hidden_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    kvHeads: config.num_key_value_heads,
    mlpHidden: config.intermediate_size,
    mlp: config.hidden_act,
    norm: config.norm,
    normEps: config.norm_eps,
    ropeTheta: config.rope_theta,
    mask: config.attention_mask,
    encoderHidden: config.encoder.hidden_size,
    maxAgents: config.encoder.max_agents,
    maxLanes: config.encoder.max_lanes,
    waypoints: tokens.waypoints,
    intervalS: tokens.interval_s,
    tokens: tokens.kind,
    vocab: tokens.vocab_size,
    compand: tokens.kind === 'residual_companded' ? tokens.compand : 0,
    slotScale: tokens.kind === 'residual_companded' ? tokens.slot_scale : [],
    gridMin: tokens.kind === 'absolute' ? tokens.min : -100,
    gridStep: tokens.kind === 'absolute' ? tokens.step : 0.5,
    numeric: config.numeric.features,
    tableDim: config.numeric.table_size,
    path: path.kind,
    metric: metric?.metric ?? 'coordinate',
    metricPower: metric?.power ?? 1,
    schedule: nativeSchedule(metric?.schedule),
    samplingSchedule: nativeSchedule(metric?.sampling_schedule ?? metric?.schedule),
    mixture: nativeMixture(path.kind === 'mixture' ? path.scheduler : { kind: 'cond_ot' }),
    maskAtZero: path.mask_at_zero,
    mixtureSource: path.kind === 'mixture' ? path.source : 'uniform',
    decoder: decoder.kind,
    diffusionScale: decoder.kind === 'diffusion' ? decoder.data_scale : 0.35,
    diffusionStart: decoder.kind === 'diffusion' ? decoder.start_time : 1,
  };
}

function nativeSchedule(schedule: PathScheduleConfig | undefined): NativeModelConfig['schedule'] {
  const published = schedule?.kind === 'published' ? schedule : { a: 0.9, c: 3 };
  const widths =
    schedule?.kind === 'kernel_width' ? schedule : { initial_width: 1, final_width: 0.004 };
  return {
    kind: schedule?.kind ?? 'kernel_width',
    a: published.a,
    c: published.c,
    initialWidth: widths.initial_width,
    finalWidth: widths.final_width,
  };
}

function nativeMixture(scheduler: MixtureSchedulerConfig): NativeModelConfig['mixture'] {
  return {
    kind: scheduler.kind,
    exponent: scheduler.kind === 'polynomial' ? scheduler.exponent : 1,
    betaMin: scheduler.kind === 'vp' ? scheduler.beta_min : 0.1,
    betaMax: scheduler.kind === 'vp' ? scheduler.beta_max : 20,
  };
}
