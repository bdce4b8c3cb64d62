import { resolve } from 'node:path';
import type { Command } from 'commander';
import { baselines } from '../eval/baselines.js';
import type { PlanOptions } from '../plan-options.js';
import { Planner } from '../planner.js';
import { observationFromWindow } from '../scenario/observe.js';
import type { ScenarioData, ScenarioWindow } from '../scenario/types.js';
import { caseFromWindow } from '../viewer/build-case.js';
import {
  type CommonOptions,
  defineCommand,
  integerOption,
  note,
  print,
  printJson,
} from './command.js';
import { packageVersion } from './package-info.js';
import {
  casePlanOf,
  errorsIn,
  fixed,
  type PlanRun,
  runOf,
  stepsLabel,
  writePage,
} from './plan-run.js';
import { Progress } from './progress.js';
import { withInterrupt } from './run.js';
import { renderTable } from './table.js';
import { readData } from './windows.js';

interface Flags extends CommonOptions {
  model: string;
  threads: number;
  html: string;
  calls: number;
}

/** What the table and the page show, in this order. */
const kPlans: readonly { label: string; options: PlanOptions }[] = [
  { label: stepsLabel(1), options: { steps: 1 } },
  { label: stepsLabel(5), options: { steps: 5 } },
];
/** On the page only: how several samples spread, and how they come together from step to step. */
const kSamples = {
  label: '16 samples',
  options: { steps: 5, samples: 16, decode: 'sample', lastDecode: 'median' },
} as const satisfies { label: string; options: PlanOptions };

const kWindowsPerScenario = 4;
const kWarmUpCalls = 2;
const kConstantVelocity = baselines.find(({ name }) => name === 'constant velocity');

interface Demonstration {
  window: ScenarioWindow;
  runs: PlanRun[];
  samples: PlanRun;
  /** Mean error of constant velocity, metres. */
  inertia: number | null;
}

/** `wam-flow demo`: what `npm start` runs. */
export function demoCommand(): Command {
  return defineCommand(
    'demo',
    'plan the examples of the package and write a page that shows how',
    'wam-flow demo --html out/plans.html',
  )
    .option('--model <name>', 'mini, or a checkpoint directory', 'mini')
    .option('--threads <n>', 'threads that work on one plan', integerOption(1, 1024), 1)
    .option('--calls <n>', 'timed calls for each latency', integerOption(1, 10_000), 15)
    .option('--html <file>', 'where the page goes', 'out/plans.html')
    .action((flags: Flags) => withInterrupt((signal) => runDemo(flags, signal)));
}

async function runDemo(flags: Flags, signal: AbortSignal): Promise<void> {
  const data = await readData(undefined);
  const planner = await Planner.load(flags.model, { threads: flags.threads });
  const windows = showcase(data);
  const progress = new Progress({
    label: 'plan',
    total: windows.length,
    unit: 'windows',
    silent: flags.json,
  });
  const shown: Demonstration[] = [];
  try {
    for (const window of windows) {
      shown.push(await demonstrate(planner, window, flags.calls, signal));
      progress.update(shown.length);
    }
  } finally {
    await planner.close();
  }
  progress.clear();

  const about = `${flags.model} model, ${planner.engine}, ${flags.threads} thread${flags.threads > 1 ? 's' : ''}`;
  const cases = shown.map(({ window, runs, samples }) =>
    caseFromWindow(window, [
      ...runs.map((run, i) => casePlanOf(run, kPlans[i].label)),
      casePlanOf(samples, kSamples.label),
    ]),
  );
  const page = resolve(flags.html);
  const subtitle = `${about}, wam-flow ${packageVersion()}`;
  await writePage(page, cases, { title: 'wam-flow plans', subtitle });

  if (flags.json) {
    printJson({
      model: flags.model,
      device: planner.device,
      isa: planner.isa,
      threads: flags.threads,
      page,
      rows: rows(shown),
    });
    return;
  }
  print(`\nwam-flow ${packageVersion()}: ${about}`);
  print('Error: mean distance in metres to what the driver of the scenario did over 4 s (ADE).');
  print(`Latency: median of ${flags.calls} calls, milliseconds.\n`);
  print(table(shown));
  note(`\nHow each plan was refined: ${page}`);
}

/** A few windows of each scenario: the first of its file, then others spread over the rest. */
function showcase(data: ScenarioData): ScenarioWindow[] {
  return [...data.recordings.values()].flatMap((recording) => {
    const own = data.windows.filter((window) => window.recording === recording);
    const count = Math.min(kWindowsPerScenario, own.length);
    return Array.from({ length: count }, (_, i) => own[Math.floor((i * own.length) / count)]);
  });
}

async function demonstrate(
  planner: Planner,
  window: ScenarioWindow,
  calls: number,
  signal: AbortSignal,
): Promise<Demonstration> {
  const observation = observationFromWindow(window);
  const run = async (options: PlanOptions, timed: number): Promise<PlanRun> => {
    const plan = await planner.plan(observation, { ...options, signal });
    const times: number[] = [];
    for (let call = 0; call < kWarmUpCalls + timed; ++call) {
      const before = performance.now();
      planner.planSync(observation, options);
      if (call >= kWarmUpCalls) times.push(performance.now() - before);
    }
    const ms = times.sort((a, b) => a - b)[times.length >> 1];
    return runOf(window, options, plan, { ms, detail: `median of ${timed} calls` });
  };
  const runs: PlanRun[] = [];
  for (const { options } of kPlans) runs.push(await run(options, calls));
  return {
    window,
    runs,
    samples: await run(kSamples.options, Math.min(calls, 3)),
    inertia: kConstantVelocity ? errorsIn(window, kConstantVelocity.plan(window)).ade : null,
  };
}

function rows(shown: readonly Demonstration[]): unknown[] {
  return shown.map(({ window, runs, inertia }) => ({
    window: window.id,
    constantVelocity: { ade: inertia },
    plans: runs.map(({ options, ade, fde, latencyMs }) => ({ ...options, ade, fde, latencyMs })),
  }));
}

function table(shown: readonly Demonstration[]): string {
  const mean = (values: readonly (number | null)[]): number | null => {
    const known = values.filter((value) => value !== null);
    return known.length === 0 ? null : known.reduce((sum, v) => sum + v, 0) / known.length;
  };
  const cells = (ade: number | null, latencyMs: number | null): string[] => [
    fixed(ade),
    fixed(latencyMs),
  ];
  return renderTable(
    [
      { header: 'window' },
      { header: 'constant velocity', align: 'right' },
      ...kPlans.flatMap(({ label }) => [
        { header: `${label}, m`, align: 'right' as const },
        { header: 'ms', align: 'right' as const },
      ]),
    ],
    [
      ...shown.map(({ window, runs, inertia }) => [
        window.id,
        fixed(inertia),
        ...runs.flatMap(({ ade, latencyMs }) => cells(ade, latencyMs)),
      ]),
      [],
      [
        `mean of ${shown.length}`,
        fixed(mean(shown.map(({ inertia }) => inertia))),
        ...kPlans.flatMap((_, i) =>
          cells(
            mean(shown.map(({ runs }) => runs[i].ade)),
            mean(shown.map(({ runs }) => runs[i].latencyMs)),
          ),
        ),
      ],
    ],
  );
}
