import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { parseJanusConfig, toNativeJanusShape } from '../lib/vla/janus-config.js';

// biome-ignore lint/suspicious/noExplicitAny: the tests write what no type allows.
type Json = any;

/** What Janus-1.3B's file says of the parts that planning uses. */
function published(): Json {
  return {
    architectures: ['MultiModalityCausalLM'],
    model_type: 'multi_modality',
    torch_dtype: 'bfloat16',
    transformers_version: '4.38.2',
    aligner_config: {
      cls: 'MlpProjector',
      model_type: 'aligner',
      params: { depth: 2, input_dim: 1024, n_embed: 2048, projector_type: 'mlp_gelu' },
    },
    language_config: {
      hidden_size: 2048,
      intermediate_size: 5632,
      max_position_embeddings: 16384,
      model_type: 'llama',
      num_attention_heads: 16,
      num_hidden_layers: 24,
      num_key_value_heads: 16,
      torch_dtype: 'bfloat16',
      vocab_size: 102400,
    },
    vision_config: {
      cls: 'CLIPVisionTower',
      model_type: 'vision',
      params: {
        image_size: 384,
        model_name: 'siglip_large_patch16_384',
        select_feature: 'same',
        select_layer: -1,
      },
    },
  };
}

function changed(change: (config: Json) => void): Json {
  const config = published();
  change(config);
  return config;
}

function refusal(value: unknown): string {
  try {
    parseJanusConfig(value, 'file');
  } catch (error) {
    expect(error).toBeInstanceOf(WamFlowError);
    expect((error as WamFlowError).code).toBe('ERR_CONFIG');
    return (error as WamFlowError).message;
  }
  return '';
}

describe('a published configuration', () => {
  it('has its defaults filled in', () => {
    expect(parseJanusConfig(published())).toEqual({
      model_type: 'multi_modality',
      torch_dtype: 'bfloat16',
      language: {
        vocab_size: 102400,
        hidden_size: 2048,
        intermediate_size: 5632,
        num_hidden_layers: 24,
        num_attention_heads: 16,
        num_key_value_heads: 16,
        head_dim: 128,
        rms_norm_eps: 1e-6,
        rope_theta: 10000,
        max_position_embeddings: 16384,
        attention_bias: false,
        mlp_bias: false,
        tie_word_embeddings: false,
      },
      vision: {
        model_name: 'siglip_large_patch16_384',
        image_size: 384,
        patch_size: 16,
        image_tokens: 576,
        width: 1024,
        heads: 16,
        layers: 24,
        mlp_size: 4096,
        layer_norm_eps: 1e-6,
        select_layer: -1,
      },
      aligner: { depth: 2 },
    });
  });

  it('of the 7B model relies on the defaults of Llama', () => {
    const { language } = parseJanusConfig(
      changed((config) => {
        config.language_config = { model_type: 'llama', max_position_embeddings: 16384 };
        config.aligner_config.params.n_embed = 4096;
      }),
    );
    expect(language).toMatchObject({
      hidden_size: 4096,
      intermediate_size: 11008,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      num_key_value_heads: 32,
      head_dim: 128,
    });
  });

  it('as WAM-Flow saves it, with everything its library knows, is the same model', () => {
    const saved = changed((config) => {
      Object.assign(config.language_config, {
        vocab_size: 122401,
        attention_bias: false,
        attention_dropout: 0,
        bos_token_id: 1,
        eos_token_id: 2,
        head_dim: 128,
        hidden_act: 'silu',
        initializer_range: 0.02,
        mlp_bias: false,
        pretraining_tp: 1,
        rms_norm_eps: 1e-6,
        rope_scaling: null,
        rope_theta: 10000.0,
        tie_word_embeddings: false,
        use_cache: true,
        _attn_implementation_autoset: true,
      });
      config.gen_head_config = { cls: 'vision_head', params: {} };
      config.torch_dtype = 'float32';
    });
    const plain = parseJanusConfig(published());
    expect(parseJanusConfig(saved)).toEqual({
      ...plain,
      torch_dtype: 'float32',
      language: { ...plain.language, vocab_size: 122401 },
    });
    saved.language_config.rope_parameters = { rope_type: 'default', rope_theta: 5e5 };
    delete saved.language_config.rope_theta;
    expect(parseJanusConfig(saved).language.rope_theta).toBe(5e5);
  });
});

describe('the tower', () => {
  const vision = (params: Json) =>
    parseJanusConfig(
      changed((config) => {
        config.vision_config.params = params;
        delete config.aligner_config.params.input_dim;
      }),
    ).vision;

  it('so400m is known by its name', () => {
    expect(vision({ model_name: 'siglip_so400m_patch14_384' })).toMatchObject({
      image_size: 384,
      patch_size: 14,
      image_tokens: 729,
      width: 1152,
      heads: 16,
      layers: 27,
      mlp_size: 4304,
    });
  });

  it.each([
    [-1, 24],
    [-2, 23],
    [-24, 1],
    [0, 24],
    [3, 3],
    [24, 24],
    [30, 24],
  ])('with select_layer %i runs %i blocks', (select_layer, layers) => {
    expect(vision({ model_name: 'siglip_large_patch16_384', select_layer }).layers).toBe(layers);
  });

  it('of another name has its sizes in the file', () => {
    const sizes = { width: 32, layers: 2, heads: 4, patch_size: 8, mlp_ratio: 4 };
    const given = { model_name: 'siglip_tiny_test', image_size: 32, ...sizes };
    expect(vision(given)).toMatchObject({ width: 32, layers: 2, image_tokens: 16, mlp_size: 128 });
    expect(vision({ ...given, pixel_mean: [0.5, 0.5, 0.5], pixel_std: [1, 2, 3] })).toMatchObject({
      pixel_mean: [0.5, 0.5, 0.5],
      pixel_std: [1, 2, 3],
    });
    const message = refusal(
      changed((config) => {
        config.vision_config.params = { model_name: 'siglip_tiny_test', width: 32, layers: 2 };
      }),
    );
    expect(message).toContain('siglip_large_patch16_384');
    expect(message).toContain('heads, patch_size, mlp_ratio');
  });
});

describe('refused with the field and what was expected', () => {
  it.each<[string, (config: Json) => void, RegExp]>([
    ['no language model', (c) => delete c.language_config, /language_config/],
    ['no tower', (c) => delete c.vision_config, /vision_config/],
    ['no aligner', (c) => delete c.aligner_config, /aligner_config/],
    ['no tower name', (c) => delete c.vision_config.params.model_name, /params\.model_name/],
    ['another language model', (c) => (c.language_config.model_type = 'qwen2'), /"llama"/],
    [
      'stretched positions',
      (c) => (c.language_config.rope_scaling = { type: 'linear', factor: 2 }),
      /rope_scaling\.type/,
    ],
    [
      'a form of positions that is not named',
      (c) => (c.language_config.rope_scaling = {}),
      /rope_scaling/,
    ],
    ['another activation', (c) => (c.language_config.hidden_act = 'gelu'), /hidden_act/],
    [
      'heads that do not divide',
      (c) => (c.language_config.num_attention_heads = 17),
      /divisor of hidden_size 2048, received 17/,
    ],
    [
      'key heads that do not divide',
      (c) => (c.language_config.num_key_value_heads = 5),
      /divisor of num_attention_heads 16, received 5/,
    ],
    ['an odd head', (c) => (c.language_config.head_dim = 5), /even number/],
    ['no layers', (c) => (c.language_config.num_hidden_layers = 0), /num_hidden_layers/],
    ['half a layer', (c) => (c.language_config.num_hidden_layers = 1.5), /num_hidden_layers/],
    ['too many layers', (c) => (c.language_config.num_hidden_layers = 1e9), /num_hidden_layers/],
    ['text for a number', (c) => (c.language_config.hidden_size = '2048'), /hidden_size/],
    ['another tower', (c) => (c.vision_config.cls = 'HybridVisionTower'), /vision_config\.cls/],
    ['another feature', (c) => (c.vision_config.params.select_feature = 'patch'), /select_feature/],
    [
      'a layer that is not there',
      (c) => (c.vision_config.params.select_layer = -25),
      /none of 24 blocks/,
    ],
    ['an image below a patch', (c) => (c.vision_config.params.image_size = 8), /at least a patch/],
    [
      'half a normalisation',
      (c) => (c.vision_config.params.pixel_mean = [0, 0, 0]),
      /together with pixel_std/,
    ],
    ['another aligner', (c) => (c.aligner_config.params.projector_type = 'linear'), /mlp_gelu/],
    [
      "an aligner of another tower's width",
      (c) => (c.aligner_config.params.input_dim = 768),
      /the tower's width 1024, received 768/,
    ],
    [
      "an aligner of another model's width",
      (c) => (c.aligner_config.params.n_embed = 4096),
      /hidden_size 2048, received 4096/,
    ],
  ])('%s', (_, change, message) => {
    expect(refusal(changed(change))).toMatch(message);
  });

  it('several at once in one error', () => {
    const message = refusal(
      changed((config) => {
        config.language_config.hidden_act = 'relu';
        config.vision_config.params.select_layer = 'last';
      }),
    );
    expect(message.split('\n')).toHaveLength(2);
  });

  it.each<[unknown, RegExp]>([
    [{ ...published(), model_type: 'janus' }, /deepseek-ai/],
    [{ model_type: 'wam-flow' }, /Planner\.load/],
    [{ model_type: 'llama' }, /expected "multi_modality", received "llama"/],
    [{ model_type: 7 }, /received number/],
    [null, /expected a JSON object/],
    [[], /expected a JSON object/],
    ['config', /expected a JSON object/],
  ])('another family: %j', (value, message) => {
    expect(refusal(value)).toMatch(message);
  });
});

describe("what decides the tensors' shapes", () => {
  const golden = new URL('../../shared/flow-golden/tiny_janus_a/config.json', import.meta.url);

  it.skipIf(!existsSync(golden))("of the goldens' model", () => {
    const config = parseJanusConfig(JSON.parse(readFileSync(golden, 'utf8')));
    expect(toNativeJanusShape(config)).toEqual({
      vocab: 137,
      hidden: 64,
      mlpHidden: 160,
      layers: 3,
      heads: 4,
      kvHeads: 4,
      headDim: 16,
      attentionBias: false,
      mlpBias: false,
      tiedHead: false,
      visionWidth: 32,
      visionMlpHidden: 128,
      visionLayers: 2,
      patch: 8,
      imageTokens: 16,
      alignerDepth: 2,
    });
  });
});
