// Nine photographs of a car's front camera through the whole front end, with the page of what a model sees of them; and the
// one whose question and answer are known as a full call of a model: random weights of small layers, with the vocabulary,
// the tokens and the picture of the real one.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  formatNumberList,
  letterbox,
  parseAnswer,
  parseAnswerIds,
  readImage,
  renderSeenPage,
  type SeenCase,
  seenCase,
  type TextTokenizer,
  VlaPlanner,
  writeTokenizerFiles,
} from '../lib/index.js';
import { JANUS_SIZES } from '../scripts/janus/layout.mjs';
import { JanusFolder } from './support/janus-folder.js';
import { janusSizedTokenizerFiles } from './support/small-tokenizer.js';

const kFolder = '../shared/navsim-samples';
const kKnown = 'test__2021.09.09.17.18.51_veh-48_00889_01147__9a6f0331d98258a0.jpg';
const kPlan = [
  3.88, -0.06, 7.5, -0.07, 10.86, -0.1, 13.95, -0.11, 16.75, -0.13, 19.29, -0.15, 21.6, -0.12,
  23.67, -0.11,
];
/** About that of the photographs. */
const kCamera = { fovDeg: 63.7, heightM: 1.5, pitchDeg: 0, forwardM: 1.5 };
const kWording = {
  system: 'You plan for a car.',
  user:
    'View ahead:\n<image_placeholder>\nTurn: {command}\nAt ({x},{y})\nspeed ({vx},{vy}), change ({ax},{ay}).\n' +
    'Eight waypoints over 4 s?',
};
const kFields = { command: 'straight', x: 0, y: 0, vx: 8.34, vy: 0.18, ax: -0.83, ay: 0.28 };
/** What the released sequence has: 102,400 rows of text and 20,001 of numbers. */
const kVocab = 122_401;

describe.skipIf(!existsSync(kFolder))('photographs', () => {
  const models = new JanusFolder();
  let planner: VlaPlanner;
  beforeAll(async () => {
    const sizes = { ...JANUS_SIZES, vocab: kVocab, hidden: 64, mlp: 96, layers: 2, heads: 4 };
    const tower = { visionWidth: 32, visionLayers: 2, visionHeads: 2, kvHeads: 4 };
    const directory = await models.tiny({ sizes: { ...sizes, ...tower } });
    await writeTokenizerFiles(directory, janusSizedTokenizerFiles());
    planner = await VlaPlanner.load(directory, { device: 'cpu', precision: 'bf16', threads: 2 });
  });
  afterAll(async () => {
    await planner?.close();
    models.remove();
  });

  test('all become what the model sees, on one page', async () => {
    const names = readdirSync(kFolder).filter((name) => name.endsWith('.jpg'));
    expect(names).toHaveLength(9);
    const { tokenizer } = planner;
    const cases: SeenCase[] = [];
    for (const name of names) {
      const image = await readImage(join(kFolder, name));
      const isKnown = name === kKnown;
      const extra = isKnown
        ? { known: kPlan, camera: kCamera, planner }
        : { tokenizer: tokenizer! };
      cases.push(await seenCase({ name, image, wording: kWording, fields: kFields, ...extra }));
    }
    for (const { original, seen, sequences } of cases) {
      expect([original.width, original.height]).toEqual([1920, 1080]);
      expect(seen).toMatchObject({
        width: 384,
        placement: { left: 0, top: 84, width: 384, height: 216 },
      });
      // Five rows of patches above and five below are nothing but grey.
      for (const rows of [seen.colors.slice(0, 120), seen.colors.slice(-120)]) {
        expect(new Set(rows)).toEqual(new Set([0x7f7f7f]));
      }
      expect(new Set(seen.colors.slice(168, 408)).size).toBeGreaterThan(150);
      expect(sequences[1]!.ids).toHaveLength(1076);
    }
    mkdirSync('out', { recursive: true });
    writeFileSync('out/seen-photographs.html', renderSeenPage(cases));
  });

  test('the one with a known question is a full call: picture, prompt, ids, masks, plan, answer', async () => {
    const tokenizer = planner.tokenizer as TextTokenizer;
    const image = await readImage(join(kFolder, kKnown));
    const { values } = await letterbox(image);
    const { ids, imageMask, pixels } = await planner.prompt(kWording, {
      images: [image],
      fields: kFields,
    });
    expect(pixels).toEqual(values);
    // Where Janus has them: begin of sentence, a picture of 576 tokens between its marks, numbers behind all text.
    const list = Array.from(ids);
    expect(list[0]).toBe(100_000);
    const start = list.indexOf(100_016);
    expect(list.indexOf(100_593)).toBe(start + 577);
    const marked = Array.from(imageMask!, Number);
    expect(marked.indexOf(1)).toBe(start + 1);
    expect(marked.reduce((sum, value) => sum + value, 0)).toBe(576);
    expect(tokenizer.numbers.firstId).toBe(100_595);
    const stated = list.filter((id) => tokenizer.numbers.isNumeric(id));
    expect(stated.map((id) => tokenizer.numbers.decode(id))).toEqual([
      0, 0, 8.34, 0.18, -0.83, 0.28,
    ]);
    expect(tokenizer.decode(list.slice(start + 578))).toMatch(
      /^\nTurn: straight\n.*\n\nAssistant:$/s,
    );

    const plan = await planner.plan({ ids, imageMask: imageMask!, pixels: pixels! }, { steps: 5 });
    expect(plan.refinements).toHaveLength(5);
    expect(plan.tokens.every((id) => tokenizer.numbers.isNumeric(id))).toBe(true);
    const answer = planner.answer(plan.tokens);
    expect(answer).toHaveLength(33);
    const read = parseAnswerIds(answer, tokenizer);
    expect(read).toMatchObject({ complete: true, problems: [] });
    expect(Array.from(read.waypoints, (value) => Math.fround(value))).toEqual([...plan.trajectory]);
    const text = tokenizer.decode(answer, { skipSpecial: true });
    expect(text).toBe(` ${formatNumberList(read.waypoints, tokenizer.numbers)}`);
    expect(parseAnswer(text).waypoints).toEqual(read.waypoints);

    // The known answer in the same form is read back as it was written.
    const known = planner.answer(tokenizer.numbers.encodeAll(kPlan));
    expect([
      ...tokenizer.encode(` ${formatNumberList(kPlan, tokenizer.numbers)}`, { addSpecial: false }),
      100_001,
    ]).toEqual([...known]);
    expect(parseAnswerIds(known, tokenizer).waypoints).toEqual(Float64Array.from(kPlan));

    // What the model says depends on what it sees and on what it is told.
    const other = await readImage(
      join(kFolder, readdirSync(kFolder).filter((n) => n.startsWith('trainval'))[0]!),
    );
    for (const [picture, fields] of [
      [other, kFields],
      [image, { ...kFields, command: 'left' }],
    ] as const) {
      const changed = await planner.prompt(kWording, { images: [picture], fields });
      const said = await planner.plan(changed, { steps: 5 });
      expect(said.logProbability).not.toEqual(plan.logProbability);
    }
  });
});
