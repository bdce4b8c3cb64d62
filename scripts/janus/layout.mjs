// Sizes, files and tensors of a Janus checkpoint, in the order of the network. Written from the layout's description and
// not from native/vla/manifest.cpp, which is tested against it.

/** Janus-1.3B/1.5B. */
export const JANUS_SIZES = {
  vocab: 102_400,
  hidden: 2048,
  mlp: 5632,
  layers: 24,
  heads: 16,
  kvHeads: 16,
  visionWidth: 1024,
  visionLayers: 24,
  visionHeads: 16,
  patch: 16,
  imageSize: 384,
  alignerDepth: 2,
};

/**
 * Every tensor: name, shape, and what its numbers are drawn from: `centre` +- `spread`, uniformly. Linear weights keep the
 * size of what they are given; those that add to the residual stream are smaller the more layers there are.
 *
 * @param {typeof JANUS_SIZES} sizes
 * @param {boolean} generation with the small parts of the image generation side, which planning skips
 * @returns {{ name: string, shape: number[], centre: number, spread: number }[]}
 */
export function janusTensors(sizes, generation = false) {
  const all = [];
  const add = (name, shape, centre, spread) => all.push({ name, shape, centre, spread });
  const table = (name, shape) => add(name, shape, 0, 0.02 * Math.sqrt(3));
  const scale = (name, width) => add(name, [width], 1, 0.1);
  const linear = (name, shape, gain = 1) => {
    const inputs = shape.slice(1).reduce((product, size) => product * size, 1);
    add(`${name}.weight`, shape, 0, gain * Math.sqrt(3 / inputs));
  };
  const biased = (name, shape, gain = 1) => {
    linear(name, shape, gain);
    add(`${name}.bias`, [shape[0]], 0, 0.02);
  };
  const norm = (name, width) => {
    scale(`${name}.weight`, width);
    add(`${name}.bias`, [width], 0, 0.02);
  };

  const { vocab, hidden, mlp } = sizes;
  const head = hidden / sizes.heads;
  const language = 'language_model.model';
  table(`${language}.embed_tokens.weight`, [vocab, hidden]);
  const residual = 1 / Math.sqrt(2 * sizes.layers);
  for (let i = 0; i < sizes.layers; i++) {
    const layer = `${language}.layers.${i}`;
    scale(`${layer}.input_layernorm.weight`, hidden);
    linear(`${layer}.self_attn.q_proj`, [hidden, hidden]);
    linear(`${layer}.self_attn.k_proj`, [sizes.kvHeads * head, hidden]);
    linear(`${layer}.self_attn.v_proj`, [sizes.kvHeads * head, hidden]);
    linear(`${layer}.self_attn.o_proj`, [hidden, hidden], residual);
    scale(`${layer}.post_attention_layernorm.weight`, hidden);
    linear(`${layer}.mlp.gate_proj`, [mlp, hidden]);
    linear(`${layer}.mlp.up_proj`, [mlp, hidden]);
    linear(`${layer}.mlp.down_proj`, [hidden, mlp], residual);
  }
  scale(`${language}.norm.weight`, hidden);
  linear('language_model.lm_head', [vocab, hidden]);

  const { visionWidth: width, patch } = sizes;
  const tower = 'vision_model.vision_tower';
  const visionResidual = 1 / Math.sqrt(2 * sizes.visionLayers);
  biased(`${tower}.patch_embed.proj`, [width, 3, patch, patch]);
  table(`${tower}.pos_embed`, [1, Math.floor(sizes.imageSize / patch) ** 2, width]);
  for (let i = 0; i < sizes.visionLayers; i++) {
    const block = `${tower}.blocks.${i}`;
    norm(`${block}.norm1`, width);
    biased(`${block}.attn.qkv`, [3 * width, width]);
    biased(`${block}.attn.proj`, [width, width], visionResidual);
    norm(`${block}.norm2`, width);
    biased(`${block}.mlp.fc1`, [4 * width, width]);
    biased(`${block}.mlp.fc2`, [width, 4 * width], visionResidual);
  }
  norm(`${tower}.norm`, width);
  // The pooling head: in every file, never read.
  table(`${tower}.attn_pool.latent`, [1, 1, width]);
  biased(`${tower}.attn_pool.q`, [width, width]);
  biased(`${tower}.attn_pool.kv`, [2 * width, width]);
  biased(`${tower}.attn_pool.proj`, [width, width]);
  norm(`${tower}.attn_pool.norm`, width);
  biased(`${tower}.attn_pool.mlp.fc1`, [4 * width, width]);
  biased(`${tower}.attn_pool.mlp.fc2`, [width, 4 * width]);

  for (let i = 0; i < sizes.alignerDepth; i++) {
    biased(`aligner.layers.${2 * i}`, [hidden, i === 0 ? width : hidden]);
  }
  if (generation) {
    biased('gen_aligner.layers.0', [hidden, 8]);
    biased('gen_aligner.layers.2', [hidden, hidden]);
    table('gen_embed.weight', [16_384, 8]);
    biased('gen_head.output_mlp_projector', [hidden, hidden]);
    biased('gen_head.vision_head', [16_384, hidden]);
  }
  return all;
}

/** config.json as the published ones are: sizes of a tower that is known by its name are not in it. */
export function janusConfig(sizes, dtype) {
  const { visionWidth, hidden } = sizes;
  const known = ['visionWidth', 'visionLayers', 'visionHeads', 'patch'].every(
    (name) => sizes[name] === JANUS_SIZES[name],
  );
  const tower = {
    width: visionWidth,
    layers: sizes.visionLayers,
    heads: sizes.visionHeads,
    patch_size: sizes.patch,
    mlp_ratio: 4,
  };
  const projector = (model_type, input_dim) => ({
    cls: 'MlpProjector',
    model_type,
    params: {
      depth: model_type === 'aligner' ? sizes.alignerDepth : 2,
      input_dim,
      n_embed: hidden,
      projector_type: 'mlp_gelu',
    },
  });
  return {
    architectures: ['MultiModalityCausalLM'],
    model_type: 'multi_modality',
    torch_dtype: { bf16: 'bfloat16', f16: 'float16', f32: 'float32' }[dtype],
    vision_config: {
      cls: 'CLIPVisionTower',
      model_type: 'vision',
      params: {
        image_size: sizes.imageSize,
        model_name: known ? 'siglip_large_patch16_384' : 'siglip_custom',
        select_feature: 'same',
        select_layer: -1,
        ...(known ? {} : tower),
      },
    },
    aligner_config: projector('aligner', visionWidth),
    gen_vision_config: {
      cls: 'VQ-16',
      model_type: 'gen_vision',
      params: { image_token_size: 16_384, n_embed: 8 },
    },
    gen_aligner_config: projector('gen_aligner', 8),
    gen_head_config: {
      cls: 'vision_head',
      model_type: 'gen_head',
      params: { image_token_embed: hidden, image_token_size: 16_384, n_embed: hidden },
    },
    language_config: {
      model_type: 'llama',
      hidden_size: hidden,
      intermediate_size: sizes.mlp,
      num_hidden_layers: sizes.layers,
      num_attention_heads: sizes.heads,
      num_key_value_heads: sizes.kvHeads,
      max_position_embeddings: 16_384,
      vocab_size: sizes.vocab,
      torch_dtype: { bf16: 'bfloat16', f16: 'float16', f32: 'float32' }[dtype],
    },
  };
}

export const PREPROCESSOR = {
  image_processor_type: 'VLMImageProcessor',
  processor_class: 'VLChatProcessor',
  image_size: 384,
  min_size: 14,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
  rescale_factor: 1 / 255,
  background_color: [127, 127, 127],
  do_normalize: true,
};

/** @param {number} imageTokens patches of an image */
export function processorConfig(imageTokens) {
  return {
    processor_class: 'VLChatProcessor',
    add_special_token: false,
    ignore_id: -100,
    image_tag: '<image_placeholder>',
    image_start_tag: '<begin_of_image>',
    image_end_tag: '<end_of_image>',
    mask_prompt: true,
    num_image_tokens: imageTokens,
    sft_format: 'fudoki',
  };
}
