import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { conformance } from '../lib/conformance/command.js';
import { findGoldens, Golden } from '../lib/conformance/golden.js';
import { groupRunner, kGroups } from '../lib/conformance/groups.js';
import { runGolden } from '../lib/conformance/run.js';
import { native } from '../lib/native.js';
import { rejectionCode } from './support/reference.js';

const shared = '../shared/flow-golden';
const known = existsSync(shared) ? findGoldens(shared) : [];
const isas = native().cpuInfo().isas;

describe.skipIf(known.length === 0)('golden files of ../shared/flow-golden', () => {
  const runnable = known.filter(
    (golden): golden is Golden => groupRunner(golden.group) !== undefined,
  );

  it('hold every group that can be run', () => {
    const groups = runnable.map(({ group }) => group);
    expect(groups.sort()).toEqual([...Object.keys(kGroups), 'tiny_janus_a'].sort());
  });

  // Whole chains are the one slow group; `npm run conformance` runs it.
  const quick = runnable.filter(({ group }) => group !== 'ctmc_chain');
  it.each(quick.map((golden) => [golden.group, golden] as const))(
    '%s passes everywhere',
    async (_, golden) => {
      for (const isa of isas) {
        for (const threads of [1, 2]) {
          const result = await runGolden(golden, { isa, threads });
          expect(result.cases.flatMap(({ messages }) => messages)).toEqual([]);
          expect(result.passed).toBe(golden.cases.length);
        }
      }
    },
  );
});

describe('npm run conformance', () => {
  let directory: string;
  let printed: string[];

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'wam-conformance-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));
  beforeEach(() => {
    printed = [];
    vi.spyOn(console, 'log').mockImplementation((text: string) => printed.push(text));
  });
  afterEach(() => vi.restoreAllMocks());

  const write = (name: string, content: object) =>
    writeFileSync(join(directory, name), JSON.stringify(content));
  const zero = { id: 'zero', counter: [0, 0, 0, 0], key: [0, 0] };
  const answer = [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8];

  it('counts passed, failed and skipped cases and exits with 1 on a failure', async () => {
    const wrong = { ...zero, id: 'wrong', output: [0, 0, 0, 0] };
    write('philox.json', {
      group: 'philox',
      tolerance: {},
      cases: [{ ...zero, output: answer }, wrong],
    });
    write('later.json', { group: 'something_new', cases: [{ id: 'a' }, { id: 'b' }] });
    write('config.json', { hidden: 3 });
    expect(await conformance([directory])).toBe(1);
    expect(printed.find((line) => line.startsWith('philox'))).toMatch(/1 passed, 1 failed/);
    expect(printed.find((line) => line.includes('wrong failed'))).toMatch(/output: \[0\]/);
    expect(printed.find((line) => line.startsWith('something_new'))).toMatch(/not implemented \(2/);
    expect(printed.at(-1)).toBe('1 passed, 1 failed, 2 skipped');
  });

  it('runs one group, and prints one JSON object on request', async () => {
    write('philox.json', { group: 'philox', tolerance: {}, cases: [{ ...zero, output: answer }] });
    expect(await conformance([directory, '--group', 'philox', '--json'])).toBe(0);
    expect(printed).toHaveLength(1);
    const report = JSON.parse(printed[0]!);
    expect(report).toMatchObject({ passed: 1, failed: 0, skipped: 0 });
    expect(report.groups[0]).toMatchObject({ group: 'philox', passed: 1 });
  });

  it('holds results to the stated limits', async () => {
    // A correct result moved by a little more than its limit fails, by a little less it passes.
    const source = { group: 'mixture_path', tolerance: { abs: 1e-6, rel: 0 }, tensor_file: null };
    const values = (shift: number) => ({
      ...{ t: [0.5], alpha: [0.5 + shift], sigma: [0.5], d_alpha: [1], d_sigma: [-1] },
    });
    const run = async (shift: number) => {
      const test = { id: 's', scheduler: 'cond_ot', values: values(shift) };
      return runGolden(new Golden('x.json', { ...source, cases: [test] }), {});
    };
    expect(await run(0.9e-6)).toMatchObject({ passed: 1, failed: 0 });
    expect(await run(1.1e-6)).toMatchObject({ passed: 0, failed: 1 });
  });

  it('fails a case that states no limit, has no data or compares nothing', async () => {
    const fail = async (group: string, test: object, tolerance: object = {}) => {
      const cases = [{ id: 'x', ...test }];
      return (await runGolden(new Golden('x.json', { group, tolerance, cases }), {})).cases[0];
    };
    const values = { t: [0.5], alpha: [0.5], sigma: [0.5], d_alpha: [1], d_sigma: [-1] };
    expect(await fail('mixture_path', { scheduler: 'cond_ot', values })).toMatchObject({
      status: 'failed',
    });
    expect(await fail('attention', { mask: 'full' }, { fwd_abs: 1 })).toMatchObject({
      status: 'failed',
    });
    expect(await fail('number_tokens', { rows: [] })).toMatchObject({ status: 'failed' });
    expect(await fail('nn_ops', { op: 'convolve' })).toMatchObject({ status: 'skipped' });
  });

  it('fails files that cannot be read', async () => {
    const broken = mkdtempSync(join(directory, 'broken-'));
    writeFileSync(join(broken, 'cut.json'), '{"group": "philox"');
    writeFileSync(
      join(broken, 'lost.json'),
      JSON.stringify({ group: 'attention', tensor_file: 'lost.safetensors', cases: [{ id: 'a' }] }),
    );
    expect(await conformance([broken])).toBe(1);
    expect(printed.at(-1)).toBe('0 passed, 2 failed');
  });

  it('refuses wrong usage', async () => {
    expect(await rejectionCode(conformance([join(directory, 'nowhere')]))).toBe('ERR_USAGE');
    expect(await rejectionCode(conformance([directory, '--group', 'nothing']))).toBe('ERR_USAGE');
    expect(await rejectionCode(conformance([directory, '--backend', 'tpu']))).toBe('ERR_USAGE');
    expect(await rejectionCode(conformance([directory, '--precision', 'fp8']))).toBe('ERR_USAGE');
    expect(await rejectionCode(conformance([directory, '--isa', 'sse']))).toBe('ERR_USAGE');
    expect(await rejectionCode(conformance(['--fast']))).toMatch(/^ERR_PARSE_ARGS/);
  });

  it.skipIf(native().deviceInfo().cuda.devices.length > 0)(
    'says once that there is no GPU',
    async () => {
      write('philox.json', {
        group: 'philox',
        tolerance: {},
        cases: [{ ...zero, output: answer }],
      });
      const code = await rejectionCode(conformance([directory, '--backend', 'cuda']));
      expect(code).toBe('ERR_DEVICE_UNAVAILABLE');
    },
  );

  it.skipIf(known.length === 0)('does not pass a reference that was tampered with', async () => {
    const text = readFileSync(join(shared, 'number_tokens.json'), 'utf8');
    const changed = JSON.parse(text.replace('"-99.99"', '"-99.98"'));
    const result = await runGolden(new Golden('x.json', changed), {});
    expect(result.failed).toBe(1);
  });
});
