// What config.json may hold. The fields are documented where their types are, in config.ts.

import { z } from 'zod';
import type { ModelConfig } from './config.js';

const positive = z.number().positive().max(1e6);
const size = (max: number) => z.int().min(1).max(max);

const grid = {
  vocab_size: size(1_048_576).min(2).default(401),
  waypoints: size(64).default(8),
  interval_s: z.number().min(0.01).max(10).default(0.5),
};

const tokens = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('residual_companded'),
    ...grid,
    compand: z.number().min(0).max(50).default(5),
    slot_scale: z.array(positive).max(192),
  }),
  z.strictObject({
    kind: z.literal('absolute'),
    ...grid,
    min: z.number().min(-1e6).max(1e6).default(-100),
    step: positive.default(0.5),
  }),
]);

const schedule = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('kernel_width'),
    initial_width: positive.default(1),
    final_width: positive.default(0.004),
  }),
  z.strictObject({
    kind: z.literal('published'),
    a: positive.default(0.9),
    c: positive.default(3),
  }),
]);

const scheduler = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(['cond_ot', 'cosine', 'linear_vp']) }),
  z.strictObject({ kind: z.literal('polynomial'), exponent: positive.default(1) }),
  z.strictObject({
    kind: z.literal('vp'),
    beta_min: positive.default(0.1),
    beta_max: positive.default(20),
  }),
]);

const path = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('metric'),
    metric: z.enum(['coordinate', 'table']).default('coordinate'),
    power: z.number().min(0.1).max(8).default(1),
    schedule: schedule.prefault({ kind: 'kernel_width' }),
    sampling_schedule: schedule.optional(),
    mask_at_zero: z.boolean().default(true),
  }),
  z.strictObject({
    kind: z.literal('mixture'),
    scheduler: scheduler.prefault({ kind: 'cond_ot' }),
    source: z.enum(['uniform', 'mask']).default('uniform'),
    mask_at_zero: z.boolean().default(true),
  }),
]);

const decoder = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(['flow', 'autoregressive', 'regression']) }),
  z.strictObject({
    kind: z.literal('diffusion'),
    data_scale: z.number().min(1e-3).max(1e3).default(0.35),
    start_time: z.number().min(0.01).max(1).default(1),
  }),
]);

/** config.json: strict, with defaults. */
export const modelConfigSchema = z
  .strictObject({
    model_type: z.literal('wam-flow'),
    hidden_size: size(16_384).default(96),
    num_hidden_layers: size(256).default(4),
    num_attention_heads: size(256).default(3),
    num_key_value_heads: size(256).optional(),
    intermediate_size: size(65_536).optional(),
    hidden_act: z.enum(['gelu', 'swiglu']).default('gelu'),
    norm: z.enum(['layer_norm', 'rms_norm']).default('layer_norm'),
    norm_eps: positive.max(1).default(1e-5),
    rope_theta: z.number().min(0).max(1e9).default(0),
    attention_mask: z.enum(['causal', 'full', 'prefix']).default('prefix'),
    encoder: z
      .strictObject({
        hidden_size: size(16_384).optional(),
        max_agents: z.int().min(0).max(1_024).default(14),
        max_lanes: z.int().min(0).max(1_024).default(26),
      })
      .prefault({}),
    tokens,
    numeric: z
      .strictObject({
        features: z.enum(['fourier', 'table', 'free']).default('fourier'),
        table_size: size(4_096).default(64),
      })
      .prefault({}),
    decoder: decoder.prefault({ kind: 'flow' }),
    path: path.prefault({ kind: 'metric' }),
  })
  .transform(
    (config): ModelConfig => ({
      // In this order, whatever the order they came in and whether they came: one model, one text.
      model_type: config.model_type,
      hidden_size: config.hidden_size,
      num_hidden_layers: config.num_hidden_layers,
      num_attention_heads: config.num_attention_heads,
      num_key_value_heads: config.num_key_value_heads ?? config.num_attention_heads,
      intermediate_size: config.intermediate_size ?? 3 * config.hidden_size,
      hidden_act: config.hidden_act,
      norm: config.norm,
      norm_eps: config.norm_eps,
      rope_theta: config.rope_theta,
      attention_mask: config.attention_mask,
      encoder: {
        hidden_size: config.encoder.hidden_size ?? config.hidden_size,
        max_agents: config.encoder.max_agents,
        max_lanes: config.encoder.max_lanes,
      },
      tokens: config.tokens,
      numeric: config.numeric,
      decoder: config.decoder,
      path: config.path,
    }),
  )
  .superRefine((config, context) => {
    const refuse = (at: string[], message: string) =>
      context.addIssue({ code: 'custom', path: at, message });
    if (config.hidden_size % config.num_attention_heads !== 0) {
      refuse(['num_attention_heads'], `expected a divisor of hidden_size ${config.hidden_size}`);
    }
    if (config.num_attention_heads % config.num_key_value_heads !== 0) {
      refuse(
        ['num_key_value_heads'],
        `expected a divisor of num_attention_heads ${config.num_attention_heads}`,
      );
    }
    if (config.decoder.kind === 'autoregressive' && config.attention_mask === 'full') {
      refuse(['attention_mask'], "expected 'prefix' or 'causal' with an autoregressive decoder");
    }
    if (
      config.path.kind === 'mixture' &&
      config.path.source === 'mask' &&
      !config.path.mask_at_zero
    ) {
      refuse(['path', 'mask_at_zero'], "expected true with source 'mask'");
    }
    if (config.tokens.kind === 'residual_companded') {
      const slots = 3 * config.tokens.waypoints;
      if (config.tokens.slot_scale.length !== slots) {
        refuse(
          ['tokens', 'slot_scale'],
          `expected ${slots} numbers (waypoints x 3), received ${config.tokens.slot_scale.length}`,
        );
      }
    }
    for (const name of ['schedule', 'sampling_schedule'] as const) {
      const form = config.path.kind === 'metric' ? config.path[name] : undefined;
      if (form?.kind === 'kernel_width' && form.final_width >= form.initial_width) {
        refuse(
          ['path', name, 'final_width'],
          `expected less than initial_width ${form.initial_width}`,
        );
      }
    }
  });

/** Lists the fields that a schema refused, one a line: `source: field: what is wrong`. */
export function describeIssues(error: z.ZodError, source: string): string {
  const lines = error.issues.slice(0, 20).map((issue) => {
    const at = issue.path.map(String).join('.');
    return `${source}: ${at === '' ? '' : `${at}: `}${issue.message}`;
  });
  if (error.issues.length > 20) lines.push(`${source}: and ${error.issues.length - 20} more`);
  return lines.join('\n');
}
