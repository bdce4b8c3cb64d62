import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { linearValues, signedValues } from '../bench/peers/inputs.mjs';
import { catalogue } from '../bench/workloads/catalogue.mjs';
import { findProgram } from '../bench/workloads/program.mjs';

const root = resolve(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'wam-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Line {
  workload: string;
  peer: string;
  threads: number;
  round: number;
  ms: number;
  min_ms: number;
  median_ms: number;
  p99_ms: number;
  cpu_ms: number;
  clean_ms: number | null;
  reps: number;
  gflops: number;
  check: number[] & Record<string, number[]>;
}

function run(args: string[]): Line[] {
  const program = findProgram();
  expect(program, 'npm run build:native -- --bench').toBeDefined();
  const { status, stdout, stderr } = spawnSync(program!, [...args, '--quick'], {
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

/** [sum, sum of magnitudes, first, middle, last] of a product, in double. */
function productCheck(m: number, k: number, n: number): number[] {
  const a = signedValues('W3.a', m * k);
  const b = linearValues('W3.b', k, n);
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      for (let j = 0; j < n; j++) c[i * n + j]! += a[i * k + p]! * b[p * n + j]!;
    }
  }
  const sum = c.reduce((x, y) => x + y);
  const magnitude = c.reduce((x, y) => x + Math.abs(y), 0);
  return [sum, magnitude, c[0]!, c[c.length >> 1]!, c.at(-1)!];
}

function expectNear(actual: number[], expected: number[]) {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) {
    expect(Math.abs(actual[i]! - value)).toBeLessThan(1e-5 * expected[1]!);
  }
}

describe('the timing program', () => {
  it('prints lines of the protocol, with the outputs that double arithmetic gives', () => {
    const lines = run(['--only', 'W3.24x256x4001', '--threads', '2', '--round', '3']);
    expect(lines).toHaveLength(1);
    const [line] = lines as [Line];
    expect(line).toMatchObject({ workload: 'W3.24x256x4001', threads: 2, round: 3 });
    expect(line.peer).toMatch(/^wam-flow-(avx512|avx2|portable)-prepacked$/);
    expect(line.reps).toBeGreaterThanOrEqual(3);
    expect(line.min_ms).toBeGreaterThan(0);
    expect(line.min_ms).toBeLessThanOrEqual(line.median_ms);
    expect(line.median_ms).toBeLessThanOrEqual(line.p99_ms);
    const { flops } = catalogue().get('W3.24x256x4001')!;
    expect(line.gflops).toBeCloseTo(flops / line.ms / 1e6, 0);
    expectNear(line.check, productCheck(24, 256, 4001));
  });

  it.each(['avx512', 'avx2', 'portable'])('has the same outputs on %s', (isa) => {
    const { status, stderr } = spawnSync(findProgram()!, ['--isa', isa, '--only', 'none'], {
      encoding: 'utf8',
    });
    if (status !== 0) {
      expect(stderr).toContain('avx');
      return;
    }
    const [line] = run(['--isa', isa, '--only', 'W3.24x256x256']) as [Line];
    expect(line.peer).toBe(`wam-flow-${isa}-prepacked`);
    expectNear(line.check, productCheck(24, 256, 256));
  });

  it('attends as double arithmetic does', () => {
    const [heads, rows, dim] = [8, 120, 32];
    const [q, k, v] = ['q', 'k', 'v'].map((name) => signedValues(`W2.${name}`, heads * rows * dim));
    const out: number[] = [];
    for (let row = 0; row < heads * rows; row++) {
      const first = row - (row % rows);
      const scores = Array.from({ length: rows }, (_, j) => {
        let sum = 0;
        for (let c = 0; c < dim; c++) sum += q![row * dim + c]! * k![(first + j) * dim + c]!;
        return Math.exp(sum / Math.sqrt(dim));
      });
      const total = scores.reduce((x, y) => x + y);
      for (let c = 0; c < dim; c++) {
        out.push(scores.reduce((x, p, j) => x + (p / total) * v![(first + j) * dim + c]!, 0));
      }
    }
    const [line] = run(['--only', 'W2.N120.h8x32']) as [Line];
    const magnitude = out.reduce((x, y) => x + Math.abs(y), 0);
    const ends = [out[0]!, out[out.length >> 1]!, out.at(-1)!];
    expectNear(line.check, [out.reduce((x, y) => x + y), magnitude, ...ends]);
  });

  it('runs the planner network: the prefix cached and recomputed give the same step', () => {
    const [full, cached] = run(['--only', 'W1a.B1,W1d.B1']) as [Line, Line];
    expect([full.workload, cached.workload]).toEqual(['W1a.B1', 'W1d.B1']);
    expect(cached.check).toEqual(full.check);
    const ids = full.check.ids!;
    expect(ids[1]! / 24).toBeGreaterThan(1000);
  });

  it('names what it was given wrong', () => {
    const failed = (args: string[]) => {
      const { status, stderr } = spawnSync(findProgram()!, args, { encoding: 'utf8' });
      expect(status).toBe(1);
      return stderr;
    };
    expect(failed(['--threads', '0'])).toContain('--threads: expected a whole number');
    expect(failed(['--round'])).toContain('--round: a value is missing');
    expect(failed(['--isa', 'sse9'])).toContain('--isa: expected avx512, avx2 or portable');
    expect(failed(['--fast'])).toContain('unknown option --fast');
  });
});

describe('npm run bench', () => {
  const bench = (args: string[]) =>
    spawnSync(process.execPath, ['bench/main.mjs', ...args], { cwd: root, encoding: 'utf8' });

  it('prints the lines of the program alone for those who run it beside peers', () => {
    const args = ['--threads', '1', '--round', '1', '--only', 'W3.24x256x256', '--quick'];
    const { status, stdout } = bench(['--peer-format', ...args]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ workload: 'W3.24x256x256', threads: 1, round: 1 });
  });

  it('shows a table with floors, saves a baseline and finds a regression against it', () => {
    const baseline = join(folder, 'baseline.json');
    const short = ['--only', 'W3.24x256x256', '--rounds', '1', '--threads', '1'];
    const options = ['--filter', 'workloads', ...short, '--baseline', baseline];
    const saved = bench([...options, '--save-baseline']);
    expect(saved.status, saved.stderr).toBe(0);
    expect(saved.stdout).toMatch(/^workload +threads +median ms +least ms .*x floor/m);
    expect(saved.stdout).toMatch(/^W3\.24x256x256 +1 /m);
    expect(saved.stdout).toMatch(/read L2 .* GB\/s/);

    const { isas } = JSON.parse(readFileSync(baseline, 'utf8'));
    const [ratios] = Object.values(isas) as Record<string, { ratio: number }>[];
    const own = ratios!['W3.24x256x256 1T']!;
    expect(own.ratio).toBeGreaterThan(0);

    // A machine that does other work as well may be slower for a while: far more than the tolerance either way.
    const withRatio = (factor: number) => {
      const changed = { 'W3.24x256x256 1T': { ...own, ratio: own.ratio * factor } };
      writeFileSync(baseline, JSON.stringify({ isas: { [Object.keys(isas)[0]!]: changed } }));
      return bench([...options, '--check']);
    };
    const slower = withRatio(0.05);
    expect(slower.status).toBe(1);
    expect(slower.stderr).toContain('W3.24x256x256 1T');
    const fine = withRatio(20);
    expect(fine.status, fine.stderr).toBe(0);
  });

  it('says when there is nothing to compare with', () => {
    const missing = join(folder, 'missing.json');
    const short = ['--only', 'W3.24x256x256', '--rounds', '1', '--threads', '1'];
    const { status, stderr } = bench(['--check', ...short, '--baseline', missing]);
    expect(status).not.toBe(0);
    expect(stderr).toContain('no baseline for this CPU model');
  });
});
