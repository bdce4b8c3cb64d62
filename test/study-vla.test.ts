// The study of vision-language models on models of random weights: who is compared with whom, and what the tables say.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fillBlocks } from '../bench/study/fill-blocks.js';
import { parseArms } from '../bench/vla/arms.js';
import { measureStudy, rowName, type Study, type StudyRow } from '../bench/vla/measure.js';
import { kindsTable, studyTable } from '../bench/vla/table.js';
import { readScenarios } from '../lib/scenario/read.js';
import { JanusFolder } from './support/janus-folder.js';
import { tinyVla } from './support/tiny-vla.js';

const root = join(import.meta.dirname, '..');
const plan = { steps: 2, decode: 'median', rule: 'renoise' };
const answer = { steps: 2, decode: 'argmax', rule: 'renoise' };

describe('arms', () => {
  test('of the repository are a study', () => {
    const study = parseArms(JSON.parse(readFileSync(join(root, 'bench/vla/arms.json'), 'utf8')));
    const mini = study.arms.find(({ key }) => key === study.reference)!;
    expect(mini).toMatchObject({ path: 'models/vla-mini', plans: true, questions: true });
    expect(mini.shown).toEqual(['picture', 'blank', 'shuffled']);
  });

  test('are refused when they name an arm that is none, or one twice', () => {
    const arm = { key: 'a', title: 'a', path: 'a' };
    const of = (change: object) => () =>
      parseArms({ reference: 'a', plan, answer, arms: [arm], ...change });
    expect(of({})).not.toThrow();
    expect(of({ reference: 'b' })).toThrow(/no arm is called b/);
    expect(of({ arms: [{ ...arm, against: 'c' }] })).toThrow(/no arm is called c/);
    expect(of({ arms: [arm, arm] })).toThrow(/twice/);
    expect(of({ arms: [] })).toThrow();
    expect(of({ other: 1 })).toThrow();
  });
});

describe('the study', () => {
  const folder = new JanusFolder();
  let study: Study;
  const row = (name: string) => study.rows.find((of) => rowName(of) === name)!;

  beforeAll(async () => {
    const { windows } = await readScenarios(join(root, 'examples'));
    const [mini, other] = [await tinyVla(folder), await tinyVla(folder, {}, 2)];
    const causal = await tinyVla(folder, {
      ...{ plan: null, mask: 'causal', decoding: 'next', answerTokens: 4 },
    });
    study = await measureStudy(
      windows.slice(0, 6),
      parseArms({
        ...{ reference: 'mini', plan, answer },
        arms: [
          { key: 'mini', title: 'Mini', path: mini, shown: ['picture', 'blank', 'shuffled'] },
          { key: 'other', title: 'Other', path: other, plan: { steps: 1 }, questions: false },
          { key: 'third', title: 'Third', path: mini, against: 'other', questions: false },
          { key: 'causal', title: 'Causal', path: causal, plans: false },
          { key: 'gone', title: 'Gone', path: join(folder.root, 'nowhere') },
        ],
      }),
      { threads: 1, questions: 12, sceneModel: join(root, 'models/mini'), onProgress: () => {} },
    );
  }, 120_000);
  afterAll(() => folder.remove());

  test('has a row each, floors first, and names what is not there', () => {
    expect(study.rows.map(rowName)).toEqual([
      ...[
        'recorded driver',
        'constant velocity',
        'constant yaw rate and acceleration',
        'scene-mini',
      ],
      ...['mini', 'mini/blank', 'mini/shuffled', 'other', 'third', 'causal'],
    ]);
    expect(study.missing).toEqual(['gone']);
    expect(study.windows).toBe(6);
    expect(row('recorded driver').figures!.ade!.mean).toBe(0);
    // The planner that sees the scene is a trained one.
    expect(row('scene-mini').figures!.ade!.mean).toBeLessThan(3);
  });

  test('compares each with the row that it belongs to', () => {
    const pairs = [
      ['mini/blank', 'mini'],
      ['mini/shuffled', 'mini'],
      ['other', 'mini'],
      ['third', 'other'],
    ] as const;
    for (const [name, against] of pairs) {
      const of = row(name);
      expect(of.against).toBe(against);
      for (const figure of ['ade', 'pdms.score', 'collisionAtFault'] as const) {
        const difference = of.figures![figure]!.mean - row(against).figures![figure]!.mean;
        expect(of.difference![figure]!.mean).toBeCloseTo(difference, 9);
      }
    }
    expect(row('mini')).toMatchObject({ against: null, difference: null, answersDifference: null });
    expect(row('third').figures!.ade).toEqual(row('mini').figures!.ade);
  });

  test('asks the same questions of those that answer', () => {
    expect(study.kinds.map(({ key }) => key)).toEqual(['mini', 'causal']);
    expect(row('mini').answers).toMatchObject({ n: 12 });
    expect(row('mini/blank').answers).toBeNull();
    expect(row('causal')).toMatchObject({ figures: null, difference: null, answers: { n: 12 } });
    const { mean } = row('causal').answersDifference!;
    expect(mean).toBeCloseTo(row('causal').answers!.accuracy - row('mini').answers!.accuracy, 9);
  });

  test('is the same after its file', () => {
    expect(studyTable(JSON.parse(JSON.stringify(study)))).toBe(studyTable(study));
    expect(studyTable(study)).toContain('| Mini, picture blanked | Mini | ');
    expect(kindsTable(study).split('\n')).toHaveLength(5);
  });
});

describe('tables', () => {
  const figure = (mean: number, low: number, high: number) => ({
    mean,
    ci: [low, high] as [number, number],
  });
  const base: StudyRow = {
    ...{ key: 'a', title: 'A', shown: 'picture', against: null, difference: null },
    ...{ figures: null, answers: null, answersDifference: null },
  };

  test('have intervals, and differences in bold whose interval excludes 0', () => {
    const rows: StudyRow[] = [
      {
        ...base,
        figures: {
          'pdms.score': figure(0.9, 0.85, 0.95),
          ade: figure(1.234, 1, 1.5),
          fde: figure(3, 2, 4),
        },
        answers: { n: 5, accuracy: 0.6, ci: [0.2, 1], majority: 0.5 },
      },
      {
        ...base,
        ...{ key: 'b', title: 'B', shown: 'shuffled', against: 'a' },
        difference: { 'pdms.score': figure(-0.1, -0.2, -0.05), ade: figure(0.5, -0.1, 1.1) },
        answersDifference: figure(-0.2, -0.4, 0),
      },
    ];
    const [head, , a, b] = studyTable({ rows }).split('\n');
    expect(head).toBe(
      '|  | compared with | PDMS % | difference | at fault % | difference | ADE m | difference | ADE m, turns | difference | FDE m | questions right % | difference |',
    );
    expect(a).toBe(
      '| A |  | 90.0 (85.0-95.0) |  |  |  | 1.23 (1.00-1.50) |  |  |  | 3.00 | 60.0 (20.0-100.0) |  |',
    );
    expect(b).toBe(
      '| B, command shuffled | A |  | **-10.0 (-20.0, -5.0)** |  |  |  | +0.50 (-0.10, +1.10) |  |  |  |  | -20.0 (-40.0, +0.0) |',
    );
    expect(kindsTable({ kinds: [] })).toBe('');
  });

  test('go where the page has room for them', () => {
    const page = 'x <!-- a -->old<!-- /a --> y <!-- b -->\n<!-- /b -->';
    expect(fillBlocks(page, { a: '1', b: '2', c: '3' })).toBe(
      'x <!-- a -->\n1\n<!-- /a --> y <!-- b -->\n2\n<!-- /b -->',
    );
    const results = readFileSync(join(root, 'docs/results.md'), 'utf8');
    const filled = fillBlocks(results, { 'vla-size': 'S!', 'vla-main': 'M!', 'vla-kinds': 'K!' });
    for (const mark of ['S!', 'M!', 'K!']) expect(filled).toContain(`\n${mark}\n`);
  });
});
