import type { KernelOptions } from '../../kernel-addon.js';
import {
  decodePosterior,
  pathRates,
  pathSchedule,
  pathUpdate,
  philox,
  type TokenMetric,
} from '../../kernels.js';
import type { Check } from '../check.js';
import { type Golden, type GoldenCase, numberOf } from '../golden.js';
import type { GroupRunner } from '../groups.js';
import { stepLaw } from './step-law.js';

/** A chain of n steps of one position with a denoiser that knows no time. */
interface Chain {
  vocab: number;
  steps: number;
  metric: TokenMetric;
  /** [vocab, vocab]: row x is the posterior over x1 when the network sees x. */
  denoiser: Float64Array;
  /** [vocab] law of the start. */
  start: Float64Array;
  /** Per step: beta at its start and the weight of the released rule. */
  beta: Float64Array;
  weight: Float64Array;
}

/** The law of the tokens after each step, exactly, from our rates: [steps + 1, vocab]. */
function exactLaw(chain: Chain, engine: KernelOptions): Float64Array {
  const { vocab, steps, metric, denoiser } = chain;
  // All pairs (present, target) of tokens, as rows.
  const xt = Int32Array.from({ length: vocab * vocab }, (_, i) => Math.floor(i / vocab));
  const x1 = Int32Array.from({ length: vocab * vocab }, (_, i) => i % vocab);
  const law = new Float64Array((steps + 1) * vocab);
  law.set(chain.start);
  for (let k = 0; k < steps; k += 1) {
    const now = law.subarray(k * vocab, (k + 1) * vocab);
    const next = law.subarray((k + 1) * vocab, (k + 2) * vocab);
    const last = k === steps - 1;
    const betaDot = chain.weight[k]!;
    const step = last
      ? undefined
      : stepLaw(pathRates({ metric, x1, xt, beta: chain.beta[k]!, betaDot, ...engine }), xt);
    for (let pair = 0; pair < vocab * vocab; pair += 1) {
      const mass = now[xt[pair]!]! * denoiser[pair]!;
      if (step === undefined) {
        next[x1[pair]!]! += mass;
      } else {
        for (let y = 0; y < vocab; y += 1) next[y]! += mass * step[pair * vocab + y]!;
      }
    }
  }
  return law;
}

/** Frequencies of the last tokens in `count` runs of our sampler. */
function sampledLaw(chain: Chain, count: number, engine: KernelOptions): Float64Array {
  const kSeed = [20_251_206, 7] as const;
  const rowsAtOnce = Math.max(1, Math.min(65_536, Math.floor(4_000_000 / chain.vocab)));
  const { vocab, steps, metric } = chain;
  const logDenoiser = Float32Array.from(chain.denoiser, Math.log);
  const logStart = Float32Array.from(chain.start, Math.log);
  const seen = new Float64Array(vocab);
  for (let first = 0; first < count; first += rowsAtOnce) {
    const rows = Math.min(rowsAtOnce, count - first);
    const logits = new Float32Array(rows * vocab);
    const counters = new Uint32Array(4 * rows);
    /** Three streams of uniforms for step k. */
    const uniforms = (k: number) => {
      for (let row = 0; row < rows; row += 1) counters.set([k, first + row, 0, 0], 4 * row);
      const { unit } = philox(counters, kSeed);
      return [0, 1, 2].map((word) =>
        Float32Array.from({ length: rows }, (_, i) => unit[4 * i + word]!),
      );
    };
    const draw = (uniform: Float32Array) =>
      decodePosterior({ logits, vocab, rule: 'sample', uniform, ...engine }).token;
    for (let row = 0; row < rows; row += 1) logits.set(logStart, row * vocab);
    let x = draw(uniforms(steps)[0]!);
    for (let k = 0; k < steps; k += 1) {
      const [wx, jump, w] = uniforms(k);
      x.forEach((token, row) => {
        logits.set(logDenoiser.subarray(token * vocab, (token + 1) * vocab), row * vocab);
      });
      const x1 = draw(wx!);
      if (k === steps - 1) {
        x = x1;
        break;
      }
      const step = { beta: chain.beta[k]!, stepWeight: chain.weight[k]!, jump: jump!, draw: w! };
      x = pathUpdate({ metric, rule: 'released', xt: x, x1, ...step, ...engine });
    }
    for (const token of x) seen[token]! += 1;
  }
  return seen.map((n) => n / count);
}

function readChain(golden: Golden, test: GoldenCase): Chain {
  const [vocab, dim] = golden.shape(test, 'table') as [number, number];
  const steps = numberOf(test.n_steps, 'n_steps');
  const times = Array.from({ length: steps }, (_, k) => k / steps);
  const constants = { a: numberOf(test.a ?? 0.9, 'a'), c: numberOf(test.c ?? 3, 'c') };
  const step = { h: 1 / steps, rule: 'released' } as const;
  const schedule = pathSchedule({ kind: 'published', ...constants }, times, step);
  return {
    vocab,
    steps,
    metric: { table: golden.float32(test, 'table'), dim },
    denoiser: golden.floats(test, 'denoiser').data,
    start: golden.floats(test, 'dist_per_step').data.slice(0, vocab),
    beta: schedule.beta,
    weight: schedule.stepWeight,
  };
}

function checkFrequencies(
  check: Check,
  name: string,
  got: Float64Array,
  want: Float64Array,
  n: number,
) {
  want.forEach((p, token) => {
    const abs = 5 * Math.sqrt((p * (1 - p)) / n) + 1e-4;
    check.close(`${name}[${token}]`, [got[token]!], [p], { abs });
  });
}

/** Whole chains: the exact law from our rates, and the frequencies of our sampler. */
export const runChain: GroupRunner = (check, golden, test, engine) => {
  const chain = readChain(golden, test);
  const law = exactLaw(chain, engine);
  const want = golden.floats(test, 'dist').data;
  const abs = golden.limit('exact_abs');
  check.close('dist_per_step', law, golden.floats(test, 'dist_per_step').data, { abs });
  check.close('dist', law.slice(chain.steps * chain.vocab), want, { abs });
  // Executing kernels on the CPU costs a thousand times more; the limit knows how many runs there were.
  const count = engine.device === 'simt' ? 4000 : Math.max(numberOf(test.N ?? 0, 'N'), 400_000);
  checkFrequencies(check, 'frequency', sampledLaw(chain, count, engine), want, count);
};
