// config.json of Janus-1.3B/1.5B, FUDOKI and WAM-Flow directories. The files leave out what their Python classes have as
// defaults; here every value is there.

import { WamFlowError } from '../errors.js';
import { describeIssues } from '../model/config-schema.js';
import type { NativeJanusShape } from '../native.js';
import { janusConfigSchema } from './janus-config-schema.js';

/** The decoder: Llama's layers (RMSNorm, rotary positions in half-split form, SwiGLU, grouped keys and values). */
export interface JanusLanguageConfig {
  /** Rows of the token tables. What the file says; the table of a checkpoint that is opened counts instead. */
  vocab_size: number;
  /** Default 4096. */
  hidden_size: number;
  /** Default 11008. */
  intermediate_size: number;
  /** Default 32. */
  num_hidden_layers: number;
  /** Default 32. */
  num_attention_heads: number;
  /** Divides `num_attention_heads`; default as many. */
  num_key_value_heads: number;
  /** Even; default `hidden_size / num_attention_heads`. */
  head_dim: number;
  /** Default 1e-6. */
  rms_norm_eps: number;
  /** Default 10000. */
  rope_theta: number;
  /** Tokens. Default 2048. */
  max_position_embeddings: number;
  /** Biases of the attention's linear layers. Default false. */
  attention_bias: boolean;
  /** Biases of the MLP's linear layers. Default false. */
  mlp_bias: boolean;
  /** The head is the embedding table. Default false. */
  tie_word_embeddings: boolean;
}

/** The SigLIP tower: pre-norm blocks with exact GELU, learned positions, no class token. */
export interface JanusVisionConfig {
  /** Of a tower that is known by its name the sizes below need not be in the file. */
  model_name: string;
  /** Pixels a side. Default 384. */
  image_size: number;
  /** Pixels a side of a patch. */
  patch_size: number;
  /** Patches of an image, row by row. */
  image_tokens: number;
  width: number;
  /** Divides `width`. */
  heads: number;
  /** Blocks that are run: those up to `select_layer`. */
  layers: number;
  /** Width of the blocks' hidden layer: floor(width x mlp_ratio). */
  mlp_size: number;
  /** Of all normalisations, 1e-6. */
  layer_norm_eps: number;
  /** As in the file: -1 keeps all blocks, -2 all but the last. Default -1. */
  select_layer: number;
  /** [3]: the tower normalises its input itself, with these; absent: whoever prepares images does. */
  pixel_mean?: number[];
  pixel_std?: number[];
}

/** From the tower's width to the decoder's: `depth` linear layers, an exact GELU between two. */
export interface JanusAlignerConfig {
  /** Default 1. */
  depth: number;
}

/** A Janus model's configuration with all defaults filled in. */
export interface JanusConfig {
  model_type: 'multi_modality';
  /** What the file says of the weights' type; the weights themselves decide. */
  torch_dtype?: string;
  language: JanusLanguageConfig;
  vision: JanusVisionConfig;
  aligner: JanusAlignerConfig;
}

/**
 * Checks the parsed JSON of a config.json of the Janus family and fills in defaults. Fields that say nothing about
 * planning (generation, training, the library's own) are ignored.
 *
 * @param source what messages call it.
 * @throws WamFlowError `ERR_CONFIG` that lists every wrong and missing field; also for other families of models, with
 *   what to do about them.
 */
export function parseJanusConfig(value: unknown, source = 'config'): JanusConfig {
  const other = otherFamily(value);
  if (other !== undefined) throw new WamFlowError('ERR_CONFIG', `${source}: ${other}`);
  const result = janusConfigSchema.safeParse(value);
  if (result.success) return result.data;
  throw new WamFlowError('ERR_CONFIG', describeIssues(result.error, source));
}

/** What decides names and shapes of the tensors, in the engine's form. */
export function toNativeJanusShape({ language, vision, aligner }: JanusConfig): NativeJanusShape {
  return {
    vocab: language.vocab_size,
    hidden: language.hidden_size,
    mlpHidden: language.intermediate_size,
    layers: language.num_hidden_layers,
    heads: language.num_attention_heads,
    kvHeads: language.num_key_value_heads,
    headDim: language.head_dim,
    attentionBias: language.attention_bias,
    mlpBias: language.mlp_bias,
    tiedHead: language.tie_word_embeddings,
    visionWidth: vision.width,
    visionMlpHidden: vision.mlp_size,
    visionLayers: vision.layers,
    patch: vision.patch_size,
    imageTokens: vision.image_tokens,
    alignerDepth: aligner.depth,
  };
}

/** What to say of a model of another family; undefined for one of this. */
function otherFamily(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'expected a JSON object';
  }
  const type = (value as Record<string, unknown>).model_type;
  if (type === undefined || type === 'multi_modality') return undefined;
  if (type === 'janus') {
    return (
      'model_type "janus" is the conversion for JanusForConditionalGeneration, whose tensors have other names; ' +
      'take the original checkpoint (model_type "multi_modality", as deepseek-ai published it)'
    );
  }
  if (type === 'wam-flow' || type === 'wam-flow-tokenizer') {
    return `model_type "${type}" is a model of this package without language and images: Planner.load and loadCheckpoint read it`;
  }
  const shown = typeof type === 'string' ? JSON.stringify(type.slice(0, 60)) : String(typeof type);
  return `model_type: expected "multi_modality", received ${shown}`;
}
