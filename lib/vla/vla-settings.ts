// wam_flow.json: what weights of this package were trained with, so that a directory can be used without its caller
// knowing. config.json stays as other loaders expect it.

import { join } from 'node:path';
import { z } from 'zod';
import { WamFlowError } from '../errors.js';
import type { completeSchedule } from '../flow/path-schedule.js';
import { describeIssues } from '../model/config-schema.js';
import { readFiles } from '../model/file-set.js';
import { readJson } from '../model/read-json.js';
import {
  type ConversationTemplate,
  kFudokiTemplate,
  parseConversationTemplate,
} from '../tokens/conversation-template.js';
import type { VlaMask } from './vla-requests.js';

/** Name of the file beside config.json. */
export const kSettingsName = 'wam_flow.json';

/** What a directory was trained with. */
export interface VlaSettings {
  /** Stages that the weights have been through, in order. */
  stages: string[];
  /** Which row sees which. */
  mask: VlaMask;
  /** `flow`: answers are refined all at once. `next`: token by token, as stage `causal` trains. */
  decoding: 'flow' | 'next';
  /** Tokens of a text answer, its end and pads included. */
  answerTokens: number;
  /** Numbers of a plan: `waypoints` times `coordinates`, metres. Null when no plans were trained. */
  plan: { waypoints: number; coordinates: 2 | 3 } | null;
  /** The numbers of the vocabulary; null when the token table has no rows for them. */
  numbers: { firstId: number; min: number; max: number; decimals: number } | null;
  /** The token that is read at t = 0; null: a uniform one. */
  maskToken: { text: string; id: number } | null;
  /** How x_t comes from its target. */
  schedule: ReturnType<typeof completeSchedule>;
  /** How conversations become text. */
  template: ConversationTemplate;
  /** Wording of a plan's question with `{name}` fields and an image placeholder; null when none was given. */
  wording: { user: string; system?: string } | null;
  /** How pictures are made ready: letterboxed to `size` pixels on `background`, then (value / 255 - mean) / std. */
  image: {
    size: number;
    mean: [number, number, number];
    std: [number, number, number];
    background: [number, number, number];
  };
}

const three = (value: z.ZodNumber) => z.tuple([value, value, value]);
const positive = z.number().positive();

const schema = z.strictObject({
  format: z.literal(1),
  stages: z.array(z.string().max(40)).max(100),
  mask: z.enum(['causal', 'full', 'prefix']),
  decoding: z.enum(['flow', 'next']),
  answerTokens: z.int().min(1).max(4096),
  plan: z
    .strictObject({
      waypoints: z.int().min(1).max(256),
      coordinates: z.union([z.literal(2), z.literal(3)]),
    })
    .nullable(),
  numbers: z
    .strictObject({
      firstId: z.int().min(0),
      min: z.number(),
      max: z.number(),
      decimals: z.int().min(0).max(6),
    })
    .nullable(),
  maskToken: z.strictObject({ text: z.string(), id: z.int().min(0) }).nullable(),
  schedule: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('published'), a: positive, c: positive }),
    z.strictObject({
      kind: z.literal('kernel_width'),
      initialWidth: positive,
      finalWidth: positive,
      power: positive,
    }),
  ]),
  template: z.record(z.string(), z.unknown()),
  wording: z
    .strictObject({ user: z.string().max(100_000), system: z.string().max(100_000).optional() })
    .nullable(),
  image: z.strictObject({
    size: z.int().min(1).max(8192),
    mean: three(z.number()),
    std: three(positive),
    background: three(z.number().min(0).max(255)),
  }),
});

/** Settings of weights that nothing has been trained into yet, for pictures of `size` pixels. */
export function freshSettings(size: number): VlaSettings {
  return {
    stages: [],
    mask: 'causal',
    decoding: 'next',
    answerTokens: 24,
    plan: null,
    numbers: null,
    maskToken: null,
    schedule: { kind: 'published', a: 0.9, c: 3 },
    template: { ...kFudokiTemplate },
    wording: null,
    image: {
      size,
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
      background: [127, 127, 127],
    },
  };
}

/** Text of the file. */
export function settingsText(settings: VlaSettings): string {
  return `${JSON.stringify({ format: 1, ...settings }, undefined, 2)}\n`;
}

/**
 * What the weights of a directory were trained with; undefined when it does not say, as directories from elsewhere.
 *
 * @throws WamFlowError `ERR_CONFIG` that lists every wrong field, `ERR_CHECKPOINT_CORRUPT` when the file is no JSON,
 *   `ERR_IO`.
 */
export async function readVlaSettings(directory: string): Promise<VlaSettings | undefined> {
  const at = join(directory, kSettingsName);
  return readFiles(directory, [kSettingsName], async (paths) => {
    const path = paths[kSettingsName];
    if (path === undefined) return undefined;
    const result = schema.safeParse(await readJson(path, at));
    if (!result.success) throw new WamFlowError('ERR_CONFIG', describeIssues(result.error, at));
    const { format: _format, template, wording, ...rest } = result.data;
    return {
      ...rest,
      template: parseConversationTemplate(template),
      wording:
        wording === null
          ? null
          : {
              user: wording.user,
              ...(wording.system === undefined ? {} : { system: wording.system }),
            },
    };
  });
}
