// What config.json of a Janus model may hold. The fields are documented where their types are, in janus-config.ts.

import { z } from 'zod';
import type { JanusConfig, JanusVisionConfig } from './janus-config.js';

const size = (max: number) => z.int().min(1).max(max);
const positive = z.number().positive().max(1e9);
/** Absent and null both mean the default, as in the Python classes. */
const flag = z.boolean().nullish();

const kSo400m = { width: 1152, layers: 27, heads: 16, patch_size: 14, mlp_ratio: 3.7362 };

/** Sizes of the towers that the original code knows by name; its files do not repeat them. */
const kTowers: Readonly<Record<string, TowerSizes>> = {
  siglip_large_patch16_384: { width: 1024, layers: 24, heads: 16, patch_size: 16, mlp_ratio: 4 },
  siglip_so400m_patch14_384: kSo400m,
  siglip_so400m_patch14_224: kSo400m,
};

interface TowerSizes {
  width: number;
  layers: number;
  heads: number;
  patch_size: number;
  mlp_ratio: number;
}

const kImageSize = 384;
const kSizeFields = ['width', 'layers', 'heads', 'patch_size', 'mlp_ratio'] as const;

/** Rotary positions that are stretched are another model; a form that says "as they are" is not. */
const plainRope = z
  .looseObject({
    rope_type: z.literal('default').nullish(),
    type: z.literal('default').nullish(),
    rope_theta: positive.nullish(),
  })
  .refine(({ rope_type, type }) => (rope_type ?? type) !== undefined, 'expected rope_type')
  .nullish();

const language = z.looseObject({
  model_type: z.literal('llama').nullish(),
  vocab_size: size(16_777_216).nullish(),
  hidden_size: size(65_536).nullish(),
  intermediate_size: size(262_144).nullish(),
  num_hidden_layers: size(512).nullish(),
  num_attention_heads: size(1_024).nullish(),
  num_key_value_heads: size(1_024).nullish(),
  head_dim: size(4_096).nullish(),
  rms_norm_eps: positive.max(1).nullish(),
  rope_theta: positive.nullish(),
  rope_scaling: plainRope,
  rope_parameters: plainRope,
  hidden_act: z.literal('silu').nullish(),
  max_position_embeddings: size(16_777_216).nullish(),
  attention_bias: flag,
  mlp_bias: flag,
  tie_word_embeddings: flag,
});

const channels = z.array(z.number().min(-1e3).max(1e3)).length(3).nullish();

const visionParams = z.looseObject({
  model_name: z.string().min(1).max(200),
  image_size: size(8_192).nullish(),
  select_feature: z.literal('same').nullish(),
  select_layer: z.int().min(-512).max(512).nullish(),
  width: size(65_536).nullish(),
  layers: size(512).nullish(),
  heads: size(1_024).nullish(),
  patch_size: size(1_024).nullish(),
  mlp_ratio: z.number().min(0.01).max(64).nullish(),
  pixel_mean: channels,
  pixel_std: channels,
});

const alignerParams = z.looseObject({
  projector_type: z.literal('mlp_gelu'),
  depth: size(16).nullish(),
  input_dim: size(65_536).nullish(),
  n_embed: size(65_536).nullish(),
});

const part = <Params extends z.ZodType>(cls: string, params: Params) =>
  z.looseObject({ cls: z.literal(cls).nullish(), params });

const file = z.looseObject({
  model_type: z.literal('multi_modality').nullish(),
  torch_dtype: z.string().max(40).nullish(),
  dtype: z.string().max(40).nullish(),
  language_config: language,
  vision_config: part('CLIPVisionTower', visionParams),
  aligner_config: part('MlpProjector', alignerParams),
});

type File = z.infer<typeof file>;
type Refuse = (path: string[], message: string) => void;

/** config.json: what planning needs is strict, everything else is ignored. */
export const janusConfigSchema = file.transform((config, context): JanusConfig => {
  const refuse: Refuse = (path, message) =>
    context.addIssue({ code: 'custom', path, message, input: config });
  const result: JanusConfig = {
    model_type: 'multi_modality',
    ...optional('torch_dtype', config.torch_dtype ?? config.dtype),
    language: languageOf(config.language_config, refuse),
    vision: visionOf(config.vision_config.params, refuse),
    aligner: { depth: config.aligner_config.params.depth ?? 1 },
  };
  checkWidths(config, result, refuse);
  return result;
});

function languageOf(given: File['language_config'], refuse: Refuse): JanusConfig['language'] {
  const at = (field: string) => ['language_config', field];
  const hidden = given.hidden_size ?? 4096;
  const heads = given.num_attention_heads ?? 32;
  const kvHeads = given.num_key_value_heads ?? heads;
  const headDim = given.head_dim ?? Math.floor(hidden / heads);
  if (given.head_dim == null && hidden % heads !== 0) {
    refuse(
      at('num_attention_heads'),
      `expected a divisor of hidden_size ${hidden}, received ${heads}`,
    );
  } else if (headDim % 2 !== 0) {
    refuse(at('head_dim'), `expected an even number for rotary positions, received ${headDim}`);
  }
  if (heads % kvHeads !== 0) {
    refuse(
      at('num_key_value_heads'),
      `expected a divisor of num_attention_heads ${heads}, received ${kvHeads}`,
    );
  }
  return {
    vocab_size: given.vocab_size ?? 32_000,
    hidden_size: hidden,
    intermediate_size: given.intermediate_size ?? 11_008,
    num_hidden_layers: given.num_hidden_layers ?? 32,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
    rms_norm_eps: given.rms_norm_eps ?? 1e-6,
    rope_theta: given.rope_theta ?? given.rope_parameters?.rope_theta ?? 10_000,
    max_position_embeddings: given.max_position_embeddings ?? 2048,
    attention_bias: given.attention_bias ?? false,
    mlp_bias: given.mlp_bias ?? false,
    tie_word_embeddings: given.tie_word_embeddings ?? false,
  };
}

function visionOf(given: z.infer<typeof visionParams>, refuse: Refuse): JanusVisionConfig {
  const at = (field: string) => ['vision_config', 'params', field];
  const sizes = towerSizes(given, (field, message) => refuse(at(field), message));
  const image = given.image_size ?? kImageSize;
  const select = given.select_layer ?? -1;
  // As the original builds the tower: blocks behind the selected one do not exist.
  const layers = Math.min(sizes.layers, select > 0 ? select : sizes.layers + select + 1);
  if (layers < 1) {
    refuse(at('select_layer'), `leaves none of ${sizes.layers} blocks, received ${select}`);
  }
  if (image < sizes.patch_size) {
    refuse(at('image_size'), `expected at least a patch, ${sizes.patch_size}, received ${image}`);
  }
  if (sizes.width % sizes.heads !== 0) {
    refuse(at('heads'), `expected a divisor of width ${sizes.width}, received ${sizes.heads}`);
  }
  if ((given.pixel_mean == null) !== (given.pixel_std == null)) {
    refuse(at('pixel_mean'), 'expected together with pixel_std');
  }
  if (given.pixel_std?.some((value) => !(value > 0))) {
    refuse(at('pixel_std'), 'expected positive numbers');
  }
  return {
    model_name: given.model_name,
    image_size: image,
    patch_size: sizes.patch_size,
    image_tokens: Math.floor(image / sizes.patch_size) ** 2,
    width: sizes.width,
    heads: sizes.heads,
    layers,
    mlp_size: Math.floor(sizes.width * sizes.mlp_ratio),
    layer_norm_eps: 1e-6,
    select_layer: select,
    ...optional('pixel_mean', given.pixel_mean),
    ...optional('pixel_std', given.pixel_std),
  };
}

/** By the tower's name; sizes in the file itself count more, and must all be there for a name that is not known. */
function towerSizes(
  given: z.infer<typeof visionParams>,
  refuse: (field: string, message: string) => void,
): TowerSizes {
  const known = Object.hasOwn(kTowers, given.model_name) ? kTowers[given.model_name] : undefined;
  const missing = kSizeFields.filter((field) => known === undefined && given[field] == null);
  if (missing.length > 0) {
    refuse(
      'model_name',
      `expected one of ${Object.keys(kTowers).join(', ')}, received ${JSON.stringify(given.model_name)}; a tower of ` +
        `another name needs its sizes in the file: ${missing.join(', ')}`,
    );
  }
  const of = (field: keyof TowerSizes): number => given[field] ?? known?.[field] ?? 1;
  return {
    width: of('width'),
    layers: of('layers'),
    heads: of('heads'),
    patch_size: of('patch_size'),
    mlp_ratio: of('mlp_ratio'),
  };
}

/** The aligner's widths are those of its neighbours; a file that says otherwise is another model's. */
function checkWidths(given: File, { language, vision }: JanusConfig, refuse: Refuse): void {
  const { input_dim, n_embed } = given.aligner_config.params;
  const check = (field: string, value: number | null | undefined, expected: number, of: string) => {
    if (value == null || value === expected) return;
    refuse(['aligner_config', 'params', field], `expected ${of} ${expected}, received ${value}`);
  };
  check('input_dim', input_dim, vision.width, "the tower's width");
  check('n_embed', n_embed, language.hidden_size, 'hidden_size');
}

/** An object with the field, or without it where there is no value. */
function optional<Key extends string, Value>(
  key: Key,
  value: Value | null | undefined,
): { [K in Key]?: Value } {
  return value == null ? {} : ({ [key]: value } as { [K in Key]?: Value });
}
