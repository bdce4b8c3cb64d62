// A run that takes a second: the package's examples, one layer of 16.

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TrainEvent } from '../../lib/train/events.js';
import type { SftOptions } from '../../lib/train/options.js';
import { train } from '../../lib/train/train.js';

/** Folder of the scenarios that come with the package. */
export const kExamples = fileURLToPath(new URL('../../examples', import.meta.url));

/** Options of a small run; `output` and whatever a test is about are added. */
export const kSmallRun = {
  stage: 'sft',
  data: kExamples,
  splits: ['example'],
  model: {
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 32,
    encoder: { hidden_size: 16, max_agents: 4, max_lanes: 6 },
    tokens: { vocab_size: 61 },
  },
  steps: 12,
  batch: 8,
  microBatches: 4,
  copies: 2,
  warmup: 2,
  logEvery: 1,
  checkpointEvery: 5,
  cut: false,
} as const satisfies Omit<SftOptions, 'output'>;

/** Runs to the end and returns every event. */
export async function trainAll(
  options: Parameters<typeof train>[0],
  onEvent?: (event: TrainEvent) => void,
): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of train(options)) {
    events.push(event);
    onEvent?.(event);
  }
  return events;
}

/** A temporary folder, and how to make a path in it that does not exist yet. */
export function temporaryFolder(): { path: (name: string) => string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'wam-flow-train-'));
  return {
    path: (name) => join(folder, name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Digest of configuration, model and optimiser: equal if and only if two runs are. */
export function weightsOf(output: string): string {
  const hash = createHash('sha256');
  for (const name of ['config.json', 'model.safetensors', 'optimizer.safetensors']) {
    hash.update(readFileSync(join(output, name)));
  }
  return hash.digest('hex');
}

/** The lines of a run's log. */
export function logOf(output: string): (TrainEvent & { time: string })[] {
  const text = readFileSync(join(output, 'train_log.jsonl'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}
