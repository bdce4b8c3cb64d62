import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { curvesCommand } from '../lib/cli/curves.js';
import { figuresOf, type LoggedEvent } from '../lib/train/figures.js';
import { formatFigure, quantityOf } from '../lib/train/quantities.js';
import { readTrainLog } from '../lib/train/read-log.js';
import { linearScale, logScale, markText } from '../lib/viewer/browser/curves/scale.js';
import { nearest, smoothed } from '../lib/viewer/browser/curves/smooth.js';
import { curvesOf } from '../lib/viewer/curves.js';
import { renderCurvesPage } from '../lib/viewer/curves-page.js';

const root = mkdtempSync(join(tmpdir(), 'wam-flow-curves-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const step = (at: number, fields: object): LoggedEvent => ({ type: 'step', step: at, ...fields });

/** A run's folder with these lines in its log. */
function runFolder(name: string, lines: readonly (object | string)[]): string {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)));
  writeFileSync(join(folder, 'train_log.jsonl'), text.join('\n'));
  return folder;
}

async function command(...argv: string[]): Promise<{ out: string; err: string }> {
  const written = { out: '', err: '' };
  const catchIn = (key: 'out' | 'err') => (text: string | Uint8Array) => {
    written[key] += text;
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(catchIn('out')),
    vi.spyOn(process.stderr, 'write').mockImplementation(catchIn('err')),
  ];
  try {
    await curvesCommand().parseAsync(argv, { from: 'user' });
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return written;
}

describe('figures of an event', () => {
  it('are its finite numbers, those of objects too, without what places it', () => {
    const event = step(3, { steps: 9, loss: 1, lr: null, name: 'x', list: [1], seconds: { a: 2 } });
    expect(figuresOf(event)).toEqual([
      { name: 'loss', value: 1 },
      { name: 'seconds/a', value: 2 },
    ]);
    expect(figuresOf(step(3, { loss: Number.NaN, reward: Number.POSITIVE_INFINITY }))).toEqual([]);
    expect(figuresOf({ type: 'done', step: 3, seconds: 5 })).toEqual([]);
  });

  it('have names, units and a direction; unknown ones their own name', () => {
    expect(quantityOf('eval', 'ade')).toMatchObject({ label: 'ADE', unit: 'm', better: 'low' });
    expect(quantityOf('step', 'NC')).toMatchObject({ label: 'NC', better: 'high' });
    expect(quantityOf('step', 'seconds/rollOut')).toMatchObject({ label: 'roll out', unit: 's' });
    const unknown = quantityOf('step', 'entropyBonus');
    expect(unknown).toEqual({
      group: 'step',
      name: 'entropyBonus',
      label: 'entropy bonus',
      unit: '',
    });
  });

  it.each([
    [0, '0'],
    [Math.PI, '3.142'],
    [-0.00123456, '-0.001235'],
    [0.0000123, '1.23e-5'],
    [123456.7, '123,457'],
    [2.5e9, '2.50e+9'],
  ])('%d is written %s', (value, text) => {
    expect(formatFigure(value)).toBe(text);
  });
});

describe('curves', () => {
  it('are a chart for each quantity, steps before trials, a curve for each run that has it', () => {
    const { runs, charts } = curvesOf([
      {
        name: 'a',
        lines: [
          { type: 'start', step: 0, stage: 'sft' },
          { type: 'eval', step: 5, split: 'val', windows: 9, ade: 0.5 },
          step(5, { loss: 3, secondsLeft: 8, updatesPerSecond: 2 }),
          step(10, { loss: 2 }),
        ],
      },
      { name: 'b', lines: [step(4, { reward: 0.5, loss: 1 })] },
    ]);
    expect(runs).toEqual([
      { name: 'a', facts: 'sft, 10 updates' },
      { name: 'b', facts: '4 updates' },
    ]);
    expect(charts.map(({ label, isTrial }) => [label, isTrial])).toEqual([
      ['loss', false],
      ['reward', false],
      ['val ADE', true],
    ]);
    expect(charts[0]!.curves).toEqual([
      { run: 0, steps: [5, 10], values: [3, 2], mean: 1 },
      { run: 1, steps: [4], values: [1], mean: 1 },
    ]);
  });

  it('are several runs where a log has several one after the other, not where one was resumed', () => {
    const start = (at: number) => ({ type: 'start', step: at });
    const lines = [start(0), step(10, { loss: 3 }), start(10), step(20, { loss: 2 })];
    expect(curvesOf([{ name: 'a', lines }]).runs).toHaveLength(1);
    const two = curvesOf([{ name: 'a', lines: [...lines, start(0), step(5, { loss: 1 })] }]);
    expect(two.runs.map(({ name }) => name)).toEqual(['a (part 1)', 'a (part 2)']);
    expect(two.charts[0]!.curves[1]).toMatchObject({ run: 1, steps: [5], values: [1] });
  });

  it('never go back: an update that is logged again replaces what was logged from there on', () => {
    const lines = [10, 20, 30, 20, 25].map((at, i) => step(at, { loss: i }));
    const [chart] = curvesOf([{ name: 'a', lines }]).charts;
    expect(chart!.curves[0]).toMatchObject({ steps: [10, 20, 25], values: [0, 3, 4] });
  });

  it('of very long runs are means of neighbours', () => {
    const lines = Array.from({ length: 4001 }, (_, i) => step(i + 1, { loss: i }));
    const [curve] = curvesOf([{ name: 'a', lines }]).charts[0]!.curves;
    expect(curve!.mean).toBe(3);
    expect(curve!.steps).toHaveLength(1334);
    expect([curve!.steps[0], curve!.values[0]]).toEqual([3, 1]);
    expect([curve!.steps.at(-1), curve!.values.at(-1)]).toEqual([4001, 3999.5]);
  });
});

describe('axes and smoothing', () => {
  it.each([
    [0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [-0.013, 0.021, 4, [-0.01, 0, 0.01, 0.02]],
    [3.1, 6.2, 6, [4, 5, 6]],
    [0, 6000, 4, [0, 2000, 4000, 6000]],
  ])('an even axis from %d to %d has round marks', (low, high, count, marks) => {
    const scale = linearScale(low, high, count);
    expect(scale.marks).toEqual(marks);
    expect(scale.share((low + high) / 2)).toBeCloseTo(0.5, 12);
  });

  it('an axis of one value is widened around it', () => {
    for (const value of [0, 5, -2])
      expect(linearScale(value, value, 4).share(value)).toBeCloseTo(0.5);
    expect(logScale(2, 2, 4).share(2)).toBeCloseTo(0.5);
  });

  it('a logarithmic axis has marks at 1, 2, 5, at powers of ten, or at even values', () => {
    expect(logScale(0.9, 60, 6).marks).toEqual([1, 2, 5, 10, 20, 50]);
    expect(logScale(1e-7, 1e-2, 5).marks).toEqual([1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2]);
    expect(logScale(3, 6, 3).marks).toEqual([3, 4, 5, 6]);
    expect(logScale(1e-4, 1e-2, 4).share(1e-3)).toBeCloseTo(0.5, 12);
    expect(logScale(1, 10, 4).share(0)).toBe(Number.NEGATIVE_INFINITY);
  });

  it('marks are short texts', () => {
    const values = [0, 0.25, 9999, 12500, 2e6, 1e-5, -0.5];
    expect(values.map(markText)).toEqual(['0', '0.25', '9999', '12.5k', '2M', '1e-5', '-0.5']);
  });

  it('smoothing is the weighted mean of a value and those before it', () => {
    const values = [4, -1, 7, 2.5];
    expect(smoothed(values, 0)).toEqual(values);
    const fade = 0.8;
    for (const [i, value] of smoothed(values, fade).entries()) {
      const weights = values.slice(0, i + 1).map((_, j) => fade ** (i - j));
      const sum = weights.reduce((total, weight, j) => total + weight * values[j]!, 0);
      expect(value).toBeCloseTo(sum / weights.reduce((a, b) => a + b), 12);
    }
  });

  it('finds the nearest update', () => {
    const steps = [1, 5, 6, 20];
    for (let at = -3; at < 30; at += 0.5) {
      const distance = Math.min(...steps.map((other) => Math.abs(other - at)));
      expect(Math.abs(steps[nearest(steps, at)]! - at)).toBe(distance);
    }
  });
});

describe('reading a log', () => {
  it('leaves out lines that are no events and names them', async () => {
    const lines = [
      step(1, { loss: 3 }),
      '{"type":"st',
      '',
      '[]',
      'null',
      '{"type":"step","step":-1}',
    ];
    const folder = runFolder('broken', [...lines, step(2, { loss: 2 }), '{"torn":']);
    const log = await readTrainLog(folder);
    expect(log.lines.map((line) => line.step)).toEqual([1, 2]);
    expect(log.broken).toEqual([2, 4, 5, 6, 8]);
    expect(await readTrainLog(join(folder, 'train_log.jsonl'))).toEqual(log);
  });

  it.each([
    ['a folder without a log', () => root, /no train_log.jsonl; is it the output folder of a run/],
    ['a path that does not exist', () => join(root, 'nowhere'), /no train_log.jsonl/],
    [
      'a log without an event',
      () => runFolder('empty', ['hello', '']),
      /no event of a training run/,
    ],
  ])('refuses %s', async (_, path, message) => {
    const error = await readTrainLog(path()).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ERR_IO', message: expect.stringMatching(message) });
  });
});

describe('wam-flow curves', () => {
  const lines = [step(1, { loss: 3 }), step(2, { loss: 1 }), step(3, { loss: 2 })];

  it('writes a page and says last and best', async () => {
    const folder = runFolder('one', [...lines, '{"torn":']);
    const html = join(root, 'made/curves.html');
    const { out, err } = await command(folder, '--html', html);
    expect(out).toMatch(/^one\nquantity .*\n.*\nloss +2\.000 +1\.000 +2\n$/);
    expect(err).toContain('train_log.jsonl: left out what is no event: line 4');
    const page = readFileSync(html, 'utf8');
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).not.toMatch(/(src|href)=/);
  });

  it('names runs by their folders, by paths where those are the same', async () => {
    const folders = ['x/a', 'y/a', 'z/b'].map((name) => runFolder(name, lines));
    const { out } = await command(...folders, '--html', join(root, 'names.html'), '--json');
    const { runs } = JSON.parse(out) as { runs: { name: string; figures: unknown }[] };
    expect(runs.map(({ name }) => name)).toEqual([folders[0], folders[1], 'b']);
    expect(runs[2]!.figures).toEqual([
      { quantity: 'loss', unit: '', last: 2, best: 1, bestStep: 2 },
    ]);
  });

  it('refuses a run without a log, no page and no run', async () => {
    const html = join(root, 'x.html');
    await expect(command(join(root, 'no'), '--html', html)).rejects.toMatchObject({
      code: 'ERR_IO',
    });
    await expect(command(join(root, 'one'))).rejects.toThrow(/--html/);
    await expect(command('--html', html)).rejects.toThrow(/missing required argument/);
  });
});

describe('the page of curves', () => {
  it('is the same text for the same runs, and names cannot end its script', () => {
    const runs = [{ name: '</script><b>', lines: [step(1, { '<i>': 3 })] }];
    expect(renderCurvesPage(runs)).toBe(renderCurvesPage(runs));
    expect(renderCurvesPage(runs)).not.toContain('</script><b>');
  });
});
