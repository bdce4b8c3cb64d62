// The network that gives plans of positions their headings: a file of its own beside the weights of the released agent.

import { argumentError, WamFlowError } from '../errors.js';
import { type HeadingLayer, headingMlp } from '../kernels/heading.js';
import { readSafetensors, type Safetensors, toFloat32 } from '../model/safetensors.js';

interface Layer {
  shape: readonly number[];
  weight: Float32Array;
  bias: Float32Array;
}

/**
 * Headings of positions by a network, where {@link headingsOfPath} takes the direction of motion. A trained one is part of
 * the newer released agent (16 -> 512 -> 512 -> 256 -> 128 -> 8: linear, layer norm, exact GELU, then pi tanh); sizes are
 * those of the file.
 *
 * @example
 * const headings = await HeadingNetwork.load('./heading.safetensors');
 * const planner = await VlaPlanner.load('./wam-flow', { headings });
 */
export class HeadingNetwork {
  /** Positions that it takes, and headings that it gives. */
  readonly waypoints: number;
  readonly #hidden: readonly HeadingLayer[];
  readonly #last: Layer;

  private constructor(waypoints: number, hidden: readonly HeadingLayer[], last: Layer) {
    this.waypoints = waypoints;
    this.#hidden = hidden;
    this.#last = last;
  }

  /**
   * Reads a safetensors file of `net.N.weight` and `net.N.bias`: linear and layer norm by turns, a linear layer at last.
   * What N are does not matter, as layers without weights are counted there too.
   *
   * @throws WamFlowError as `readSafetensors`; `ERR_CHECKPOINT_CORRUPT` for tensors that are no such network, `ERR_NOT_FINITE`
   */
  static async load(path: string): Promise<HeadingNetwork> {
    const layers = layersOf(await readSafetensors(path), path);
    const refuse = (expected: string, received: unknown): never => {
      throw new WamFlowError(
        'ERR_CHECKPOINT_CORRUPT',
        `${path}: expected ${expected}, received ${received}`,
      );
    };
    const last = layers.at(-1);
    if (last === undefined || layers.length % 2 === 0) {
      refuse('linear and layer norm by turns, a linear layer at last', `${layers.length} layers`);
    }
    const hidden: HeadingLayer[] = [];
    let width = layers[0]!.shape[1] ?? 0;
    const waypoints = last!.shape[0]!;
    if (width !== 2 * waypoints) {
      refuse('x and y of each heading', `${width} inputs and ${waypoints} headings`);
    }
    for (const [i, { shape, weight, bias }] of layers.entries()) {
      const isLinear = i % 2 === 0;
      const wanted = isLinear ? [bias.length, width] : [width];
      if (shape.join() !== wanted.join() || (!isLinear && bias.length !== width)) {
        refuse(`layer ${i} of shape [${wanted}] with a bias`, `[${shape}] and ${bias.length}`);
      }
      width = bias.length;
      if (isLinear) continue;
      const before = layers[i - 1]!;
      hidden.push({
        ...{ weight: before.weight, bias: before.bias },
        ...{ normWeight: weight, normBias: bias },
      });
    }
    return new HeadingNetwork(waypoints, hidden, last!);
  }

  /**
   * @param positions [waypoints, 2]: x, y in metres, in the ego's present frame
   * @returns [waypoints] radians, between -pi and pi
   * @throws WamFlowError `ERR_SHAPE`
   */
  headings(positions: ArrayLike<number>): Float32Array {
    const { waypoints } = this;
    if (positions?.length !== 2 * waypoints) {
      throw argumentError('positions', `pairs [${waypoints}, 2]`, positions, 'ERR_SHAPE');
    }
    const { weight, bias } = this.#last;
    return headingMlp({
      ...{ xy: Float32Array.from(positions), waypoints, hidden: this.#hidden, weight, bias },
      threads: 1,
    });
  }
}

function layersOf(file: Safetensors, path: string): Layer[] {
  const found = new Map<number, Partial<Layer>>();
  for (const [name, tensor] of file.tensors) {
    const [, place, part] = /^net\.(\d{1,6})\.(weight|bias)$/.exec(name) ?? [];
    if (place === undefined) {
      throw new WamFlowError(
        'ERR_CHECKPOINT_CORRUPT',
        `${path}: expected tensors net.N.weight and net.N.bias, received ${JSON.stringify(name)}`,
      );
    }
    const values = toFloat32(tensor, name);
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0)
      throw argumentError(`${path}: ${name}`, 'finite numbers', values[bad], 'ERR_NOT_FINITE');
    const layer = found.get(Number(place)) ?? {};
    found.set(Number(place), {
      ...layer,
      ...(part === 'weight' ? { weight: values, shape: tensor.shape } : { bias: values }),
    });
  }
  return [...found]
    .sort(([a], [b]) => a - b)
    .map(([place, { shape, weight, bias }]) => {
      if (shape && weight && bias) return { shape, weight, bias };
      throw new WamFlowError(
        'ERR_CHECKPOINT_CORRUPT',
        `${path}: expected net.${place}.weight and net.${place}.bias, received one of them`,
      );
    });
}
