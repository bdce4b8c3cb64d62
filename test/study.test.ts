// The tables and the figure of docs/results.md.

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { kAblations } from '../bench/study/ablations.js';
import { measureInTurns, type Timed } from '../bench/study/latency.js';
import type { Measurement, Result } from '../bench/study/measure.js';
import { describeMode, kBundled, kContenders } from '../bench/study/rows.js';
import { scatterSvg } from '../bench/study/scatter-svg.js';
import { bestModes, differenceTable, resultTable } from '../bench/study/tables.js';
import { checkRunOptions, type TrainOptions } from '../lib/train/options.js';

const figure = (mean: number, low = mean, high = mean) => ({
  mean,
  ci: [low, high] as [number, number],
  deviation: null,
});
const result = (key: string, steps: number, pdms: number, samples = 1): Result => ({
  key,
  title: key,
  mode: { steps, decode: 'median', samples, reduce: 'first', warmStart: null, passes: steps },
  models: 1,
  figures: { 'pdms.score': figure(pdms, pdms - 0.01, pdms + 0.01), ade: figure(1.234) },
  latencyMs: { p50: steps, p99: 2 * steps },
});

describe('tables of results', () => {
  it('show figures with their intervals and leave out columns that nothing fills', () => {
    const [head, , row] = resultTable([result('a', 1, 0.9)]).split('\n');
    expect(head).toBe('|  | plans | PDMS | ADE | passes | p50 ms | p99 ms |');
    expect(row).toBe('| a | median, 1 step | 90.0 (89.0-91.0) | 1.23 | 1 | 1.00 | 2.00 |');
  });

  it('choose the mode of a contender by PDMS among those of one plan', () => {
    const best = bestModes([
      result('a', 1, 0.8),
      result('a', 5, 0.9),
      result('a', 3, 0.95, 16),
      result('b', 1, 0.5),
    ]);
    expect(best.get('a')!.mode!.steps).toBe(5);
    expect(best.get('b')!.mode!.steps).toBe(1);
  });

  it('set differences in bold whose interval excludes 0', () => {
    const differences = [
      { a: 'x', b: 'y', figures: { 'pdms.score': figure(0.01, 0.002, 0.02) } },
      { a: 'x', b: 'z', figures: { 'pdms.score': figure(0.01, -0.002, 0.02) } },
    ];
    const table = differenceTable({ windows: 1, egos: 1, results: [], differences });
    expect(table).toContain('| x less y | **+1.0 (+0.2, +2.0)** |');
    expect(table).toContain('| x less z | +1.0 (-0.2, +2.0) |');
  });
});

describe('times', () => {
  it('are taken in turns, after warm-up calls of each turn, and every way to plan gets its own', async () => {
    const calls: string[] = [];
    const timed = (name: string, steps: number): Timed => ({
      planner: { planSync: () => void calls.push(name) } as never,
      settings: { steps, decode: 'median', rule: 'renoise' },
      run: {
        samples: 1,
        reduce: 'first',
        temperature: 1,
        coupling: 'independent',
        warmStart: null,
      },
      plans: [],
    });
    const cases = [{ observation: {}, before: null }] as never;
    const times = await measureInTurns([timed('a', 1), timed('b', 5)], cases, 25);
    expect(times).toHaveLength(2);
    for (const { p50, p99 } of times) expect(p99).toBeGreaterThanOrEqual(p50);
    const turns = calls.join('').match(/a+|b+/g)!;
    // Turns of 10, 10 and 5 calls with 4 more before each.
    expect(turns.map(({ length }) => length)).toEqual([14, 14, 14, 14, 9, 9]);
    expect(turns.map(([name]) => name).join('')).toBe('ababab');
  });
});

describe('the figure', () => {
  const svg = scatterSvg({
    title: 'a < b',
    x: 'ms',
    y: '%',
    series: [
      {
        name: 'one',
        points: [
          { x: 1, y: 10 },
          { x: 10, y: 20, low: 18, high: 22, label: 'p' },
        ],
      },
      {
        name: 'two',
        line: true,
        points: [
          { x: 100, y: 30 },
          { x: 1000, y: 40 },
        ],
      },
    ],
  });

  it('is one self-contained text, the same each time', () => {
    expect(svg).toMatch(/^<svg .*<\/svg>\n$/s);
    expect(svg).not.toMatch(/<script|href|url\(/);
    expect(svg).toContain('a &lt; b');
  });

  it('puts equal ratios of x at equal distances and larger y higher', () => {
    const circles = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map((m) => [
      Number(m[1]),
      Number(m[2]),
    ]);
    // Of each series its points, then its mark in the legend.
    const [a, b, , c, d] = circles as [number, number][];
    expect(b![0] - a![0]).toBeCloseTo(c![0] - b![0], 0);
    expect(d![0] - c![0]).toBeCloseTo(c![0] - b![0], 0);
    expect(b![1]).toBeLessThan(a![1]);
    expect(d![1]).toBeLessThan(c![1]);
  });
});

describe('what is compared', () => {
  it('has a name of its own for each way of planning', () => {
    for (const { key, modes } of [...kContenders, ...kBundled]) {
      expect(new Set(modes.map(describeMode)).size, key).toBe(modes.length);
    }
  });

  it('trains every ablation with options that exist', () => {
    for (const { variants } of Object.values(kAblations)) {
      for (const { runs = [], checkpoint, average } of variants(10, 1)) {
        expect(runs.length > 0 || checkpoint !== undefined || average !== undefined).toBe(true);
        for (const run of runs) {
          const options = {
            ...run,
            output: 'x',
            ...(run.stage === 'tokenizer' ? {} : { data: 'x' }),
          };
          checkRunOptions(options as TrainOptions);
        }
      }
    }
  });

  it('stands in docs/results.md as docs/results.json says', () => {
    if (!existsSync('docs/results.json')) return;
    const sets = JSON.parse(readFileSync('docs/results.json', 'utf8')) as Record<
      string,
      Measurement
    >;
    const page = readFileSync('docs/results.md', 'utf8');
    for (const measurement of Object.values(sets)) {
      expect(page).toContain(resultTable(measurement.results));
      expect(page).toContain(differenceTable(measurement));
    }
  });
});
