import type { KernelOptions } from '../kernel-addon.js';
import { Check, NotImplemented } from './check.js';
import type { BrokenGolden, Golden, GoldenCase } from './golden.js';
import { kGroups } from './groups.js';

/** What became of one case. */
export interface CaseResult {
  id: string;
  status: 'passed' | 'failed' | 'skipped';
  /** Values compared. */
  compared: number;
  /** Greatest error as a part of its limit; over 1 is a failure. */
  worst: number;
  /** Why it failed or was skipped. */
  messages: string[];
}

/** What became of one golden file. */
export interface GroupResult {
  group: string;
  file: string;
  passed: number;
  failed: number;
  skipped: number;
  worst: number;
  /** Set when nothing in this package runs the group. */
  notImplemented: boolean;
  seconds: number;
  cases: CaseResult[];
}

function runCase(golden: Golden, test: GoldenCase, engine: KernelOptions): CaseResult {
  const id = String(test.id);
  const check = new Check();
  const run = kGroups[golden.group];
  try {
    if (run === undefined) throw new NotImplemented('not implemented');
    run(check, golden, test, engine);
    if (check.compared === 0 && check.failures.length === 0)
      check.failures.push('nothing was compared');
  } catch (error) {
    if (error instanceof NotImplemented) {
      return { id, status: 'skipped', compared: 0, worst: 0, messages: [error.message] };
    }
    check.failures.push(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  }
  const { compared, worst, failures } = check;
  const status = failures.length === 0 ? 'passed' : 'failed';
  return { id, status, compared, worst, messages: failures };
}

/** Runs all cases of a golden file. */
export function runGolden(golden: Golden | BrokenGolden, engine: KernelOptions): GroupResult {
  const started = performance.now();
  const cases: CaseResult[] =
    'error' in golden
      ? [{ id: 'file', status: 'failed', compared: 0, worst: 0, messages: [golden.error] }]
      : golden.cases.map((test) => runCase(golden, test, engine));
  const count = (status: CaseResult['status']) =>
    cases.filter((result) => result.status === status).length;
  return {
    group: golden.group,
    file: golden.path,
    passed: count('passed'),
    failed: count('failed'),
    skipped: count('skipped'),
    worst: Math.max(0, ...cases.map(({ worst }) => worst)),
    notImplemented: !('error' in golden) && kGroups[golden.group] === undefined,
    seconds: (performance.now() - started) / 1000,
    cases,
  };
}
