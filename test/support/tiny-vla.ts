// Directories of vision-language models with a tokenizer and settings of this package, random weights: what they say means
// nothing, that they say it does.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TextTokenizer, writeTokenizerFiles } from '../../lib/index.js';
import { freshSettings, settingsText, type VlaSettings } from '../../lib/vla/vla-settings.js';
import type { JanusFolder } from './janus-folder.js';
import { smallTokenizerFiles } from './small-tokenizer.js';

/** Pixels of a side; patches of 8 pixels: 9 tokens a picture. */
export const kImageSize = 24;

/** Writes one; returns its directory. The last row of its table is the mask token. */
export async function tinyVla(
  folder: JanusFolder,
  change: Partial<VlaSettings> = {},
  seed = 1,
): Promise<string> {
  const files = smallTokenizerFiles();
  files.processorConfig = { ...files.processorConfig, num_image_tokens: 9 };
  const { numbers, idLimit } = new TextTokenizer(files);
  const directory = await folder.tiny({
    dtype: 'f32',
    seed,
    sizes: { vocab: idLimit + 1, imageSize: kImageSize, patch: 8 },
  });
  await writeTokenizerFiles(directory, files);
  const settings: VlaSettings = {
    ...freshSettings(kImageSize),
    stages: ['causal', 'adapt', 'embed', 'sft'],
    mask: 'prefix',
    decoding: 'flow',
    plan: { waypoints: 8, coordinates: 2 },
    numbers: { firstId: numbers.firstId, min: -100, max: 100, decimals: 2 },
    maskToken: { text: '<mask>', id: idLimit },
    schedule: { kind: 'kernel_width', initialWidth: 4, finalWidth: 0.01, power: 1 },
    wording: {
      user: '<image_placeholder> go {command}, speed ({vx},{vy}), ({ax},{ay})',
      system: 'SYSTEM',
    },
    ...change,
  };
  writeFileSync(join(directory, 'wam_flow.json'), settingsText(settings));
  return directory;
}
