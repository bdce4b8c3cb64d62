import type { KernelOptions } from '../../kernel-addon.js';
import {
  adamw,
  clipGradNorm,
  crossEntropy,
  gelu,
  geluBackward,
  headingMlp,
  layerNorm,
  layerNormBackward,
  learningRateFactor,
  linear,
  linearBackward,
  patchEmbed,
  patchEmbedBackward,
  rmsNorm,
  rmsNormBackward,
  rope,
  swiglu,
  swigluBackward,
} from '../../kernels.js';
import { type Check, NotImplemented } from '../check.js';
import { type Golden, type GoldenCase, numberOf } from '../golden.js';
import type { GroupRunner } from '../groups.js';
import { largestError, plainLinear } from '../plain-16-bit.js';

/** Inputs and comparisons of one operator case. */
class Operator {
  constructor(
    readonly check: Check,
    readonly golden: Golden,
    readonly test: GoldenCase,
    readonly engine: KernelOptions,
  ) {}

  input(field: string): Float32Array {
    return this.golden.float32(this.test, field);
  }
  number(field: string): number {
    return numberOf(this.test[field], field);
  }
  shape(field: string): readonly number[] {
    return this.golden.shape(this.test, field);
  }
  forward(field: string, got: ArrayLike<number>): void {
    this.#compare(field, got, 'fwd_abs');
  }
  backward(fields: Readonly<Record<string, Float32Array>>): void {
    for (const [field, got] of Object.entries(fields)) this.#compare(field, got, 'bwd_abs');
  }
  limit(name: 'fwd_abs' | 'bwd_abs') {
    return { abs: this.golden.limit(name), rel: this.golden.limit('rel') };
  }
  #compare(field: string, got: ArrayLike<number>, name: 'fwd_abs' | 'bwd_abs'): void {
    this.check.close(field, got, this.golden.floats(this.test, field).data, this.limit(name));
  }
}

function runGelu(o: Operator, form: 'erf' | 'tanh'): void {
  const input = { x: o.input('x'), form, ...o.engine };
  o.forward('out', gelu(input));
  o.backward({ dx: geluBackward({ ...input, dout: o.input('dout') }) });
}

const operators: Readonly<Record<string, (o: Operator) => void>> = {
  rmsnorm: (o) => {
    const input = { x: o.input('x'), weight: o.input('weight'), eps: o.number('eps'), ...o.engine };
    const { out, rstd } = rmsNorm(input);
    o.forward('out', out);
    o.backward(rmsNormBackward({ ...input, rstd, dout: o.input('dout') }));
  },
  layernorm: (o) => {
    const parameters = { weight: o.input('weight'), bias: o.input('bias'), eps: o.number('eps') };
    const input = { x: o.input('x'), ...parameters, ...o.engine };
    const { out, ...saved } = layerNorm(input);
    o.forward('out', out);
    o.backward(layerNormBackward({ ...input, ...saved, dout: o.input('dout') }));
  },
  gelu_erf: (o) => runGelu(o, 'erf'),
  gelu_tanh: (o) => runGelu(o, 'tanh'),
  rope: (o) => {
    const [batch, heads, length, headDim] = o.shape('x') as [number, number, number, number];
    // One row a head: the operation takes rows of heads.
    const position = o.golden.ints(o.test, 'positions');
    const rows = batch * heads * length;
    const positions = Int32Array.from({ length: rows }, (_, row) => position[row % length]!);
    const input = { positions, heads: 1, headDim, theta: o.number('theta'), ...o.engine };
    o.forward('out', rope({ x: o.input('x'), ...input }));
    o.backward({ dx: rope({ x: o.input('dout'), inverse: true, ...input }) });
  },
  swiglu: (o) => {
    const [hidden, inputs] = o.shape('gate') as [number, number];
    const x = o.input('x');
    const gateWeight = o.input('gate');
    const upWeight = o.input('up');
    const gate = linear({ x, weight: gateWeight, inputs, ...o.engine });
    const up = linear({ x, weight: upWeight, inputs, ...o.engine });
    const down = { x: swiglu({ gate, up, ...o.engine }), weight: o.input('down'), inputs: hidden };
    o.forward('out', linear({ ...down, ...o.engine }));
    const d = linearBackward({ ...down, dout: o.input('dout'), ...o.engine });
    const { dgate, dup } = swigluBackward({ gate, up, dout: d.dx, ...o.engine });
    const throughGate = linearBackward({ x, weight: gateWeight, inputs, dout: dgate, ...o.engine });
    const throughUp = linearBackward({ x, weight: upWeight, inputs, dout: dup, ...o.engine });
    const dx = throughGate.dx.map((value, i) => value + throughUp.dx[i]!);
    o.backward({ dx, dgate: throughGate.dweight, dup: throughUp.dweight, ddown: d.dweight });
  },
  linear: (o) => {
    const inputs = o.shape('weight')[1]!;
    const input = { x: o.input('x'), weight: o.input('weight'), inputs, ...o.engine };
    const bias = o.input('bias');
    const out = linear({ ...input, bias });
    const { precision } = o.engine;
    if (precision === 'bf16' || precision === 'f16') {
      const want = o.golden.floats(o.test, 'out').data;
      const plain = plainLinear(input.x, input.weight, bias, inputs, precision);
      const abs = 2 * largestError(plain, want) + o.limit('fwd_abs').abs;
      o.check.close('out', out, want, { abs });
      return;
    }
    o.forward('out', out);
    o.backward(linearBackward({ ...input, dout: o.input('dout') }));
  },
  cross_entropy: (o) => {
    const logits = o.input('logits');
    const target = o.golden.ints(o.test, 'labels');
    const vocab = o.shape('logits').at(-1)!;
    if (o.test.ignore_index !== -100) throw new NotImplemented('an ignore_index other than -100');
    const { total, dlogits } = crossEntropy({ logits, vocab, target, ...o.engine });
    o.check.close('loss', [total], [o.number('loss')], o.limit('fwd_abs'));
    o.backward({ dlogits });
  },
  patch_embed: (o) => {
    const [, channels, height, width] = o.shape('x') as [number, number, number, number];
    const shape = { channels, height, width, patch: o.number('patch') };
    const input = { ...shape, x: o.input('x'), weight: o.input('weight'), ...o.engine };
    o.forward('out', patchEmbed({ ...input, bias: o.input('bias') }));
    o.backward(patchEmbedBackward({ ...input, dout: o.input('dout') }));
  },
  adamw: (o) => {
    const w = o.input('w0');
    const m = new Float32Array(w.length);
    const v = new Float32Array(w.length);
    const gradients = o.input('grads');
    const betas = { beta1: o.number('beta1'), beta2: o.number('beta2'), eps: o.number('eps') };
    const rates = {
      lr: o.number('lr'),
      weightDecay: o.number('weight_decay'),
      ...betas,
      ...o.engine,
    };
    const path: number[] = [];
    for (let step = 1; step * w.length <= gradients.length; step += 1) {
      const grad = gradients.slice((step - 1) * w.length, step * w.length);
      adamw({ w, grad, m, v, step, ...rates });
      path.push(...w);
    }
    o.forward('w', path);
    o.forward('exp_avg', m);
    o.forward('exp_avg_sq', v);
  },
  clip_grad_norm: (o) => {
    const fields = Object.keys(o.test.tensors ?? {}).filter((field) => /^g\d+$/.test(field));
    const gradients = fields.map((field) => o.input(field));
    const norm = clipGradNorm(gradients, o.number('max_norm'), o.engine);
    o.check.close('norm', [norm], [o.number('norm')], o.limit('fwd_abs'));
    fields.forEach((field, i) => {
      o.forward(`c${field.slice(1)}`, gradients[i]!);
    });
  },
  lr_factor: (o) => {
    const name = o.test.schedule;
    if (name !== 'constant' && name !== 'cosine')
      throw new NotImplemented(`schedule ${String(name)}`);
    const schedule = {
      schedule: name,
      warmup: o.number('warmup'),
      total: o.number('total'),
    } as const;
    const factors = (o.test.step as number[]).map((step) => learningRateFactor(step, schedule));
    o.check.close('factor', factors, o.test.factor as number[], { abs: 1e-12, rel: 1e-10 });
  },
  heading_mlp: (o) => {
    const hidden = (o.test.hidden as number[]).map((_, layer) => ({
      weight: o.input(`net.${4 * layer}.weight`),
      bias: o.input(`net.${4 * layer}.bias`),
      normWeight: o.input(`net.${4 * layer + 1}.weight`),
      normBias: o.input(`net.${4 * layer + 1}.bias`),
    }));
    const last = `net.${4 * hidden.length}`;
    const output = { weight: o.input(`${last}.weight`), bias: o.input(`${last}.bias`) };
    const waypoints = o.shape('xy')[1]!;
    const eps = o.number('layernorm_eps');
    const input = { xy: o.input('xy'), waypoints, hidden, ...output, eps, ...o.engine };
    o.forward('heading', headingMlp(input));
  },
};

/** Operators of several products, which in 16 bits are no longer comparable to float limits. */
const kMadeOfProducts: ReadonlySet<string> = new Set(['swiglu', 'patch_embed', 'heading_mlp']);

/** One operator of a network or of training, forward and backward. */
export const runNetworkOperation: GroupRunner = (check, golden, test, engine) => {
  const run = operators[String(test.op)];
  if (run === undefined) throw new NotImplemented(`operator ${String(test.op)}`);
  const sixteen = engine.precision === 'bf16' || engine.precision === 'f16';
  if (sixteen && kMadeOfProducts.has(String(test.op))) {
    throw new NotImplemented(`${String(test.op)} in 16 bits: its limits are those of float`);
  }
  run(new Operator(check, golden, test, engine));
};
