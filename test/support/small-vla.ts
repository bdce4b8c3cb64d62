// A vision-language model of a few thousand weights and a world of coloured pictures, which it can learn in seconds.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVla, encodePng, type TrainEvent, trainVla } from '../../lib/index.js';
import type { VlaTrainOptions } from '../../lib/vla-train/vla-options.js';

export const kSmallVla = {
  imageSize: 16,
  patch: 8,
  hidden: 32,
  layers: 2,
  heads: 2,
  visionWidth: 16,
  visionLayers: 1,
  visionHeads: 2,
} as const;

const kColours: Readonly<Record<string, readonly number[]>> = {
  red: [220, 30, 30],
  green: [30, 200, 40],
  blue: [40, 60, 220],
};

/** A folder with pictures, conversations about them, plans, and a model with random weights. */
export class SmallVla {
  readonly root = mkdtempSync(join(tmpdir(), 'wam-vla-train-'));
  /** What colour a picture has, in words; no numbers. */
  readonly colours = join(this.root, 'colours.jsonl');
  /** How bright it is, as a number. */
  readonly numbers = join(this.root, 'numbers.jsonl');
  /** Sixteen numbers. */
  readonly plans = join(this.root, 'plans.jsonl');
  /** The model. */
  readonly model = join(this.root, 'model');
  #outputs = 0;

  static async make(): Promise<SmallVla> {
    const world = new SmallVla();
    await world.#write();
    return world;
  }

  /** Path of a folder that does not exist yet. */
  output(): string {
    this.#outputs += 1;
    return join(this.root, `run-${this.#outputs}`);
  }

  /** Options of a short run. */
  options(more: Partial<VlaTrainOptions> & Pick<VlaTrainOptions, 'stage'>): VlaTrainOptions {
    return {
      model: this.model,
      output: this.output(),
      data: [{ path: this.colours }],
      ...{ steps: 8, batch: 4, lr: 3e-3, warmup: 2, maxTokens: 64, answerTokens: 8, threads: 1 },
      ...{ logEvery: 1, tensorboard: false },
      ...more,
    };
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  async #write(): Promise<void> {
    mkdirSync(join(this.root, 'images'));
    const rows: Record<'colours' | 'numbers' | 'plans', object[]> = {
      colours: [],
      numbers: [],
      plans: [],
    };
    for (let i = 0; i < 24; i += 1) {
      const [name, rgb] = Object.entries(kColours)[i % 3]!;
      const shade = 1 - (i % 8) / 20;
      const data = Uint8Array.from({ length: 3 * 256 }, (_, k) => rgb[k % 3]! * shade);
      const image = `images/${i}.png`;
      writeFileSync(join(this.root, image), await encodePng({ data, width: 16, height: 16 }));
      const row = (user: string, assistant: string) => ({
        id: String(i),
        image,
        kind: 'test',
        split: i < 20 ? 'train' : 'val',
        conversations: [
          { role: 'user', content: user },
          { role: 'assistant', content: assistant },
        ],
      });
      rows.colours.push(row('What colour is it?', `It is ${name}.`));
      rows.numbers.push(row('How bright is it?', `${shade.toFixed(2)} of 1.00`));
      const plan = Array.from({ length: 16 }, (_, k) => (k * shade).toFixed(2)).join(',');
      rows.plans.push(row('Where next at 3.50?', plan));
    }
    for (const [name, list] of Object.entries(rows)) {
      const text = list.map((row) => JSON.stringify(row)).join('\n');
      writeFileSync(join(this.root, `${name}.jsonl`), `${text}\n`);
    }
    const texts = [
      ...Object.values(rows).flat(),
      { conversations: [{ content: '0123456789 0.5 1.2 User: Assistant:' }] },
    ].flatMap((row) =>
      (row as { conversations: { content: string }[] }).conversations.map(({ content }) => content),
    );
    await createVla({ output: this.model, sizes: kSmallVla, tokenizer: { texts, size: 320 } });
  }
}

/** All events of a run. */
export async function eventsOf(options: VlaTrainOptions): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of trainVla(options)) events.push(event);
  return events;
}

/** The losses that a run logged. */
export function lossesOf(events: readonly TrainEvent[]): number[] {
  return events.flatMap((event) => (event.type === 'step' ? [event.loss] : []));
}
