import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderCamera } from '../lib/camera/camera.js';
import { questionsAbout } from '../lib/camera/questions.js';
import { sceneTruth } from '../lib/camera/scene-truth.js';
import { shortAnswer } from '../lib/camera/short-answer.js';
import {
  type AnsweredQuestion,
  answerQuestions,
  compareAnswers,
  type EncodedQuestion,
  isRight,
  summarizeAnswers,
  vehicleOf,
} from '../lib/eval/answer-questions.js';
import { loadModel, TextTokenizer, type VlaModel } from '../lib/index.js';
import { readScenarios } from '../lib/scenario/read.js';
import { answerText } from '../lib/vla/answer-text.js';
import { readVlaSettings, type VlaSettings } from '../lib/vla/vla-settings.js';
import { JanusFolder } from './support/janus-folder.js';
import { rejectionCode } from './support/reference.js';
import { tinyVla } from './support/tiny-vla.js';

const folder = new JanusFolder();
let model: VlaModel;
let tokenizer: TextTokenizer;
let settings: VlaSettings;

beforeAll(async () => {
  const directory = await tinyVla(folder, { answerTokens: 6 });
  model = await loadModel(directory, { device: 'cpu', maxTokens: 64 });
  tokenizer = await TextTokenizer.load(directory);
  settings = (await readVlaSettings(directory))!;
});
afterAll(async () => {
  await model.close();
  folder.remove();
});

const prompt = () => ({ ids: tokenizer.encode('User: the light?\n\nAssistant:') });

describe('a text answer', () => {
  test('of a flow is refined over the whole vocabulary and cut at its end', async () => {
    const end = tokenizer.special.endOfSentence.id;
    const { length } = prompt().ids;
    const said = tokenizer.encode(' turn left', { addSpecial: false });
    const final = new Int32Array(6).fill(said[0]!);
    final.set(said);
    final[said.length] = end;
    let asked: object = {};
    const stub = {
      sample: async (request: object) => {
        asked = request;
        return { final };
      },
    };
    const text = await answerText(stub as unknown as VlaModel, tokenizer, settings, prompt());
    expect(text).toBe('turn left');
    expect(asked).toMatchObject({
      prefixRows: length,
      mask: 'prefix',
      maskId: settings.maskToken!.id,
      schedule: settings.schedule,
      steps: 5,
      positions: Array.from({ length: 6 }, (_, i) => length + i),
    });
    expect(asked).not.toHaveProperty('range');
    // The model itself.
    const own = await answerText(model, tokenizer, settings, prompt(), { steps: 2, seed: 1 });
    expect(await answerText(model, tokenizer, settings, prompt(), { steps: 2, seed: 1 })).toBe(own);
  });

  test('of a causal model is the most likely token after the other', async () => {
    const causal = { ...settings, decoding: 'next', mask: 'causal' } as const;
    const text = await answerText(model, tokenizer, causal, prompt());
    const ids = [...prompt().ids];
    const said: number[] = [];
    for (let k = 0; k < 6; k += 1) {
      // All rows at once, one row too many: what the row after the last would say.
      const { logits } = await model.forward({ ids: [...ids, ...said, 0], mask: 'causal' });
      const row = logits.slice(-model.vocab);
      const next = row.reduce((best, value, i) => (value > row[best]! ? i : best), 0);
      if (next === tokenizer.special.endOfSentence.id) break;
      said.push(next);
    }
    expect(text).toBe(tokenizer.decode(said, { skipSpecial: true }).trim());
    expect(await answerText(model, tokenizer, causal, prompt(), { seed: 9 })).toBe(text);
  });

  test('needs a mask as long as the prompt', async () => {
    const bad = { ...prompt(), imageMask: [1] };
    expect(await rejectionCode(answerText(model, tokenizer, settings, bad))).toBe('ERR_SHAPE');
  });
});

describe('short answers', () => {
  test('are read from what the camera’s answers say', async () => {
    const { windows } = await readScenarios(join(import.meta.dirname, '../examples'));
    const { objects } = await renderCamera(windows, { objects: true });
    const kinds = new Set<string>();
    for (const [i, window] of windows.entries()) {
      const truth = sceneTruth(window, objects![i]!, 384 * 384);
      for (const { kind, content, answer } of questionsAbout(truth)) {
        expect(shortAnswer(kind, content), content).toBe(answer);
        kinds.add(kind);
      }
    }
    expect(kinds.size).toBeGreaterThan(7);
  });

  test.each([
    ['light_color', 'It is RED', 'red'],
    ['light_color', 'There is no light for you.', 'none'],
    ['light_color', 'blue', null],
    ['left_lane', 'No, the line is solid.', 'solid line'],
    ['left_lane', 'no, there is no such lane', 'no lane'],
    ['right_lane', 'No.', null],
    ['lead_distance', 'about 12.30 m', '12.30'],
    ['lead_distance', 'far', null],
    ['vehicle_ahead', 'Yesterday', null],
    ['lead_braking', 'No, its brake lights are off.', 'no'],
    ['road_bend', 'The road bends left.', 'left'],
    ['next_action', 'Slow down, because the vehicle ahead brakes.', 'slow down'],
    ['next_action', '', null],
  ] as const)('%s: %j', (kind, text, answer) => {
    expect(shortAnswer(kind, text)).toBe(answer);
  });

  test('are right when they are the same, distances within 1 m or 10 %', () => {
    expect(isRight('light_color', 'red', 'red')).toBe(true);
    expect(isRight('light_color', 'green', 'red')).toBe(false);
    expect(isRight('light_color', null, 'red')).toBe(false);
    expect(isRight('count_vehicles', '3', '3.00')).toBe(true);
    expect(isRight('count_vehicles', '3.00', '4.00')).toBe(false);
    expect(isRight('lead_distance', '5.90', '5.00')).toBe(true);
    expect(isRight('lead_distance', '6.10', '5.00')).toBe(false);
    expect(isRight('lead_distance', '43.90', '40.00')).toBe(true);
    expect(isRight('lead_distance', '35.90', '40.00')).toBe(false);
  });
});

describe('questions', () => {
  const question = (id: string, kind: string, answer?: string): EncodedQuestion => {
    const ids = tokenizer.encode('User: the light?\n\nAssistant: It is red.');
    return {
      ...{ id: `${id}-${kind}`, kind, ids, imageMask: new Uint8Array(ids.length) },
      answerStart: ids.length - 4,
      ...(answer === undefined ? {} : { answer }),
    };
  };

  test('are asked without their answers; captions and foreign rows are not', async () => {
    const asked: number[] = [];
    const yes = tokenizer.encode(' It is red.', { addSpecial: false });
    const final = new Int32Array(yes.length + 1).fill(tokenizer.special.endOfSentence.id);
    final.set(yes);
    const stub = {
      sample: async ({ ids }: { ids: Int32Array }) => {
        asked.push(ids.length);
        return { final };
      },
    };
    const rows = [
      question('s-1-e2-t85', 'light_color', 'red'),
      question('s-1-e2-t85', 'caption', 'A road.'),
      question('s-1-e2-t95', 'light_color', 'green'),
      question('s-1-e2-t95', 'light_color'),
      question('llava', 'detail', 'A cat.'),
    ];
    const answered = await answerQuestions(stub as unknown as VlaModel, tokenizer, settings, rows);
    expect(answered).toEqual([
      {
        id: rows[0]!.id,
        kind: 'light_color',
        text: 'It is red.',
        said: 'red',
        answer: 'red',
        right: true,
      },
      {
        id: rows[2]!.id,
        kind: 'light_color',
        text: 'It is red.',
        said: 'red',
        answer: 'green',
        right: false,
      },
    ]);
    expect(asked).toEqual([1, 1].map(() => rows[0]!.answerStart + 6));
  });

  const answered = (
    id: string,
    kind: string,
    said: string | null,
    answer: string,
  ): AnsweredQuestion => ({
    ...{ id: `${id}-${kind}`, kind, text: said ?? '', said, answer },
    right: isRight(kind, said, answer),
  });

  test('are summed up by kind, with intervals over vehicles and what saying the same gives', () => {
    const list = [
      answered('a-e1-t5', 'light_color', 'red', 'red'),
      answered('a-e1-t9', 'light_color', 'red', 'red'),
      answered('a-e2-t5', 'light_color', null, 'green'),
      answered('b-e1-t5', 'light_color', 'red', 'green'),
      answered('b-e1-t7', 'light_color', 'red', 'red'),
      answered('a-e1-t5', 'lead_distance', '20.00', '20.50'),
      answered('b-e1-t5', 'lead_distance', '9.00', '20.50'),
    ];
    const { all, kinds } = summarizeAnswers(list);
    expect(kinds.light_color).toMatchObject({
      n: 5,
      accuracy: 0.6,
      answered: 0.8,
      majority: { answer: 'red', accuracy: 0.6 },
    });
    expect(kinds.light_color!.ci[0]).toBeLessThan(0.6);
    expect(kinds.light_color!.ci[1]).toBe(1);
    expect(kinds.lead_distance!.majority).toEqual({ answer: '20.50', accuracy: 1 });
    expect(all).toMatchObject({ n: 7, accuracy: 4 / 7, majority: 5 / 7 });
    expect(() => summarizeAnswers([])).toThrow();
    expect(vehicleOf(list[0]!)).toBe('a-e1');
    expect(vehicleOf({ id: 'x', kind: 'light_color' })).toBe('x');
  });

  test('are compared pair by pair', () => {
    const a = [
      answered('a-e1-t5', 'light_color', 'red', 'red'),
      answered('b-e1-t5', 'light_color', 'red', 'red'),
    ];
    const b = [{ ...a[0]!, right: false }, a[1]!];
    expect(compareAnswers(a, b)).toMatchObject({ mean: 0.5, ci: [0, 1] });
    expect(() => compareAnswers(a, [b[1]!, b[0]!])).toThrow(
      expect.objectContaining({ code: 'ERR_ARGUMENT' }),
    );
  });
});
