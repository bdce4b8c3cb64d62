import { type Command, Option } from 'commander';
import { type DecodeRule, kPlanDefaults, type PlanOptions } from '../plan-options.js';
import { integerListOption, integerOption, numberOption } from './command.js';

/** Values of `--decode`; `sample-median` draws in every step but the last, which takes the median. */
export const kDecodeChoices = ['argmax', 'median', 'sample', 'sample-median'] as const;

/** What the options of {@link addPlanFlags} parse to; left out: the planner's defaults. */
export interface PlanFlags {
  steps: number[];
  samples?: number;
  decode?: (typeof kDecodeChoices)[number];
  rule?: PlanOptions['rule'];
  reduce?: PlanOptions['reduce'];
  coupling?: PlanOptions['coupling'];
  temperature?: number;
  topK?: number;
  seed?: number;
  deadlineMs?: number;
}

/** `--coupling`. */
export const couplingOption = () =>
  new Option(
    '--coupling <how>',
    `how the draws of a sample go together (default: ${kPlanDefaults.coupling})`,
  ).choices(['independent', 'comonotone']);

/** The options of a command that plans. */
export function addPlanFlags(command: Command): Command {
  const d = kPlanDefaults;
  return command
    .addOption(
      new Option('--steps <list>', 'refinement steps; one plan for each number of the list')
        .argParser(integerListOption(1, 4096))
        .default([1, 5], '1,5'),
    )
    .option(
      '--samples <k>',
      `samples that a plan is reduced from (default: ${d.samples})`,
      integerOption(1, 4096),
    )
    .addOption(
      new Option(
        '--decode <how>',
        `how tokens are chosen (default: ${d.decode}, at last ${d.lastDecode})`,
      ).choices(kDecodeChoices),
    )
    .addOption(
      new Option('--rule <rule>', `step rule of the path (default: ${d.rule})`).choices([
        'released',
        'integrated',
        'renoise',
      ]),
    )
    .addOption(
      new Option('--reduce <how>', `how samples become one plan (default: ${d.reduce})`).choices([
        'first',
        'medoid',
        'mean',
        'search',
      ]),
    )
    .addOption(couplingOption())
    .option('--temperature <t>', 'of sampling (default: 1)', numberOption(1e-3, 1e3))
    .option('--top-k <k>', 'sample among the k likeliest (default: all)', integerOption(0, 1e6))
    .option(
      '--seed <n>',
      `of all random numbers (default: ${d.seed})`,
      integerOption(0, Number.MAX_SAFE_INTEGER),
    )
    .option(
      '--deadline-ms <ms>',
      'begin no further step after this time (default: none)',
      numberOption(0, 1e9),
    );
}

/** The planner's options for one of `flags.steps`. */
export function planOptionsOf(flags: PlanFlags, steps: number): PlanOptions {
  const options: PlanOptions = { steps };
  if (flags.samples !== undefined) options.samples = flags.samples;
  if (flags.decode !== undefined) Object.assign(options, decodeOf(flags.decode));
  if (flags.rule !== undefined) options.rule = flags.rule;
  if (flags.reduce !== undefined) options.reduce = flags.reduce;
  if (flags.coupling !== undefined) options.coupling = flags.coupling;
  if (flags.temperature !== undefined) options.temperature = flags.temperature;
  if (flags.topK !== undefined) options.topK = flags.topK;
  if (flags.seed !== undefined) options.seed = flags.seed;
  if (flags.deadlineMs !== undefined) options.deadlineMs = flags.deadlineMs;
  return options;
}

/** What distinguishes plans with these options, in words: `sample, median at last, medoid of 16, seed 3`. */
export function describeOptions(given: PlanOptions): string {
  const options = { ...kPlanDefaults, ...given };
  const last = given.lastDecode ?? given.decode ?? kPlanDefaults.lastDecode;
  // With one step the first decode is never used.
  const first = options.steps === 1 ? last : options.decode;
  const isDrawn = first === 'sample' || last === 'sample';
  const parts = [first === last ? last : `${first}, ${last} at last`];
  if (options.steps > 1) parts.push(`${options.rule} rule`);
  if (isDrawn && options.coupling !== 'independent') parts.push(options.coupling);
  if (isDrawn && options.temperature !== 1) parts.push(`temperature ${options.temperature}`);
  if (isDrawn && options.topK > 0) parts.push(`top ${options.topK}`);
  if (options.samples > 1) parts.push(`${options.reduce} of ${options.samples}`);
  if (isDrawn || options.steps > 1) parts.push(`seed ${options.seed}`);
  return parts.join(', ');
}

function decodeOf(choice: (typeof kDecodeChoices)[number]): Record<string, DecodeRule> {
  return choice === 'sample-median'
    ? { decode: 'sample', lastDecode: 'median' }
    : { decode: choice, lastDecode: choice };
}
