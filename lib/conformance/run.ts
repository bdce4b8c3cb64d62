import type { KernelOptions } from '../kernel-addon.js';
import { Check, NotImplemented } from './check.js';
import { type BrokenGolden, Golden, type GoldenCase } from './golden.js';
import { kGroups, kPdmsGroups } from './groups.js';
import { type PdmsCase, PdmsGolden } from './pdms-golden.js';

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

/** What became of one golden file, or of the files of one group. */
export interface GroupResult {
  group: string;
  /** The first one where a group has several. */
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

function runCase(id: string, run: (check: Check) => void): CaseResult {
  const check = new Check();
  try {
    run(check);
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

function runFlowCase(golden: Golden, test: GoldenCase, engine: KernelOptions): CaseResult {
  return runCase(String(test.id), (check) => {
    const run = kGroups[golden.group];
    if (run === undefined) throw new NotImplemented('not implemented');
    run(check, golden, test, engine);
  });
}

function runPdmsFile(golden: PdmsGolden, path: string, threads: number): CaseResult[] {
  let cases: PdmsCase[] = [];
  const opened = runCase(path, (check) => {
    const casesOf = kPdmsGroups[golden.group];
    if (casesOf === undefined) throw new NotImplemented('not implemented');
    cases = casesOf(golden.read(path));
    check.compared = cases.length;
  });
  if (opened.status !== 'passed') return [opened];
  return cases.map(({ id, run }) => runCase(id, (check) => run(check, { threads })));
}

function runCases(golden: Golden | PdmsGolden | BrokenGolden, engine: KernelOptions): CaseResult[] {
  if (golden instanceof Golden) {
    return golden.cases.map((test) => runFlowCase(golden, test, engine));
  }
  if (golden instanceof PdmsGolden) {
    return golden.files.flatMap((path) => runPdmsFile(golden, path, engine.threads ?? 1));
  }
  return [{ id: 'file', status: 'failed', compared: 0, worst: 0, messages: [golden.error] }];
}

/** Runs all cases of a golden file. */
export function runGolden(
  golden: Golden | PdmsGolden | BrokenGolden,
  engine: KernelOptions,
): GroupResult {
  const started = performance.now();
  const cases = runCases(golden, engine);
  const count = (status: CaseResult['status']) =>
    cases.filter((result) => result.status === status).length;
  return {
    group: golden.group,
    file: golden.path,
    passed: count('passed'),
    failed: count('failed'),
    skipped: count('skipped'),
    worst: Math.max(0, ...cases.map(({ worst }) => worst)),
    notImplemented: !('error' in golden) && !isKnown(golden),
    seconds: (performance.now() - started) / 1000,
    cases,
  };
}

function isKnown(golden: Golden | PdmsGolden): boolean {
  return golden.group in (golden instanceof Golden ? kGroups : kPdmsGroups);
}
