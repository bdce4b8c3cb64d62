import { describe, expect, test } from 'vitest';
import { describeOptions, type PlanFlags, planOptionsOf } from '../lib/cli/plan-flags.js';
import { duration, Progress } from '../lib/cli/progress.js';
import { hasColor, printable, styleFor } from '../lib/cli/style.js';
import { renderTable } from '../lib/cli/table.js';

/** A stream that keeps what is written, and a clock that is set by hand. */
function fakeTerminal(isTTY: boolean, columns = 120) {
  let text = '';
  let milliseconds = 0;
  return {
    stream: {
      isTTY,
      columns,
      write: (chunk: string) => {
        text += chunk;
      },
    },
    now: () => milliseconds,
    wait: (ms: number) => {
      milliseconds += ms;
    },
    text: () => text,
  };
}

describe('progress', () => {
  test('in a terminal one line shows share, count, rate and time left, drawn at most ten times a second', () => {
    const { stream, now, wait, text } = fakeTerminal(true);
    const progress = new Progress({ label: 'train', total: 100, stream, now });
    for (let done = 1; done <= 50; ++done) {
      wait(20);
      progress.update(done, 'loss 3.61');
    }
    const drawn = text().split('\r').filter(Boolean);
    expect(drawn.length).toBeLessThanOrEqual(11);
    expect(drawn.at(-1)?.replace('\u001b[K', '')).toMatch(
      /^train {2}█+░+ +\d+ % {2}\d+\/100 steps {2}50\.0 steps\/s {2}0:01 left {2}loss 3\.61$/,
    );
    wait(1000);
    progress.update(100);
    progress.finish('done');
    expect(text()).toMatch(/train {2}100\/100 steps {2}0:02 {2}50\.0 steps\/s {2}done\n$/);
  });

  test('in a log it writes plain lines, rarely', () => {
    const { stream, now, wait, text } = fakeTerminal(false);
    const progress = new Progress({ label: 'train', total: 1000, stream, now });
    for (let done = 1; done <= 600; ++done) {
      wait(100);
      progress.update(done);
    }
    const lines = text().trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toBe('train   15 %  150/1,000 steps  10.0 steps/s  1:25 left');
    for (const mark of ['\r', '\u001b', '█']) expect(text()).not.toContain(mark);
  });

  test('steps done before do not count for the rate', () => {
    const { stream, now, wait, text } = fakeTerminal(false);
    const progress = new Progress({ label: 'train', total: 1000, start: 900, stream, now });
    wait(20_000);
    progress.update(940);
    expect(text()).toContain('2.00 steps/s  0:30 left');
    progress.finish();
    expect(text()).toMatch(/940\/1,000 steps {2}0:20 {2}2\.00 steps\/s\n$/);
  });

  test('a silent one writes nothing, and a line never outgrows the terminal', () => {
    const silent = fakeTerminal(true);
    const quiet = new Progress({
      label: 'a',
      silent: true,
      stream: silent.stream,
      now: silent.now,
    });
    quiet.update(1);
    quiet.log('text');
    quiet.finish();
    quiet.clear();
    expect(silent.text()).toBe('');
    const narrow = fakeTerminal(true, 30);
    const progress = new Progress({
      label: 'train',
      total: 9,
      stream: narrow.stream,
      now: narrow.now,
    });
    progress.update(1, 'a long note that does not fit');
    expect(narrow.text().replace('\r\u001b[K', '').length).toBe(29);
  });

  test('a logged line stands above the redrawn progress', () => {
    const { stream, now, text } = fakeTerminal(true);
    const progress = new Progress({ label: 'train', stream, now });
    progress.update(1);
    progress.log('saved');
    expect(text()).toBe('\r\u001b[Ktrain  1 steps\r\u001b[Ksaved\n\r\u001b[Ktrain  1 steps');
    progress.clear();
    expect(text().endsWith('\r\u001b[K')).toBe(true);
  });

  test('durations', () => {
    expect([0, 59.6, 61, 3600, 36_061].map(duration)).toEqual([
      '0:00',
      '1:00',
      '1:01',
      '1:00:00',
      '10:01:01',
    ]);
  });
});

describe('tables', () => {
  test('align columns and leave no trailing blanks', () => {
    const text = renderTable(
      [{ header: 'name' }, { header: 'm', align: 'right' }, { header: 'note' }],
      [['a', '1.5', ''], [], ['bcdef', '10', 'x']],
    );
    expect(text).toBe(
      ['name     m  note', '─────  ───  ────', 'a      1.5', '', 'bcdef   10  x'].join('\n'),
    );
  });

  test('colour does not disturb the widths', () => {
    const text = renderTable(
      [{ header: 'a', style: (cell, row) => (row === 0 ? `<${cell}>` : cell) }, { header: 'b' }],
      [
        ['x', '1'],
        ['long', '2'],
      ],
    );
    expect(text.split('\n').slice(2)).toEqual(['<x   >  1', 'long  2']);
  });

  test('control characters of names do not reach the terminal', () => {
    expect(renderTable([{ header: 'a' }], [['x\u001b[31m\n\u202Ey']])).toContain('x?[31m??y');
    expect(printable('Straße 1 – ü')).toBe('Straße 1 – ü');
  });
});

describe('colour', () => {
  test('only on a terminal, and not where NO_COLOR is set', () => {
    expect(hasColor({ isTTY: true }, {})).toBe(true);
    expect(hasColor({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
    expect(hasColor({ isTTY: true }, { NO_COLOR: '' })).toBe(true);
    expect(hasColor({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
    expect(hasColor({}, {})).toBe(false);
    expect(styleFor({ isTTY: false }).red('x')).toBe('x');
  });
});

describe('plan options', () => {
  const describeFlags = (flags: Partial<PlanFlags>, steps: number) =>
    describeOptions(planOptionsOf({ steps: [steps], ...flags }, steps));

  test('only what was asked for reaches the planner: its defaults stay its own', () => {
    expect(planOptionsOf({ steps: [5] }, 5)).toEqual({ steps: 5 });
    expect(planOptionsOf({ steps: [5], decode: 'argmax', seed: 0, topK: 0 }, 5)).toEqual({
      steps: 5,
      decode: 'argmax',
      lastDecode: 'argmax',
      seed: 0,
      topK: 0,
    });
  });

  test('are told in words', () => {
    expect(describeFlags({}, 1)).toBe('median');
    expect(describeFlags({}, 5)).toBe('median, renoise rule, seed 0');
    expect(describeFlags({ decode: 'sample-median', samples: 16, seed: 3 }, 5)).toBe(
      'sample, median at last, renoise rule, medoid of 16, seed 3',
    );
    // The only step is the last: nothing is drawn.
    expect(describeFlags({ decode: 'sample-median' }, 1)).toBe('median');
    expect(describeFlags({ decode: 'sample', temperature: 0.5, topK: 8 }, 1)).toBe(
      'sample, temperature 0.5, top 8, seed 0',
    );
    expect(describeFlags({ decode: 'sample', coupling: 'comonotone' }, 1)).toBe(
      'sample, comonotone, seed 0',
    );
    expect(describeFlags({ coupling: 'comonotone' }, 1)).toBe('median');
  });
});
