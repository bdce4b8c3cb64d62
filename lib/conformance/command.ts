/** The command behind `npm run conformance`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chooseDevice } from '../device.js';
import { argumentError, WamFlowError } from '../errors.js';
import type { KernelOptions } from '../kernel-addon.js';
import { type Isa, packageRoot } from '../native.js';
import { findGoldens } from './golden.js';
import { type GroupResult, runGolden } from './run.js';

const kUsage = `usage: npm run conformance -- [DIR...] [options]

Runs every golden case found in the directories (default ../shared/flow-golden and, on cpu,
../shared/pdms-golden) through the engine's operations.

  --group NAME     only this group; may be repeated
  --backend NAME   cpu; cuda; or simt: the CUDA kernels on the CPU, in test builds
  --precision NAME fp32, bf16 or f16 on cuda and simt; limits of attention and linear maps are
                   wider for the 16-bit ones
  --isa NAME       portable, avx2 or avx512; default the best here
  --threads N      threads for one operation; default all (of scorers: 1)
  --json           one JSON object on stdout

Exit status: 0 when nothing failed, 1 when a case failed, 2 for wrong usage.
example: npm run conformance -- ../shared/flow-golden --group attention --isa avx2
`;

const kIsas: readonly Isa[] = ['portable', 'avx2', 'avx512'];
const kBackends = ['cpu', 'cuda', 'simt'] as const;
const kPrecisions = ['fp32', 'bf16', 'f16'] as const;

function isBackend(name: string): name is (typeof kBackends)[number] {
  return kBackends.some((known) => known === name);
}

function isPrecision(name: string): name is (typeof kPrecisions)[number] {
  return kPrecisions.some((known) => known === name);
}

function engineOptions(values: {
  backend?: string;
  precision?: string;
  isa?: string;
  threads?: string;
}): KernelOptions {
  const { backend = 'cpu', precision = 'fp32', isa } = values;
  if (!isBackend(backend)) {
    throw argumentError('--backend', kBackends.join(', '), backend, 'ERR_USAGE');
  }
  if (!isPrecision(precision)) {
    throw argumentError('--precision', kPrecisions.join(', '), precision, 'ERR_USAGE');
  }
  if (isa !== undefined && !kIsas.includes(isa as Isa)) {
    throw argumentError('--isa', kIsas.join(', '), isa, 'ERR_USAGE');
  }
  const options: KernelOptions = { device: backend, precision };
  if (isa !== undefined) options.isa = isa as Isa;
  if (values.threads !== undefined) options.threads = Number(values.threads);
  return options;
}

function line(result: GroupResult): string {
  const { group, passed, failed, skipped, worst, seconds, notImplemented } = result;
  if (notImplemented) return `${group.padEnd(18)} not implemented (${skipped} cases skipped)`;
  const skips = skipped > 0 ? `, ${skipped} skipped` : '';
  const error = `worst error ${worst.toFixed(2)} of its limit`;
  return `${group.padEnd(18)} ${passed} passed, ${failed} failed${skips}; ${error}, ${seconds.toFixed(1)} s`;
}

function report(results: readonly GroupResult[]): void {
  for (const result of results) {
    console.log(line(result));
    for (const { id, status, messages } of result.cases) {
      if (status === 'failed' || (status === 'skipped' && !result.notImplemented)) {
        for (const message of messages) console.log(`  ${id} ${status}: ${message}`);
      }
    }
  }
}

/** Where goldens lie beside the repository; those that are not there are named on stderr. */
function standardDirectories(device: KernelOptions['device']): string[] {
  // Scoring has no part on a device.
  const names = device === 'cpu' ? ['flow-golden', 'pdms-golden'] : ['flow-golden'];
  return names.flatMap((name) => {
    const directory = join(packageRoot(), '..', 'shared', name);
    if (existsSync(directory)) return [directory];
    console.error(`conformance: ${directory} is not here, nothing to run from it`);
    return [];
  });
}

/** Runs the command; returns the exit status. */
export async function conformance(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      group: { type: 'string', multiple: true },
      backend: { type: 'string' },
      precision: { type: 'string' },
      isa: { type: 'string' },
      threads: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(kUsage);
    return 0;
  }
  const engine = engineOptions(values);
  const directories = positionals.length > 0 ? positionals : standardDirectories(engine.device);
  if (directories.length === 0) {
    if (values.json) console.log(JSON.stringify({ groups: [], passed: 0, failed: 0, skipped: 0 }));
    else console.log('0 passed, 0 failed');
    return 0;
  }
  for (const directory of directories) {
    if (!existsSync(directory))
      throw argumentError('DIR', 'an existing directory', directory, 'ERR_USAGE');
  }
  let goldens = directories.flatMap(findGoldens);
  const wanted = values.group;
  if (wanted !== undefined) goldens = goldens.filter(({ group }) => wanted.includes(group));
  if (goldens.length === 0) {
    const where = directories.join(', ');
    const what = wanted === undefined ? 'golden files' : `golden files of ${wanted.join(', ')}`;
    throw new WamFlowError('ERR_USAGE', `no ${what} in ${where}`);
  }
  chooseDevice(engine, 'cpu'); // a missing addon or device is one error, not one a case
  const results: GroupResult[] = [];
  for (const golden of goldens) {
    const result = await runGolden(golden, engine);
    results.push(result);
    if (!values.json) report([result]);
  }
  const sum = (field: 'passed' | 'failed' | 'skipped') =>
    results.reduce((total, result) => total + result[field], 0);
  const totals = { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
  if (values.json) {
    console.log(JSON.stringify({ groups: results, ...totals }));
  } else {
    const skips = totals.skipped > 0 ? `, ${totals.skipped} skipped` : '';
    console.log(`${totals.passed} passed, ${totals.failed} failed${skips}`);
  }
  return totals.failed > 0 ? 1 : 0;
}
