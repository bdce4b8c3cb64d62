// A small planner with random weights, and observations for it: tests of the API need no trained model.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Checkpoint, saveCheckpoint } from '../../lib/model/checkpoint.js';
import { parseModelConfig, toNativeConfig } from '../../lib/model/config.js';
import { type NamedTensor, native } from '../../lib/native.js';
import type { AgentObservation, Lane, Observation, RoadMap } from '../../lib/observation.js';

/** Numbers in [0, 1): a linear congruential generator (Knuth's MMIX constants, upper 32 bits). */
export function randomNumbers(seed: number): () => number {
  let state = BigInt(seed);
  return () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number(state >> 32n) / 2 ** 32;
  };
}

const kSlotScale = Array.from({ length: 8 }, (_, i) => [
  0.8 + 3 * i,
  0.4 + 2 * i,
  0.2 + 0.15 * i,
]).flat();

/** Two layers of 32, 101 tokens: a plan takes well under a millisecond. */
export const kSmallConfig = {
  model_type: 'wam-flow',
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  encoder: { hidden_size: 32, max_agents: 6, max_lanes: 8 },
  tokens: { kind: 'residual_companded', vocab_size: 101, slot_scale: kSlotScale },
};

/** Weights by a random generator: matrices of a size that keeps activations near 1, norms at 1. */
export function randomCheckpoint(
  config: unknown = kSmallConfig,
  seed = 1,
): Omit<Checkpoint, 'directory'> {
  const parsed = parseModelConfig(config);
  const form = toNativeConfig(parsed);
  const random = randomNumbers(seed);
  const gauss = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const tensors: NamedTensor[] = native()
    .parameterLayout(form)
    .map(({ name, shape }) => {
      const count = shape.reduce((a, b) => a * b, 1);
      const isNorm = /norm.*weight/.test(name);
      const scale = shape.length > 1 ? 1 / Math.sqrt(shape.at(-1) as number) : 0.1;
      const data = Float32Array.from({ length: count }, () => (isNorm ? 1 : scale * gauss()));
      return { name, shape, data };
    });
  return { config: parsed, native: form, tensors };
}

/** A folder with a random checkpoint, for child processes. Call `remove` at the end. */
export async function checkpointFolder(
  config: unknown = kSmallConfig,
): Promise<{ directory: string; remove: () => void }> {
  const directory = mkdtempSync(join(tmpdir(), 'wam-flow-'));
  const { config: parsed, tensors } = randomCheckpoint(config);
  await saveCheckpoint(directory, { config: parsed, tensors });
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** A lane along +x at `y`, from x = -50 to 150. */
function straightLane(id: number, y: number, left: number | null, right: number | null): Lane {
  const line = (at: number) =>
    Array.from({ length: 101 }, (_, i) => [-50 + 2 * i, at] as [number, number]);
  return {
    id,
    center: line(y),
    left: line(y + 1.75),
    right: line(y - 1.75),
    successors: [],
    predecessors: [],
    leftNeighbor: left,
    leftSameDirection: left !== null,
    rightNeighbor: right,
    rightSameDirection: right !== null,
    speedLimit: 13.9,
    stopLine: null,
  };
}

/** Two lanes side by side; a new object a call. */
export function roadMap(): RoadMap {
  return {
    id: 'straight',
    lanes: [straightLane(10, 0, 11, null), straightLane(11, 3.5, null, 10)],
    drivableArea: [],
  };
}

/** A car that has driven along +x at `speed` for 2 s and is now at (x, y). */
export function car(x: number, y: number, speed: number): AgentObservation {
  return {
    length: 4.6,
    width: 1.9,
    history: Array.from({ length: 21 }, (_, i) => {
      const t = (i - 20) / 10;
      return { t, x: x + speed * t, y, heading: 0, vx: speed, vy: 0 };
    }),
  };
}

const kMap = roadMap();

/** The ego at the origin at 10 m/s with `agents` others, a route and a green light. */
export function observation(agents = 5, seed = 1): Observation {
  const random = randomNumbers(seed);
  return {
    ego: car(0, 0, 8 + 4 * random()),
    command: 'straight',
    agents: Array.from({ length: agents }, () =>
      car(-40 + 100 * random(), random() < 0.5 ? 0 : 3.5, 12 * random()),
    ),
    map: kMap,
    route: [10],
    lights: new Map([[10, 'green']]),
  };
}
