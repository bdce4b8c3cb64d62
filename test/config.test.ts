import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { parseModelConfig, toNativeConfig } from '../lib/model/config.js';

const kScale = Array.from({ length: 24 }, (_, i) => 0.5 + i);
const kLeast = {
  model_type: 'wam-flow',
  tokens: { kind: 'residual_companded', slot_scale: kScale },
};

function messageOf(value: unknown): string {
  try {
    parseModelConfig(value, 'config.json');
  } catch (error) {
    expect(error).toBeInstanceOf(WamFlowError);
    expect((error as WamFlowError).code).toBe('ERR_CONFIG');
    return (error as WamFlowError).message;
  }
  throw new Error('accepted');
}

describe('config.json', () => {
  it('has the documented defaults', () => {
    expect(parseModelConfig(kLeast)).toEqual({
      model_type: 'wam-flow',
      hidden_size: 96,
      num_hidden_layers: 4,
      num_attention_heads: 3,
      num_key_value_heads: 3,
      intermediate_size: 288,
      hidden_act: 'gelu',
      norm: 'layer_norm',
      norm_eps: 1e-5,
      rope_theta: 0,
      attention_mask: 'prefix',
      encoder: { hidden_size: 96, max_agents: 14, max_lanes: 26 },
      tokens: {
        kind: 'residual_companded',
        vocab_size: 401,
        waypoints: 8,
        interval_s: 0.5,
        compand: 5,
        slot_scale: kScale,
      },
      numeric: { features: 'fourier', table_size: 64 },
      decoder: { kind: 'flow' },
      path: {
        kind: 'metric',
        metric: 'coordinate',
        power: 1,
        schedule: { kind: 'kernel_width', initial_width: 1, final_width: 0.004 },
        mask_at_zero: true,
      },
    });
  });

  it('is unchanged by writing and reading it again', () => {
    const first = parseModelConfig({
      ...kLeast,
      tokens: { kind: 'absolute' },
      path: { kind: 'mixture', scheduler: { kind: 'polynomial', exponent: 2 } },
    });
    expect(first.tokens).toMatchObject({ min: -100, step: 0.5, vocab_size: 401 });
    expect(parseModelConfig(JSON.parse(JSON.stringify(first)))).toEqual(first);
  });

  it('is written as one text, whatever the order and presence of its fields', () => {
    const text = JSON.stringify(parseModelConfig(kLeast));
    const entries = Object.entries(JSON.parse(text));
    const reversed = parseModelConfig(Object.fromEntries(entries.reverse()));
    expect(JSON.stringify(reversed)).toBe(text);
  });

  it('reaches the engine field by field', () => {
    const config = parseModelConfig({
      ...kLeast,
      hidden_size: 64,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      hidden_act: 'swiglu',
      norm: 'rms_norm',
      rope_theta: 10000,
      attention_mask: 'full',
      encoder: { hidden_size: 32, max_agents: 3, max_lanes: 5 },
      numeric: { features: 'table', table_size: 16 },
      path: {
        kind: 'metric',
        power: 2,
        schedule: { kind: 'published', c: 4 },
        mask_at_zero: false,
      },
    });
    expect(toNativeConfig(config)).toMatchObject({
      hidden: 64,
      layers: 4,
      heads: 4,
      kvHeads: 2,
      mlpHidden: 192,
      mlp: 'swiglu',
      norm: 'rms_norm',
      ropeTheta: 10000,
      mask: 'full',
      encoderHidden: 32,
      maxAgents: 3,
      maxLanes: 5,
      vocab: 401,
      slotScale: kScale,
      numeric: 'table',
      tableDim: 16,
      path: 'metric',
      metric: 'coordinate',
      metricPower: 2,
      schedule: { kind: 'published', a: 0.9, c: 4 },
      maskAtZero: false,
      decoder: 'flow',
    });
    const denoising = { kind: 'diffusion', start_time: 0.5 };
    expect(toNativeConfig(parseModelConfig({ ...kLeast, decoder: denoising }))).toMatchObject({
      decoder: 'diffusion',
      diffusionScale: 0.35,
      diffusionStart: 0.5,
    });
    const vp = { kind: 'vp', beta_max: 10 };
    const mixture = parseModelConfig({ ...kLeast, path: { kind: 'mixture', scheduler: vp } });
    expect(toNativeConfig(mixture)).toMatchObject({
      path: 'mixture',
      mixture: { kind: 'vp', betaMin: 0.1, betaMax: 10 },
    });
  });

  it.each([
    ['an unknown key', { ...kLeast, hiden_size: 3 }, 'hiden_size'],
    ['an unknown key inside', { ...kLeast, encoder: { hidden: 3 } }, 'encoder: .*hidden'],
    ['a key of another kind', { ...kLeast, path: { kind: 'mixture', power: 1 } }, 'path: .*power'],
    ['another model type', { ...kLeast, model_type: 'llama' }, 'model_type: .*wam-flow'],
    [
      'an autoregressive decoder that sees the future',
      { ...kLeast, decoder: { kind: 'autoregressive' }, attention_mask: 'full' },
      "attention_mask: expected 'prefix' or 'causal'",
    ],
    [
      'mask tokens as a source that the network is never fed',
      { ...kLeast, path: { kind: 'mixture', source: 'mask', mask_at_zero: false } },
      'path.mask_at_zero',
    ],
    [
      'a time of another decoder',
      { ...kLeast, decoder: { kind: 'flow', start_time: 1 } },
      'decoder',
    ],
    ['no tokens', { model_type: 'wam-flow' }, 'tokens: '],
    ['no scales', { ...kLeast, tokens: { kind: 'residual_companded' } }, 'tokens.slot_scale'],
    [
      'too few scales',
      { ...kLeast, tokens: { ...kLeast.tokens, slot_scale: [1, 2] } },
      'tokens.slot_scale: expected 24 .*received 2',
    ],
    [
      'a negative scale',
      { ...kLeast, tokens: { ...kLeast.tokens, slot_scale: kScale.map((x) => -x) } },
      'tokens.slot_scale.0',
    ],
    ['a fraction', { ...kLeast, num_hidden_layers: 1.5 }, 'num_hidden_layers'],
    ['a text', { ...kLeast, hidden_size: '96' }, 'hidden_size'],
    ['NaN', { ...kLeast, norm_eps: Number.NaN }, 'norm_eps'],
    ['an absurd size', { ...kLeast, hidden_size: 2 ** 40 }, 'hidden_size'],
    ['heads that do not divide', { ...kLeast, num_attention_heads: 5 }, 'num_attention_heads'],
    ['groups that do not divide', { ...kLeast, num_key_value_heads: 2 }, 'num_key_value_heads'],
    [
      'a kernel that grows',
      { ...kLeast, path: { kind: 'metric', schedule: { kind: 'kernel_width', final_width: 2 } } },
      'path.schedule.final_width',
    ],
    [
      'a kernel of plans that grows',
      {
        ...kLeast,
        path: { kind: 'metric', sampling_schedule: { kind: 'kernel_width', final_width: 2 } },
      },
      'path.sampling_schedule.final_width',
    ],
    ['null', null, 'config.json: '],
    ['a list', [], 'config.json: '],
    [
      'a polluting key',
      JSON.parse('{"model_type":"wam-flow","__proto__":{"a":1}}'),
      '__proto__|tokens',
    ],
  ])('names what is wrong: %s', (_, value, pattern) => {
    expect(messageOf(value)).toMatch(new RegExp(pattern));
  });

  it('answers every JSON value with a configuration or ERR_CONFIG', () => {
    const keys = ['tokens', 'path', 'encoder', 'numeric', 'hidden_size', 'num_attention_heads'];
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.jsonValue(), (key, value) => {
        const text = JSON.stringify({ ...kLeast, [key]: value });
        try {
          toNativeConfig(parseModelConfig(JSON.parse(text)));
        } catch (error) {
          expect(error).toBeInstanceOf(WamFlowError);
          expect((error as WamFlowError).code).toBe('ERR_CONFIG');
        }
      }),
      { numRuns: 1000, seed: 1 },
    );
  });
});
