import { describe, expect, it } from 'vitest';
import { baselineOf, ratios, regressions } from '../bench/baseline.mjs';
import { cpuKey } from '../bench/machine.mjs';
import { compare, goalTable } from '../bench/report.mjs';
import { figure, markdownTable, textTable } from '../bench/table.mjs';
import { catalogue } from '../bench/workloads/catalogue.mjs';
import { floorOf, limitsOf } from '../bench/workloads/floor.mjs';
import { agree, combine } from '../bench/workloads/rounds.mjs';
import { disagreements, withFloors, workloadTable } from '../bench/workloads/suite.mjs';

/** A line of the protocol. */
function line(workload: string, peer: string, minMs: number, more: object = {}) {
  return {
    ...{ workload, peer, threads: 1, round: 1, ms: minMs * 1.1, median_ms: minMs * 1.2 },
    ...{ p99_ms: minMs * 2, min_ms: minMs, clean_ms: minMs * 1.1, cpu_ms: minMs, reps: 9 },
    ...{ gflops: 1, check: [0, 100, 1, 2, 3], ...more },
  };
}

const limit = (name: string, best: number, threads = 1) => ({
  ...{ limit: name, threads, median: best * 0.9, best, unit: 'x' },
});
const limits = [
  limit('fp32 FMA avx512', 100),
  limit('int8 vpdpbusd avx512', 400),
  limit('read L1 (24 KiB)', 200),
  limit('read L2 (1024 KiB)', 100),
  limit('read DRAM (393216 KiB)', 10),
];

describe('rounds', () => {
  it('become one row: the median of what rounds compare by, the least of any repetition', () => {
    const rounds = [3, 1, 2].map((ms, round) => line('W3.a', 'x', ms, { ms: 10 * ms, round }));
    expect(combine([{ limit: 'x' }, ...rounds, line('W3.a', 'x', 9, { threads: 2 })])).toEqual([
      expect.objectContaining({ workload: 'W3.a', threads: 1, ms: 20, leastMs: 1, rounds: 3 }),
      expect.objectContaining({ workload: 'W3.a', threads: 2, leastMs: 9, rounds: 1 }),
    ]);
  });

  it('are disturbed only when none had undisturbed repetitions', () => {
    const [one] = combine([line('W', 'x', 1, { clean_ms: null }), line('W', 'x', 1)]);
    const [none] = combine([line('W', 'x', 1, { clean_ms: null })]);
    expect([one!.disturbed, none!.disturbed]).toEqual([false, true]);
  });

  it('agree up to rounding, in every output', () => {
    expect(agree([5, 1000, 1, 1, 1], [-5, 1001, 2, 2, 2])).toBe(true);
    expect(agree([5, 1000, 1, 1, 1], [5, 1010, 1, 1, 1])).toBe(false);
    expect(agree({ a: [0, 1], b: [0, 7] }, { b: [0, 7], a: [0, 1] })).toBe(true);
    expect(agree({ a: [0, 1], b: [0, 7] }, { a: [0, 1] })).toBe(false);
    expect(agree({ loss: 8.75534 }, { loss: 8.755341 })).toBe(true);
  });
});

describe('the floor', () => {
  it('is what arithmetic or memory needs, whichever is more', () => {
    const own = limitsOf(limits, 1);
    // 1e8 operations at 100 G/s are 1 ms; 800 KB from L2 at 100 GB/s are 8 us.
    expect(floorOf(own, { flops: 1e8, bytes: 8e5 }, 1)).toEqual({ ms: 1, bound: 'arithmetic' });
    // 20 MB do not fit into L2: at 10 GB/s 2 ms.
    expect(floorOf(own, { flops: 1e8, bytes: 2e7 }, 1)).toEqual({ ms: 2, bound: 'memory' });
  });

  it('counts whole numbers of eight bits at their own rate', () => {
    expect(floorOf(limitsOf(limits, 1), { flops: 1e8, bytes: 1 }, 1, 'int8').ms).toBe(0.25);
  });

  it('counts narrow weights with the bytes that they have', () => {
    const work = { flops: 1, bytes: 1e5, weightBytes: 8e5 };
    const floor = (precision: string) => floorOf(limitsOf(limits, 1), work, 1, precision).ms;
    expect(floor('fp32')).toBeCloseTo(9e5 / 1e8);
    expect(floor('bf16')).toBeCloseTo(5e5 / 1e8);
    expect(floor('int8')).toBeCloseTo(3e5 / 1e8);
  });

  it('takes the best of several rounds', () => {
    const more = [...limits, limit('fp32 FMA avx512', 200)];
    expect(floorOf(limitsOf(more, 1), { flops: 1e8, bytes: 1 }, 1).ms).toBe(0.5);
  });

  it('needs limits of the same number of threads', () => {
    expect(() => limitsOf(limits, 2)).toThrow('2 threads');
  });

  it('is added to rows that the catalogue knows', () => {
    const rows = withFloors(combine([line('W3.24x256x256', 'wam-flow-avx512', 0.1)]), limits);
    const flops = 2 * 24 * 256 * 256;
    expect(catalogue().get('W3.24x256x256')?.flops).toBe(flops);
    expect(rows[0].gflops).toBeCloseTo(flops / 1e5);
    expect(rows[0].overFloor).toBeCloseTo(0.1 / (flops / 1e8));
  });
});

describe('the baseline', () => {
  const bound = ({ workload }: { workload: string }) =>
    workload.startsWith('W5') ? 'memory' : 'arithmetic';
  const rowsOf = (w3: number, w5: number, clock = 1) =>
    combine([
      line('reference.arithmetic', 'wam-flow-avx512', 2 * clock),
      line('reference.sweep', 'wam-flow-avx512', 5 * clock),
      line('W3.a', 'wam-flow-avx512', w3 * clock),
      line('W5.b', 'wam-flow-avx512', w5 * clock),
    ]);
  const saved = baselineOf(rowsOf(4, 10), bound);
  const run = (w3: number, w5: number, clock = 1) => ratios(rowsOf(w3, w5, clock));

  it('keeps ratios to the loop that is bound by the same', () => {
    expect(saved).toEqual({
      'W3.a 1T': { ratio: 2, reference: 'reference.arithmetic' },
      'W5.b 1T': { ratio: 2, reference: 'reference.sweep' },
    });
    expect(run(4, 10)['W5.b 1T']).toEqual({ 'reference.arithmetic': 5, 'reference.sweep': 2 });
  });

  it('finds what became slower, worst first', () => {
    const found = regressions(saved, run(5.2, 14));
    expect(found.map(({ key }) => key)).toEqual(['W5.b 1T', 'W3.a 1T']);
    expect(found[0]!.slower).toBeCloseTo(1.4);
  });

  it('does not find noise, a slower machine, or what got faster', () => {
    expect(regressions(saved, run(4.8, 12))).toEqual([]);
    expect(regressions(saved, run(4, 10, 3))).toEqual([]);
    expect(regressions(saved, run(2, 5))).toEqual([]);
  });

  it('compares only what both have', () => {
    expect(regressions({}, run(4, 10))).toEqual([]);
    expect(
      regressions({ 'W9.z 1T': { ratio: 1, reference: 'reference.sweep' } }, run(4, 10)),
    ).toEqual([]);
  });

  it('keeps precisions apart', () => {
    const rows = combine([
      ...['reference.arithmetic', 'reference.sweep'].map((name) =>
        line(name, 'wam-flow-avx512', 1),
      ),
      line('W3.a', 'wam-flow-avx512-prepacked', 4),
      line('W3.a', 'wam-flow-avx512-int8-prepacked', 1),
    ]);
    expect(Object.keys(ratios(rows))).toEqual(['W3.a 1T', 'W3.a 1T int8']);
  });

  it('needs its reference loops', () => {
    expect(() => ratios(combine([line('W3.a', 'wam-flow-avx512', 1)]))).toThrow('reference');
  });

  it('is named after the CPU model', () => {
    expect(cpuKey({ 'cpu family': '6', model: '207', stepping: '2' })).toBe('6-207-2');
    expect(cpuKey({})).toMatch(/^[a-z0-9-]+$/);
  });
});

describe('tables', () => {
  it('have three digits, or all before the point', () => {
    expect([0.123456, 12.3456, 1234.56, 'x', undefined].map(figure)).toEqual([
      ...['0.123', '12.3', '1235', 'x', ''],
    ]);
  });

  it('align texts to the left and numbers to the right', () => {
    expect(
      textTable(
        ['name', 'ms'],
        [
          ['a', 1],
          ['long name', 100],
        ],
      ),
    ).toBe('name        ms\na            1\nlong name  100');
    expect(markdownTable(['a', 'b'], [['x', 1]])).toBe('| a | b |\n| --- | --- |\n| x | 1 |');
  });

  it('show peers beside us', () => {
    const lines = [
      line('W3.24x256x256', 'wam-flow-avx512-prepacked', 1),
      line('W3.24x256x256', 'ort', 3),
    ];
    const [heads, ours, peer] = workloadTable(withFloors(combine(lines), limits)).split('\n');
    expect(heads).toMatch(/our speed$/);
    expect(ours).toMatch(/wam-flow-avx512-prepacked$/);
    expect(peer).toMatch(/ort +3$/);
  });

  it('would not show figures of other outputs', () => {
    const ours = line('W3.a', 'wam-flow-avx512', 1);
    expect(disagreements(combine([ours, line('W3.a', 'ort', 1)]))).toEqual([]);
    const wrong = line('W3.a', 'ort', 1, { check: [0, 50, 0, 0, 0] });
    expect(disagreements(combine([ours, wrong]))).toHaveLength(1);
  });
});

describe('goals', () => {
  const goals = [
    { workloads: ['W1c.B1'], against: 'ORT', peers: '^ort-', goals: { 1: 1.5, 2: 2 } },
    {
      workloads: ['W1c.B1'],
      against: 'recomputed',
      peers: '^ort-',
      peerVariant: 'W1b.B1',
      goals: { 1: 4 },
    },
    {
      workloads: ['W1c.B1'],
      ours: '-int8$',
      against: 'fp32',
      peers: '^wam-flow-avx512$',
      goals: { 1: 1.6 },
    },
  ];
  const rows = combine([
    line('W1c.B1', 'wam-flow-avx512', 10),
    line('W1c.B1', 'wam-flow-avx512-int8', 5, { check: [0, 90, 0, 0, 0] }),
    line('W1c.B1', 'ort-plain', 20),
    line('W1c.B1', 'ort-fused', 14),
    line('W1b.B1', 'ort-plain', 50),
  ]);

  it('are met or not by the fastest peer that they name', () => {
    expect(compare(goals, rows)).toEqual([
      expect.objectContaining({
        against: 'ORT',
        peer: 'ort-fused',
        ratio: 1.4,
        met: false,
        agrees: true,
      }),
      expect.objectContaining({ against: 'recomputed', peer: 'ort-plain', ratio: 5, met: true }),
      expect.objectContaining({ against: 'fp32', oursMs: 5, peerMs: 10, ratio: 2, met: true }),
    ]);
  });

  it('become a table', () => {
    const [heads, , first, second] = goalTable(compare(goals, rows)).split('\n');
    expect(heads).toBe(
      '| workload | against | ours / peer ms, 1 T | ratio (goal), 1 T | outputs agree |',
    );
    expect(first).toBe('| W1c.B1 | ORT | 10 / 14 | 1.40 (1.5), not reached | yes |');
    expect(second).toBe('| W1c.B1 | recomputed | 10 / 50 | **5.00 (4)** | yes |');
  });
});
