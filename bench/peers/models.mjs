// The networks of W1 to W3 as ONNX graphs. `plain` has standard operators alone, as an exporter writes them; `fused` has
// onnxruntime's own for normalisation, rotary positions and attention.

import { integerValues, linearValues, signedValues } from './inputs.mjs';
import { Graph } from './onnx.mjs';

export const planner = {
  layers: 6,
  hidden: 256,
  heads: 8,
  headDim: 32,
  mlp: 704,
  vocab: 4001,
  prefix: 96,
  actions: 24,
  steps: 5,
  epsilon: 1e-6,
  theta: 10000,
};

const { layers, hidden, heads, headDim, mlp, vocab, prefix, actions, steps } = planner;
const kBatch = 'batch';

function plannerWeights() {
  const all = {
    tok: signedValues('W1.tok', vocab * hidden),
    time: signedValues('W1.time', steps * hidden, 0.5),
    head: linearValues('W1.head', hidden, vocab),
    gf: gain('W1.gf'),
  };
  for (let l = 0; l < layers; l++) {
    const name = `W1.l${l}.`;
    const linear = (key, inputs, outputs) => {
      all[`l${l}.${key}`] = linearValues(name + key, inputs, outputs);
    };
    all[`l${l}.g1`] = gain(`${name}g1`);
    all[`l${l}.g2`] = gain(`${name}g2`);
    linear('wqkv', hidden, 3 * hidden);
    linear('wo', hidden, hidden);
    linear('wg', hidden, mlp);
    linear('wu', hidden, mlp);
    linear('wd', mlp, hidden);
  }
  return all;
}

const gain = (name) => signedValues(name, hidden, 0.1).map((value) => 1 + value);

/** cos and sin of position * theta^(-2i/headDim), [positions, headDim / 2] each. */
function rotations() {
  const half = headDim / 2;
  const angles = Array.from(
    { length: (prefix + actions) * half },
    (_, i) => Math.floor(i / half) * planner.theta ** ((-2 * (i % half)) / headDim),
  );
  return { cos: Float32Array.from(angles, Math.cos), sin: Float32Array.from(angles, Math.sin) };
}

/** Builds graphs of the planner on one set of weights. */
export class PlannerModels {
  #weights = plannerWeights();
  #rotations = rotations();
  #fused;

  constructor(fused) {
    this.#fused = fused;
  }

  /** All rows through every layer: prefix, ids, step -> logits, next. */
  full() {
    const g = new Graph();
    const tokens = this.#embed(g, g.input('ids', [kBatch, actions], 'int64'), this.#step(g));
    const all = g.op('Concat', [g.input('prefix', [kBatch, prefix, hidden]), tokens], { axis: 1 });
    const rows = prefix + actions;
    const x = this.#layers(g, all, (l, normed) => {
      const { q, k, v } = this.#project(g, l, normed, 0, rows);
      if (!this.#fused) return this.#attend(g, q, k, v, this.#mask(g));
      // The contrib operator has no mask of this shape: prefix and action rows apart.
      const part = (value, from, to) =>
        g.op('Slice', [value, g.whole([from]), g.whole([to]), g.whole([1])]);
      const ofPrefix = [q, k, v].map((value) => part(value, 0, prefix));
      return g.op(
        'Concat',
        [this.#attend(g, ...ofPrefix), this.#attend(g, part(q, prefix, rows), k, v)],
        { axis: 1 },
      );
    });
    const last = g.op('Slice', [x, g.whole([prefix]), g.whole([rows]), g.whole([1])]);
    this.#finish(g, this.#logits(g, last));
    return g.encode();
  }

  /** prefix -> keys and values of every layer. */
  prefill() {
    const g = new Graph();
    const cache = this.#prefill(g, g.input('prefix', [kBatch, prefix, hidden]));
    for (const [l, { k, v }] of cache.entries()) {
      g.output(`k${l}`, k, this.#cacheShape());
      g.output(`v${l}`, v, this.#cacheShape());
    }
    return g.encode();
  }

  /** keys, values, ids, step -> logits, next. */
  cachedStep() {
    const g = new Graph();
    const cache = Array.from({ length: layers }, (_, l) => ({
      k: g.input(`k${l}`, this.#cacheShape()),
      v: g.input(`v${l}`, this.#cacheShape()),
    }));
    const ids = g.input('ids', [kBatch, actions], 'int64');
    this.#finish(g, this.#cachedLogits(g, cache, ids, this.#step(g)));
    return g.encode();
  }

  /** Prefill and all steps in one graph: prefix, ids -> logits, next of the last step. */
  unrolled() {
    const g = new Graph();
    const cache = this.#prefill(g, g.input('prefix', [kBatch, prefix, hidden]));
    let ids = g.input('ids', [kBatch, actions], 'int64');
    let logits;
    for (let step = 0; step < steps; step++) {
      const number = g.constant(`step ${step}`, [step], []);
      logits = this.#cachedLogits(g, cache, ids, number);
      ids = this.#argmax(g, logits);
    }
    this.#finish(g, logits, ids);
    return g.encode();
  }

  #weight(g, name, shape) {
    return g.constant(name, this.#weights[name], shape);
  }
  #step(g) {
    return g.input('step', [], 'int64');
  }
  #cacheShape() {
    return this.#fused ? [kBatch, prefix, hidden] : [kBatch, heads, prefix, headDim];
  }

  #embed(g, ids, step) {
    const token = g.op('Gather', [this.#weight(g, 'tok', [vocab, hidden]), ids]);
    return g.op('Add', [token, g.op('Gather', [this.#weight(g, 'time', [steps, hidden]), step])]);
  }

  #norm(g, x, name) {
    const weight = this.#weight(g, name, [hidden]);
    if (this.#fused) {
      return g.op('SimplifiedLayerNormalization', [x, weight], {
        axis: -1,
        epsilon: { float: planner.epsilon },
      });
    }
    const square = g.op('ReduceMean', [g.op('Mul', [x, x])], { axes: [-1], keepdims: 1 });
    const length = g.op('Sqrt', [g.op('Add', [square, g.number(planner.epsilon)])]);
    return g.op('Mul', [g.op('Div', [x, length]), weight]);
  }

  /** x plus a branch, and that normalised. */
  #addNorm(g, x, branch, name) {
    if (!this.#fused) {
      const sum = g.op('Add', [x, branch]);
      return { sum, normed: this.#norm(g, sum, name) };
    }
    const [normed, , , sum] = g.contrib(
      'SkipSimplifiedLayerNormalization',
      [x, branch, this.#weight(g, name, [hidden])],
      { epsilon: { float: planner.epsilon } },
      4,
    );
    return { sum, normed };
  }

  /** All layers on x; `attention(l, normed)` gives the mixed values, or undefined where the graph ends. */
  #layers(g, x, attention) {
    let stream = x;
    let branch;
    for (let l = 0; l < layers; l++) {
      let normed;
      if (branch === undefined) {
        normed = this.#norm(g, stream, `l${l}.g1`);
      } else {
        ({ sum: stream, normed } = this.#addNorm(g, stream, branch, `l${l}.g1`));
      }
      const mixed = attention(l, normed);
      if (mixed === undefined) return undefined;
      const output = g.op('MatMul', [mixed, this.#weight(g, `l${l}.wo`, [hidden, hidden])]);
      ({ sum: stream, normed } = this.#addNorm(g, stream, output, `l${l}.g2`));
      const gate = g.op('MatMul', [normed, this.#weight(g, `l${l}.wg`, [hidden, mlp])]);
      const up = g.op('MatMul', [normed, this.#weight(g, `l${l}.wu`, [hidden, mlp])]);
      const active = g.op('Mul', [g.op('Mul', [gate, g.op('Sigmoid', [gate])]), up]);
      branch = g.op('MatMul', [active, this.#weight(g, `l${l}.wd`, [mlp, hidden])]);
    }
    return g.op('Add', [stream, branch]);
  }

  #project(g, l, normed, position, rows) {
    const weight = this.#weight(g, `l${l}.wqkv`, [hidden, 3 * hidden]);
    const [q, k, v] = g.op('Split', [g.op('MatMul', [normed, weight])], { axis: -1 }, 3);
    return {
      q: this.#rotate(g, q, position, rows),
      k: this.#rotate(g, k, position, rows),
      v: this.#fused ? v : this.#heads(g, v),
    };
  }

  #heads(g, x) {
    const apart = g.op('Reshape', [x, g.whole([0, 0, heads, headDim])]);
    return g.op('Transpose', [apart], { perm: [0, 2, 1, 3] });
  }

  #rotate(g, x, position, rows) {
    const half = headDim / 2;
    const { cos, sin } = this.#rotations;
    if (this.#fused) {
      const shape = [prefix + actions, half];
      return g.contrib('RotaryEmbedding', [
        x,
        g.whole([position]),
        g.constant('cos', cos, shape),
        g.constant('sin', sin, shape),
      ]);
    }
    const twice = (values, sign) =>
      Float32Array.from({ length: rows * headDim }, (_, i) => {
        const column = i % headDim;
        const row = Math.floor(i / headDim);
        const value = values[(position + row) * half + (column % half)];
        return column < half ? sign * value : value;
      });
    const y = this.#heads(g, x);
    const [first, second] = g.op('Split', [y], { axis: -1 }, 2);
    const at = `${position} ${rows}`;
    const shape = [rows, headDim];
    return g.op('Add', [
      g.op('Mul', [y, g.constant(`cos ${at}`, twice(cos, 1), shape)]),
      g.op('Mul', [
        g.op('Concat', [second, first], { axis: -1 }),
        g.constant(`sin ${at}`, twice(sin, -1), shape),
      ]),
    ]);
  }

  #attend(g, q, k, v, mask = undefined) {
    if (this.#fused) return g.contrib('MultiHeadAttention', [q, k, v], { num_heads: heads });
    const keys = g.op('Transpose', [k], { perm: [0, 1, 3, 2] });
    const scores = g.op('Mul', [g.op('MatMul', [q, keys]), g.number(headDim ** -0.5)]);
    const seen = mask === undefined ? scores : g.op('Add', [scores, mask]);
    const mixed = g.op('MatMul', [g.op('Softmax', [seen], { axis: -1 }), v]);
    const together = g.op('Transpose', [mixed], { perm: [0, 2, 1, 3] });
    return g.op('Reshape', [together, g.whole([0, 0, hidden])]);
  }

  /** Prefix rows do not see action rows. */
  #mask(g) {
    const rows = prefix + actions;
    const values = Float32Array.from({ length: rows * rows }, (_, i) =>
      Math.floor(i / rows) < prefix && i % rows >= prefix ? Number.NEGATIVE_INFINITY : 0,
    );
    return g.constant('mask', values, [rows, rows]);
  }

  #prefill(g, x) {
    const cache = [];
    this.#layers(g, x, (l, normed) => {
      if (l + 1 < layers) {
        const { q, k, v } = this.#project(g, l, normed, 0, prefix);
        cache.push({ k, v });
        return this.#attend(g, q, k, v);
      }
      // Nothing reads more of the last layer than its keys and values.
      const weight = this.#weights[`l${l}.wqkv`];
      const columns = Float32Array.from({ length: hidden * 2 * hidden }, (_, i) => {
        const row = Math.floor(i / (2 * hidden));
        return weight[row * 3 * hidden + hidden + (i % (2 * hidden))];
      });
      const name = g.constant('last keys and values', columns, [hidden, 2 * hidden]);
      const [k, v] = g.op('Split', [g.op('MatMul', [normed, name])], { axis: -1 }, 2);
      cache.push({ k: this.#rotate(g, k, 0, prefix), v: this.#fused ? v : this.#heads(g, v) });
      return undefined;
    });
    return cache;
  }

  #cachedLogits(g, cache, ids, step) {
    const axis = this.#fused ? 1 : 2;
    const x = this.#layers(g, this.#embed(g, ids, step), (l, normed) => {
      const { q, k, v } = this.#project(g, l, normed, prefix, actions);
      const keys = g.op('Concat', [cache[l].k, k], { axis });
      return this.#attend(g, q, keys, g.op('Concat', [cache[l].v, v], { axis }));
    });
    return this.#logits(g, x);
  }

  #logits(g, x) {
    return g.op('MatMul', [this.#norm(g, x, 'gf'), this.#weight(g, 'head', [hidden, vocab])]);
  }
  #argmax(g, logits) {
    return g.op('ArgMax', [logits], { axis: -1, keepdims: 0 });
  }
  #finish(g, logits, next = this.#argmax(g, logits)) {
    g.output('logits', logits, [kBatch, actions, vocab]);
    g.output('next', next, [kBatch, actions], 'int64');
  }
}

export const plannerPrefix = (batch) => signedValues('W1.prefix', batch * prefix * hidden);
export const plannerIds = (batch) => integerValues('W1.ids', batch * actions, vocab);

/** W2: q, k, v [1, heads, N, headDim] -> o; fused: o [1, N, heads * headDim]. */
export function attentionModel(count, dim, fused) {
  const g = new Graph();
  const shape = [1, count, 'rows', dim];
  const [q, k, v] = ['q', 'k', 'v'].map((name) => g.input(name, shape));
  if (fused) {
    const rows = g.op('Transpose', [q], { perm: [0, 2, 1, 3] });
    const query = g.op('Reshape', [rows, g.whole([0, 0, count * dim])]);
    const mixed = g.contrib('MultiHeadAttention', [query, k, v], { num_heads: count });
    g.output('o', mixed, [1, 'rows', count * dim]);
    return g.encode();
  }
  const keys = g.op('Transpose', [k], { perm: [0, 1, 3, 2] });
  const scores = g.op('Mul', [g.op('MatMul', [q, keys]), g.number(dim ** -0.5)]);
  g.output('o', g.op('MatMul', [g.op('Softmax', [scores], { axis: -1 }), v]), shape);
  return g.encode();
}

/** W3: a [rows, k] -> c [rows, n], the weight being part of the model. */
export function productModel(k, n) {
  const g = new Graph();
  const weight = g.constant('b', linearValues('W3.b', k, n), [k, n]);
  g.output('c', g.op('MatMul', [g.input('a', ['rows', k]), weight]), ['rows', n]);
  return g.encode();
}
