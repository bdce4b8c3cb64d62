import type { KernelOptions } from '../kernel-addon.js';
import type { Check } from './check.js';
import type { Golden, GoldenCase } from './golden.js';
import { runAttention } from './groups/attention.js';
import { runChain } from './groups/ctmc-chain.js';
import { runGrpo } from './groups/grpo.js';
import { runImageLetterbox } from './groups/image-letterbox.js';
import { runKineticVelocity } from './groups/kinetic-velocity.js';
import { runMetricPath } from './groups/metric-path.js';
import { runGeneralizedKl, runMixturePath } from './groups/mixture-path.js';
import { runNetworkOperation } from './groups/nn-ops.js';
import { runNumberTokens } from './groups/number-tokens.js';
import { runPhilox } from './groups/philox.js';
import { runReplay } from './groups/sampler-replay.js';
import { runTinyJanus } from './groups/tiny-janus.js';
import {
  aggregateCases,
  comfortCases,
  extendedComfortCases,
  simulatorCases,
} from './groups/pdms-parts.js';
import { reactiveCases, sceneCases } from './groups/pdms-scene.js';
import { runTopkPosterior } from './groups/topk-posterior.js';
import { runTripletMargin } from './groups/triplet-margin.js';
import type { PdmsCase, PdmsFile } from './pdms-golden.js';

/** Runs one case of a group through the public operations and records every comparison. */
export type GroupRunner = (
  check: Check,
  golden: Golden,
  test: GoldenCase,
  engine: KernelOptions,
) => void | Promise<void>;

/** Groups that can be run; others are reported as not implemented. */
export const kGroups: Readonly<Record<string, GroupRunner>> = {
  metric_path: runMetricPath,
  kinetic_velocity: runKineticVelocity,
  ctmc_chain: runChain,
  sampler_replay: runReplay,
  topk_posterior: runTopkPosterior,
  mixture_path: runMixturePath,
  generalized_kl: runGeneralizedKl,
  triplet_margin: runTripletMargin,
  attention: runAttention,
  nn_ops: runNetworkOperation,
  grpo: runGrpo,
  philox: runPhilox,
  number_tokens: runNumberTokens,
  image_letterbox: runImageLetterbox,
};

/** Whole models: a group a directory beside its file. */
const kModelGroup = /^tiny_janus_/;

/** What runs the cases of a group; undefined when nothing here does. */
export function groupRunner(group: string): GroupRunner | undefined {
  return kModelGroup.test(group) ? runTinyJanus : kGroups[group];
}

/** Cases of a file of schema `pdms-golden/1`, by group. */
export const kPdmsGroups: Readonly<Record<string, (file: PdmsFile) => PdmsCase[]>> = {
  scene: sceneCases,
  real_scene: sceneCases,
  reactive: reactiveCases,
  simulator: simulatorCases,
  comfort: comfortCases,
  extended_comfort: extendedComfortCases,
  aggregate: aggregateCases,
};
