// Sizes of a model of one's own: what they mean, its config.json, and its tensors with the numbers that they start from.

import { z } from 'zod';
import { WamFlowError } from '../errors.js';
import { describeIssues } from '../model/config-schema.js';

/** Sizes of a model that {@link createVla} makes; what is left out has its default. */
export interface VlaSizes {
  /** Pixels a side. Default 192. */
  imageSize: number;
  /** Pixels a side of a patch; divides `imageSize`. Default 24. */
  patch: number;
  /** Width of the decoder. Default 128. */
  hidden: number;
  /** Default 6. */
  layers: number;
  /** Divides `hidden` into even parts. Default 4. */
  heads: number;
  /** Heads of keys and values; divides `heads`. Default as many. */
  kvHeads: number;
  /** Width of the decoder's hidden layers. Default 3 x `hidden`. */
  mlp: number;
  /** Of the tower. Default 128. */
  visionWidth: number;
  /** Default 4. */
  visionLayers: number;
  /** Divides `visionWidth`. Default 4. */
  visionHeads: number;
  /** Width of the tower's hidden layers in `visionWidth`. Default 4. */
  visionMlpRatio: number;
  /** Linear layers between tower and decoder. Default 2. */
  alignerDepth: number;
  /** The head is the token table. Default true. */
  tied: boolean;
  /** Tokens of a sequence at most. Default 2048. */
  maxPositions: number;
}

const size = (fallback: number, max: number) => z.int().min(1).max(max).default(fallback);

const schema = z
  .strictObject({
    imageSize: size(192, 8192),
    patch: size(24, 1024),
    hidden: size(128, 65_536),
    layers: size(6, 512),
    heads: size(4, 1024),
    kvHeads: z.int().min(1).max(1024).optional(),
    mlp: z.int().min(1).max(262_144).optional(),
    visionWidth: size(128, 65_536),
    visionLayers: size(4, 512),
    visionHeads: size(4, 1024),
    visionMlpRatio: z.number().min(0.01).max(64).default(4),
    alignerDepth: size(2, 16),
    tied: z.boolean().default(true),
    maxPositions: size(2048, 65_536),
  })
  .transform(
    (given): VlaSizes => ({
      ...given,
      kvHeads: given.kvHeads ?? given.heads,
      mlp: given.mlp ?? 3 * given.hidden,
    }),
  )
  .superRefine((sizes, context) => {
    const divides = (part: keyof VlaSizes, whole: keyof VlaSizes, factor = 1) => {
      const [a, b] = [sizes[part] as number, sizes[whole] as number];
      if (b % (factor * a) === 0) return;
      const message = `expected a divisor of ${whole} ${b}${factor === 2 ? ' with an even quotient' : ''}, received ${a}`;
      context.addIssue({ code: 'custom', path: [part], message, input: a });
    };
    divides('patch', 'imageSize');
    divides('heads', 'hidden', 2);
    divides('kvHeads', 'heads');
    divides('visionHeads', 'visionWidth');
  });

/**
 * Checks sizes and fills in what was left out.
 *
 * @throws WamFlowError `ERR_ARGUMENT` that lists every wrong and unknown one.
 */
export function checkVlaSizes(value: unknown): VlaSizes {
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  throw new WamFlowError('ERR_ARGUMENT', describeIssues(result.error, 'sizes'));
}

/** Image tokens of a picture. */
export function imageTokensOf({ imageSize, patch }: VlaSizes): number {
  return (imageSize / patch) ** 2;
}

/** config.json of a model with so many rows in its token table. */
export function vlaConfigFile(sizes: VlaSizes, vocab: number): Record<string, unknown> {
  return {
    architectures: ['MultiModalityCausalLM'],
    model_type: 'multi_modality',
    torch_dtype: 'float32',
    vision_config: {
      cls: 'CLIPVisionTower',
      model_type: 'vision',
      params: {
        model_name: 'siglip_custom',
        image_size: sizes.imageSize,
        select_feature: 'same',
        select_layer: -1,
        width: sizes.visionWidth,
        layers: sizes.visionLayers,
        heads: sizes.visionHeads,
        patch_size: sizes.patch,
        mlp_ratio: sizes.visionMlpRatio,
      },
    },
    aligner_config: {
      cls: 'MlpProjector',
      model_type: 'aligner',
      params: {
        depth: sizes.alignerDepth,
        input_dim: sizes.visionWidth,
        n_embed: sizes.hidden,
        projector_type: 'mlp_gelu',
      },
    },
    language_config: {
      model_type: 'llama',
      hidden_size: sizes.hidden,
      intermediate_size: sizes.mlp,
      num_hidden_layers: sizes.layers,
      num_attention_heads: sizes.heads,
      num_key_value_heads: sizes.kvHeads,
      max_position_embeddings: sizes.maxPositions,
      vocab_size: vocab,
      tie_word_embeddings: sizes.tied,
      torch_dtype: 'float32',
    },
  };
}

/** A tensor and what it starts from: normal numbers of a deviation, or one number everywhere. */
export interface FreshTensor {
  name: string;
  shape: number[];
  start: { deviation: number } | { value: number };
}

const kDeviation = 0.02;

/** All tensors of a model, in the order of the network. Projections onto the residual stream start smaller. */
export function freshTensors(sizes: VlaSizes, vocab: number): FreshTensor[] {
  const all: FreshTensor[] = [];
  const add = (name: string, shape: number[], start: FreshTensor['start']) =>
    all.push({ name, shape, start });
  const normal = (name: string, shape: number[], scale = 1) =>
    add(name, shape, { deviation: kDeviation * scale });
  const biased = (name: string, shape: number[], scale = 1) => {
    normal(`${name}.weight`, shape, scale);
    add(`${name}.bias`, [shape[0]!], { value: 0 });
  };
  const norm = (name: string, width: number, bias: boolean) => {
    add(`${name}.weight`, [width], { value: 1 });
    if (bias) add(`${name}.bias`, [width], { value: 0 });
  };

  const { hidden, mlp } = sizes;
  const head = hidden / sizes.heads;
  const language = 'language_model.model';
  const residual = 1 / Math.sqrt(2 * sizes.layers);
  normal(`${language}.embed_tokens.weight`, [vocab, hidden]);
  for (let i = 0; i < sizes.layers; i += 1) {
    const layer = `${language}.layers.${i}`;
    norm(`${layer}.input_layernorm`, hidden, false);
    normal(`${layer}.self_attn.q_proj.weight`, [hidden, hidden]);
    normal(`${layer}.self_attn.k_proj.weight`, [sizes.kvHeads * head, hidden]);
    normal(`${layer}.self_attn.v_proj.weight`, [sizes.kvHeads * head, hidden]);
    normal(`${layer}.self_attn.o_proj.weight`, [hidden, hidden], residual);
    norm(`${layer}.post_attention_layernorm`, hidden, false);
    normal(`${layer}.mlp.gate_proj.weight`, [mlp, hidden]);
    normal(`${layer}.mlp.up_proj.weight`, [mlp, hidden]);
    normal(`${layer}.mlp.down_proj.weight`, [hidden, mlp], residual);
  }
  norm(`${language}.norm`, hidden, false);
  if (!sizes.tied) normal('language_model.lm_head.weight', [vocab, hidden]);

  const { visionWidth: width, patch } = sizes;
  const tower = 'vision_model.vision_tower';
  const wide = Math.floor(width * sizes.visionMlpRatio);
  const visionResidual = 1 / Math.sqrt(2 * sizes.visionLayers);
  biased(`${tower}.patch_embed.proj`, [width, 3, patch, patch]);
  normal(`${tower}.pos_embed`, [1, imageTokensOf(sizes), width]);
  for (let i = 0; i < sizes.visionLayers; i += 1) {
    const block = `${tower}.blocks.${i}`;
    norm(`${block}.norm1`, width, true);
    biased(`${block}.attn.qkv`, [3 * width, width]);
    biased(`${block}.attn.proj`, [width, width], visionResidual);
    norm(`${block}.norm2`, width, true);
    biased(`${block}.mlp.fc1`, [wide, width]);
    biased(`${block}.mlp.fc2`, [width, wide], visionResidual);
  }
  norm(`${tower}.norm`, width, true);
  for (let i = 0; i < sizes.alignerDepth; i += 1) {
    biased(`aligner.layers.${2 * i}`, [hidden, i === 0 ? width : hidden]);
  }
  return all;
}
