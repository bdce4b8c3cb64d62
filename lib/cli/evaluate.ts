import { type Command, Option } from 'commander';
import { WamFlowError } from '../errors.js';
import {
  type ClosedLoopEvaluation,
  type ClosedLoopOptions,
  evaluateClosedLoop,
} from '../eval/closed-loop.js';
import { type Evaluation, evaluate, settingsOf } from '../eval/evaluate.js';
import { explainHuman } from '../eval/explain-human.js';
import type { PdmSummary } from '../eval/pdm-summary.js';
import type { EvaluateDecode, EvaluatedPlanner } from '../eval/planner-runs.js';
import type { Coupling, Reduce, StepRule } from '../plan-options.js';
import { Planner } from '../planner.js';
import type { ScenarioData } from '../scenario/types.js';
import type { VlaPlannerOptions } from '../vla/vla-planner.js';
import {
  type CommonOptions,
  choiceListOption,
  defineCommand,
  integerListOption,
  integerOption,
  note,
  numberOption,
  print,
  printJson,
} from './command.js';
import { kWarmStartTime } from '../warm-start.js';
import { addDeviceFlags, type DeviceFlags, deviceOf } from './device-flags.js';
import { printClosedLoop } from './evaluate-closed-loop.js';
import { printHumanReport } from './evaluate-human.js';
import { epdmsTable, pdmBreakdownTable, pdmsTable } from './evaluate-pdm-table.js';
import { breakdownTable, mainTable } from './evaluate-table.js';
import { isJanusDirectory } from '../vla/is-janus-directory.js';
import { evaluateQuestions, loadVision, type VlaFlags } from './evaluate-vla.js';
import { humanPictures } from './human-pictures.js';
import { couplingOption } from './plan-flags.js';
import { Progress } from './progress.js';
import { withInterrupt } from './run.js';
import { writeScorePage } from './score-picture.js';
import { readData } from './windows.js';

interface EvaluateCommandOptions extends CommonOptions, DeviceFlags, VlaFlags {
  data?: string;
  split?: string;
  steps: number[];
  decode: EvaluateDecode[];
  rule: StepRule[];
  samples: number;
  reduce: Reduce;
  temperature: number;
  coupling?: Coupling;
  warmStart?: number;
  seeds: number;
  model: string;
  threads: number;
  resamples: number;
  latencyCalls: number;
  baselines?: boolean;
  limit?: number;
  pdm: boolean;
  closedLoop?: boolean;
  replan: number;
  traffic: 'replay' | 'reactive';
  html?: string;
  explainHuman?: boolean;
}

/** minADE is taken over six samples even where a plan has one. */
const kLeastSamples = 6;
/** Windows that could not be scored and are named. */
const kShownFailures = 5;
const kPictures = 30;

/** `wam-flow evaluate`: a planner against what recorded drivers did, beside the floors. */
export function evaluateCommand(): Command {
  const command = defineCommand(
    'evaluate',
    'compare plans with what recorded drivers did',
    'wam-flow evaluate --data ../shared/driving-data --split val --steps 1,2,3,5,10',
  )
    .option('--data <path>', 'folder or file of scenarios (default: the examples of the package)')
    .option('--split <name>', 'split, or all (default: val; all for the examples)')
    .addOption(
      new Option('--steps <list>', 'refinement steps')
        .argParser(integerListOption(1, 4096))
        .default([1, 5], '1,5'),
    )
    .option(
      '--decode <list>',
      'argmax, median, sample, sample-median (sampled, the last step by median)',
      choiceListOption<EvaluateDecode>(['argmax', 'median', 'sample', 'sample-median']),
      ['median', 'sample'],
    )
    .option(
      '--rule <list>',
      'renoise, integrated, released',
      choiceListOption<StepRule>(['renoise', 'integrated', 'released']),
      ['renoise'],
    )
    .option('--samples <K>', 'samples that a plan is reduced from', integerOption(1, 4096), 1)
    .addOption(
      new Option('--reduce <how>', 'of samples to a plan')
        .choices(['first', 'medoid', 'mean', 'search'])
        .default('medoid'),
    )
    .addOption(couplingOption())
    .option('--temperature <T>', 'of sampling', numberOption(0.001, 1000), 1)
    .addOption(
      new Option(
        '--warm-start [t0]',
        `begin each frame of a vehicle with the plan before it, at this time of the path (default: ${kWarmStartTime})`,
      )
        .argParser(numberOption(0, 0.999))
        .preset(String(kWarmStartTime)),
    )
    .option('--seeds <N>', 'runs with different random numbers', integerOption(1, 1000), 1)
    .option('--model <name>', 'mini, a checkpoint folder or one of the Janus family', 'mini')
    .option('--threads <N>', 'threads of the planner', integerOption(1, 1024), 1)
    .option('--resamples <N>', 'of the confidence intervals', integerOption(1, 100_000), 1000)
    .option('--latency-calls <N>', 'calls that are timed for each row', integerOption(0, 1e6), 100)
    .option(
      '--limit <N>',
      'windows at most, whole vehicles evenly spread (default: all)',
      integerOption(1, 1e9),
    )
    .option('--no-pdm', 'without PDMS, EPDMS and PDM-Closed')
    .option('--closed-loop', 'drive the windows: plan, follow the plan for a while, plan again')
    .addOption(
      new Option('--replan <s>', 'closed loop: seconds between plans, 0.1 to 0.5')
        .argParser(numberOption(0.1, 0.5))
        .default(0.5),
    )
    .addOption(
      new Option('--traffic <how>', 'closed loop: traffic as recorded, or reacting for 4 s')
        .choices(['replay', 'reactive'])
        .default('replay'),
    )
    .option('--explain-human', 'why recorded drivers lose marks, and nothing else; needs no model')
    .option(
      '--html <file>',
      `with --explain-human: a page with pictures of up to ${kPictures} windows`,
    )
    .option('--blank-image', 'a vision-language model: also with an even grey for a picture')
    .option('--shuffle-command', "a vision-language model: also with another window's command")
    .option(
      '--questions <file>',
      'a vision-language model: ask it the questions of this file, and nothing else',
    )
    .option('--baselines', 'the recorded driver and the floors alone; needs no model');
  return addDeviceFlags(command).action((options: EvaluateCommandOptions) =>
    withInterrupt((signal) => run(options, signal)),
  );
}

async function run(options: EvaluateCommandOptions, signal: AbortSignal): Promise<void> {
  const quiet = options.json === true;
  const hasVision =
    !options.baselines && !options.explainHuman && (await isJanusDirectory(options.model));
  if (!hasVision) refuseVlaFlags(options);
  if (options.questions !== undefined) return ask(options, options.questions, signal);
  const split = options.split ?? (options.data === undefined ? 'all' : 'val');
  const data = await readData(options.data);
  if (options.explainHuman) {
    const report = await explainHuman(data, { split, limit: options.limit, signal });
    if (options.html !== undefined) {
      await writeScorePage(options.html, humanPictures(data, report, kPictures));
      note(`Wrote ${options.html}`);
    }
    if (quiet) printJson({ data: options.data ?? 'examples', ...report });
    else printHumanReport(report);
    return;
  }
  if (options.html !== undefined) {
    throw new WamFlowError('ERR_USAGE', '--html: pictures are of --explain-human');
  }
  if (hasVision) refusePlannerFlags(options);
  const vision = hasVision
    ? await loadVision(options.model, data, split, options, vlaOptions(options), signal)
    : null;
  const planner = vision || options.baselines ? null : await loadPlanner(options);
  let progress: Progress | undefined;
  const onProgress = (unit: string) => (done: number, total: number) => {
    progress ??= new Progress({ label: 'evaluate', total, unit, silent: quiet });
    progress.update(done);
  };
  const name = options.data ?? 'examples';
  try {
    if (options.closedLoop) {
      if (options.warmStart !== undefined) {
        throw new WamFlowError(
          'ERR_USAGE',
          '--warm-start: closed loop plans every frame for itself',
        );
      }
      const evaluation = await drive(vision?.planner ?? planner, data, options, {
        split,
        signal,
        onProgress: onProgress('drives'),
      });
      progress?.finish();
      if (quiet) printJson({ data: name, ...evaluation });
      else printClosedLoop(name, evaluation);
      return;
    }
    const evaluation = await evaluate(vision?.planner ?? planner, data, {
      variants: vision?.variants,
      split,
      limit: options.limit,
      pdm: options.pdm,
      name: options.model,
      steps: options.steps,
      decode: options.decode,
      rule: options.rule,
      samples: options.samples,
      reduce: options.reduce,
      temperature: options.temperature,
      coupling: options.coupling,
      warmStart: options.warmStart,
      seeds: options.seeds,
      resamples: options.resamples,
      latencyCalls: options.latencyCalls,
      signal,
      onProgress: onProgress('plans'),
    });
    progress?.finish();
    if (quiet) printJson({ data: name, ...evaluation });
    else report(name, evaluation);
  } finally {
    await Promise.all([planner?.close(), vision?.close()]);
  }
}

function vlaOptions(options: EvaluateCommandOptions): VlaPlannerOptions {
  return { ...deviceOf(options), threads: options.threads };
}

async function ask(
  options: EvaluateCommandOptions,
  questions: string,
  signal: AbortSignal,
): Promise<void> {
  if (options.shuffleCommand) {
    throw new WamFlowError('ERR_USAGE', '--shuffle-command: commands are those of the questions');
  }
  const json = options.json === true;
  let progress: Progress | undefined;
  await evaluateQuestions({
    ...{ questions, signal, json },
    model: options.model,
    split: options.split,
    limit: options.limit,
    blankImage: options.blankImage,
    steps: options.steps.at(-1)!,
    options: vlaOptions(options),
    onProgress: (done, total) => {
      progress ??= new Progress({ label: 'evaluate', total, unit: 'answers', silent: json });
      progress.update(done);
      if (done === total) progress.finish();
    },
  });
}

function refuseVlaFlags({ blankImage, shuffleCommand, questions, model }: EvaluateCommandOptions) {
  const given = { blankImage, shuffleCommand, questions };
  if (Object.values(given).every((value) => value === undefined)) return;
  throw new WamFlowError(
    'ERR_USAGE',
    `--blank-image, --shuffle-command, --questions: for a model of the Janus family, ${model} is none`,
  );
}

/** What only planners of scenes can do. */
function refusePlannerFlags({ reduce, coupling, warmStart }: EvaluateCommandOptions): void {
  if (reduce !== 'search' && coupling !== 'comonotone' && warmStart === undefined) return;
  throw new WamFlowError(
    'ERR_USAGE',
    '--reduce search, --coupling comonotone, --warm-start: not for a model of the Janus family',
  );
}

function drive(
  planner: EvaluatedPlanner | null,
  data: ScenarioData,
  options: EvaluateCommandOptions,
  common: Pick<ClosedLoopOptions, 'split' | 'signal' | 'onProgress'>,
): Promise<ClosedLoopEvaluation> {
  const { model, samples, reduce, temperature, limit, replan, traffic, resamples } = options;
  const rows = planner && {
    planner,
    name: model,
    settings: settingsOf(options),
    run: { samples, reduce, temperature, coupling: options.coupling ?? 'independent' },
  };
  return evaluateClosedLoop(rows, data, { ...common, limit, replanS: replan, traffic, resamples });
}

async function loadPlanner(options: EvaluateCommandOptions): Promise<Planner> {
  const planner = await Planner.load(options.model, {
    ...deviceOf(options),
    threads: options.threads,
    maxSamples: Math.max(options.samples, kLeastSamples),
    maxSteps: Math.max(...options.steps),
  });
  if (planner.waypoints === 8 && planner.intervalS === 0.5) return planner;
  await planner.close();
  throw new WamFlowError(
    'ERR_CONFIG',
    `--model: evaluation needs 8 waypoints 0.5 s apart, ${options.model} has ${planner.waypoints} ` +
      `waypoints ${planner.intervalS} s apart`,
  );
}

function report(name: string, evaluation: Evaluation): void {
  const { n, egos, skipped, split } = evaluation;
  const left = skipped > 0 ? `; ${skipped} with a shorter future were left out` : '';
  note(`${name}, split ${split}: ${n} windows of ${egos} vehicles, 4 s${left}`);
  print(mainTable(evaluation));
  print('\nADE / FDE by road and manoeuvre, metres\n');
  print(breakdownTable(evaluation));
  if (evaluation.pdm) reportPdm(evaluation, evaluation.pdm);
}

function reportPdm(evaluation: Evaluation, { versions, n, pairs, failed }: PdmSummary): void {
  print(`\nPDMS in %: ${versions.pdms}, ${n} windows, replayed traffic\n`);
  print(pdmsTable(evaluation));
  print(`\nEPDMS in %: ${versions.epdms}; extended comfort from ${pairs} pairs of windows\n`);
  print(epdmsTable(evaluation));
  print('\nPDMS / EPDMS by road and manoeuvre, %\n');
  print(pdmBreakdownTable(evaluation));
  for (const { window, code, message } of failed.slice(0, kShownFailures)) {
    note(`not scored: ${window}: ${code}: ${message}`);
  }
  if (failed.length > kShownFailures) {
    note(`not scored: ${failed.length - kShownFailures} windows more (--json names all)`);
  }
}
