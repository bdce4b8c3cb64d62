import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RunReporter, type RunReporterOptions } from '../lib/cli/run-reporter.js';
import { Screen } from './support/screen.js';
import { temporaryFolder } from './support/small-training.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

function reporterOn(stream: RunReporterOptions['stream'], columns?: readonly string[]) {
  let milliseconds = 0;
  const reporter = new RunReporter({
    label: 'align',
    describeStart: () => 'align: 1,000 parameters',
    stream: stream!,
    now: () => milliseconds,
    ...(columns && { columns }),
  });
  const wait = (ms: number) => {
    milliseconds += ms;
  };
  return { reporter, wait };
}

const start = { type: 'start', step: 0, steps: 1000 };

/** The cells of the row that begins with `label`. */
function rowOf(screen: Screen, label: string): string[] {
  const line = screen.text().find((text) => text.startsWith(label));
  expect(line, label).toBeDefined();
  return line!.split(/ {2,}/);
}

describe('the live table of a run', () => {
  it('shows last, smoothed and best of every figure, the rate and the time left, over itself', async () => {
    const screen = new Screen();
    const { reporter, wait } = reporterOn(screen);
    await reporter.report(start);
    const rewards = [0.5, 0.75, 0.625];
    for (const [i, reward] of rewards.entries()) {
      wait(5000);
      const step = 10 * (i + 1);
      await reporter.report({ type: 'step', step, steps: 1000, loss: 3 - i, reward, lr: 1e-4 });
    }
    const text = screen.text();
    expect(text[0]).toBe('align: 1,000 parameters');
    expect(text[1]).toMatch(
      /^align {2}█?░+ +3 % {2}30\/1,000 steps {2}2\.00 steps\/s {2}8:05 left$/,
    );
    const fade = [0.81, 0.9, 1];
    const smoothed =
      rewards.reduce((sum, reward, i) => sum + fade[i]! * reward, 0) / (0.81 + 0.9 + 1);
    expect(rowOf(screen, 'reward')).toEqual([
      'reward',
      '0.6250',
      smoothed.toPrecision(4),
      '0.7500',
      '20',
    ]);
    expect(rowOf(screen, 'loss')).toEqual(['loss', '1.000', expect.any(String), '1.000', '30']);
    expect(rowOf(screen, 'learning rate')).toEqual(['learning rate', '1.00e-4', '1.00e-4']);
    expect(text.filter((line) => line.startsWith('reward'))).toHaveLength(1);
  });

  it('shows trials and checkpoints, and lines that are said meanwhile stand above it', async () => {
    const screen = new Screen();
    const { reporter, wait } = reporterOn(screen);
    await reporter.report(start);
    for (const [step, ade] of [
      [500, 0.6],
      [600, 0.7],
    ] as const) {
      wait(5000);
      await reporter.report({ type: 'step', step, steps: 1000, loss: 2, secondsLeft: 9 });
      wait(5000);
      await reporter.report({ type: 'eval', step, split: 'val', windows: 20, ade });
      wait(5000);
      await reporter.report({ type: 'checkpoint', step });
    }
    reporter.note('finishing');
    expect(screen.text().slice(0, 2)).toEqual(['align: 1,000 parameters', 'finishing']);
    expect(rowOf(screen, 'val ADE')).toEqual(['val ADE, m', '0.7000', '0.6000', '500']);
    expect(screen.text()).toContain('last eval at update 600, checkpoint at update 600');
    expect(screen.text().join('\n')).not.toMatch(/time left|windows/);
    await reporter.report({ type: 'done', step: 600, steps: 1000, stopped: true, seconds: 30 });
    expect(screen.text().at(-2)).toBe('stopped at update 600 of 1,000; --resume goes on');
    expect(rowOf(screen, 'val ADE')).toHaveLength(4);
  });

  it('keeps the order of the columns that are asked for, also inside objects', async () => {
    const screen = new Screen();
    const { reporter } = reporterOn(screen, ['NC', 'seconds/rollout', 'reward', 'absent']);
    await reporter.report(start);
    const step = { type: 'step', step: 1, steps: 1000, NC: 1, other: 5, reward: 0.25 };
    await reporter.report({ ...step, seconds: { rollout: 1.5, score: 2 } });
    const rows = screen.text().slice(4, -1);
    expect(rows.map((line) => line.split(/ {2,}/)[0])).toEqual(['NC', 'rollout, s', 'reward']);
  });

  it('knows the best of the parts of the run before it was resumed', async () => {
    const output = folder.path('resumed');
    mkdirSync(output);
    const line = (step: number, loss: number) =>
      JSON.stringify({ time: '2026-01-01T00:00:00.000Z', type: 'step', step, loss });
    writeFileSync(join(output, 'train_log.jsonl'), `${line(10, 2)}\nbroken\n${line(20, 4)}\n`);
    const screen = new Screen();
    const { reporter } = reporterOn(screen);
    await reporter.report({ type: 'start', step: 20, steps: 1000, output });
    await reporter.report({ type: 'step', step: 30, steps: 1000, loss: 3 });
    expect(rowOf(screen, 'loss').slice(3)).toEqual(['2.000', '10']);
  });

  it('draws at most ten times a second, and the last figures at the end', async () => {
    const screen = new Screen();
    const { reporter, wait } = reporterOn(screen);
    await reporter.report(start);
    for (let step = 1; step <= 1000; ++step) {
      wait(1);
      await reporter.report({ type: 'step', step, steps: 1000, loss: step });
    }
    expect(screen.raw.split('/1,000 steps').length - 1).toBeLessThanOrEqual(11);
    await reporter.report({ type: 'done', step: 1000, steps: 1000, stopped: false, seconds: 1 });
    expect(rowOf(screen, 'loss')[1]).toBe('1000');
  });

  it('fits terminals that are too small for it', async () => {
    const screen = new Screen(30, 6);
    const { reporter, wait } = reporterOn(screen);
    await reporter.report(start);
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`figure${i}`, i]));
    for (const step of [1, 2, 3]) {
      wait(1000);
      await reporter.report({ type: 'step', step, steps: 1000, ...many });
    }
    // The line of the start, five of the table, and the one that the cursor is in.
    expect(screen.text()).toHaveLength(7);
  });

  it('is plain lines where there is no terminal', async () => {
    let text = '';
    const stream = { isTTY: false, write: (chunk: string) => (text += chunk) };
    const { reporter, wait } = reporterOn(stream);
    await reporter.report(start);
    wait(20_000);
    await reporter.report({
      type: 'step',
      step: 5,
      steps: 1000,
      loss: 2,
      reward: 0.5,
      secondsLeft: 1,
    });
    await reporter.report({
      type: 'eval',
      step: 5,
      split: 'val',
      windows: 3,
      ade: 0.5,
      minAde: 0.25,
    });
    await reporter.report({ type: 'checkpoint', step: 5 });
    await reporter.report({ type: 'done', step: 5, steps: 5, stopped: false, seconds: 20 });
    expect(text).not.toContain('\u001b');
    expect(text.split('\n').slice(1, 4)).toEqual([
      expect.stringMatching(/^align .*5\/1,000 steps .*loss 2\.000 {2}reward 0\.5000$/),
      'update 5: val ADE 0.5000 m  minADE 0.2500 m',
      'update 5: checkpoint',
    ]);
    expect(text).toMatch(/5 updates in 0:20\n$/);
  });
});
