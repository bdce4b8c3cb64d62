import type { KernelOptions } from '../kernel-addon.js';
import { Check, NotImplemented } from './check.js';
import { type BrokenGolden, Golden, type GoldenCase } from './golden.js';
import { groupRunner, kPdmsGroups } from './groups.js';
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

async function runCase(
  id: string,
  run: (check: Check) => void | Promise<void>,
): Promise<CaseResult> {
  const check = new Check();
  try {
    await run(check);
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

function runFlowCase(golden: Golden, test: GoldenCase, engine: KernelOptions): Promise<CaseResult> {
  return runCase(String(test.id), (check) => {
    const run = groupRunner(golden.group);
    if (run === undefined) throw new NotImplemented('not implemented');
    return run(check, golden, test, engine);
  });
}

async function runPdmsFile(
  golden: PdmsGolden,
  path: string,
  threads: number,
): Promise<CaseResult[]> {
  let cases: PdmsCase[] = [];
  const opened = await runCase(path, (check) => {
    const casesOf = kPdmsGroups[golden.group];
    if (casesOf === undefined) throw new NotImplemented('not implemented');
    cases = casesOf(golden.read(path));
    check.compared = cases.length;
  });
  if (opened.status !== 'passed') return [opened];
  return inOrder(cases, ({ id, run }) => runCase(id, (check) => run(check, { threads })));
}

/** One after the other: every case has the whole machine. */
async function inOrder<In, Out>(
  items: readonly In[],
  run: (item: In) => Promise<Out>,
): Promise<Out[]> {
  const results: Out[] = [];
  for (const item of items) results.push(await run(item));
  return results;
}

async function runCases(
  golden: Golden | PdmsGolden | BrokenGolden,
  engine: KernelOptions,
): Promise<CaseResult[]> {
  if (golden instanceof Golden) {
    return inOrder(golden.cases, (test) => runFlowCase(golden, test, engine));
  }
  if (golden instanceof PdmsGolden) {
    const threads = engine.threads ?? 1;
    return (await inOrder(golden.files, (path) => runPdmsFile(golden, path, threads))).flat();
  }
  return [{ id: 'file', status: 'failed', compared: 0, worst: 0, messages: [golden.error] }];
}

/** Runs all cases of a golden file. */
export async function runGolden(
  golden: Golden | PdmsGolden | BrokenGolden,
  engine: KernelOptions,
): Promise<GroupResult> {
  const started = performance.now();
  const cases = await runCases(golden, engine);
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
  if (golden instanceof Golden) return groupRunner(golden.group) !== undefined;
  return golden.group in kPdmsGroups;
}
