// The one real photograph with a known question and answer, from the file to ids and back to waypoints.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  assemblePrompt,
  buildModelInput,
  fillTemplate,
  formatNumberList,
  letterbox,
  parseAnswerIds,
  readImage,
  TextTokenizer,
  writeImage,
  writeTokenizerFiles,
} from '../lib/index.js';
import { smallTokenizerFiles } from './support/small-tokenizer.js';

const kPhoto =
  '../shared/navsim-samples/test__2021.09.09.17.18.51_veh-48_00889_01147__9a6f0331d98258a0.jpg';
const kPlan = [
  3.88, -0.06, 7.5, -0.07, 10.86, -0.1, 13.95, -0.11, 16.75, -0.13, 19.29, -0.15, 21.6, -0.12,
  23.67, -0.11,
];

test.skipIf(!existsSync(kPhoto))(
  'a photograph and its question become input, the answer a plan',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wam-flow-'));
    try {
      await writeTokenizerFiles(folder, smallTokenizerFiles());
      const tokenizer = await TextTokenizer.load(folder);

      const picture = await letterbox(await readImage(kPhoto));
      const seen = { data: picture.preview, width: picture.size, height: picture.size };
      await writeImage(join(folder, 'seen.png'), seen);
      const { data } = await readImage(join(folder, 'seen.png'));
      expect(Buffer.compare(data, picture.preview)).toBe(0);

      const question = fillTemplate(
        'View ahead:\n{image}\nTurn: {command}\nAt ({x},{y}), speed ({vx},{vy}), change ({ax},{ay}).',
        {
          image: tokenizer.special.imagePlaceholder.text,
          command: 'straight',
          x: 0,
          y: -0,
          vx: 8.34,
          vy: 0.18,
          ax: -0.83,
          ay: 0.28,
        },
      );
      const turns = [
        { role: 'User' as const, text: question },
        { role: 'Assistant' as const, text: formatNumberList(kPlan, tokenizer.numbers) },
      ];
      const prompt = assemblePrompt({ turns });
      const input = buildModelInput(tokenizer, prompt, { images: 1, purpose: 'training' });
      expect(input.ids.length).toBe(1076);
      const stated = [0, 0, 8.34, 0.18, -0.83, 0.28, ...kPlan];
      const numbers = [...input.ids].filter((id) => tokenizer.numbers.isNumeric(id));
      expect(numbers.map((id) => tokenizer.numbers.decode(id))).toEqual(stated);
      expect(input.numberPositions.length).toBe(16);
      expect(parseAnswerIds(input.ids.subarray(input.answerStart), tokenizer)).toEqual({
        waypoints: Float64Array.from(kPlan),
        complete: true,
        problems: [],
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
