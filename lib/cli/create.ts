import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { WamFlowError } from '../errors.js';
import { ioError } from '../files.js';
import { conversationTexts } from '../vla-train/conversation-texts.js';
import { type CreateVlaOptions, createVla } from '../vla-train/create-vla.js';
import { type CommonOptions, defineCommand, integerOption, note, printJson } from './command.js';
import { integer } from './progress.js';

interface CreateFlags extends CommonOptions {
  output: string;
  sizes?: string;
  texts?: string[];
  tokenizer?: string;
  tokens: number;
  maskToken: string | false;
  numbers?: boolean;
  seed: number;
  overwrite?: boolean;
}

/** `wam-flow create`: a small vision-language model with random weights. */
export function createCommand(): Command {
  return defineCommand(
    'create',
    'make a small vision-language model with random weights: a Janus directory that stage causal trains',
    'wam-flow create --texts data/pictures/questions.jsonl --output runs/vla-0',
  )
    .requiredOption('--output <dir>', 'folder of the model')
    .option('--sizes <json>', 'sizes that differ from the defaults: JSON, or a file of it')
    .option('--texts <path...>', 'conversation files that a tokenizer is learnt from')
    .option('--tokenizer <dir>', 'folder of a tokenizer.json to take instead')
    .option(
      '--tokens <N>',
      'tokens of the learnt tokenizer at most',
      integerOption(256, 1_000_000),
      2048,
    )
    .option('--mask-token <text>', 'a token that is read at t = 0', '<mask>')
    .option('--no-mask-token', 'without one')
    .option('--numbers', 'rows for the numbers at once (stage embed appends them otherwise)')
    .option('--seed <N>', 'of the weights', integerOption(0, Number.MAX_SAFE_INTEGER), 1)
    .option('--overwrite', 'replace a model in --output')
    .action(run);
}

async function run(flags: CreateFlags): Promise<void> {
  const { output, maskToken, numbers, seed, overwrite } = flags;
  const made = await createVla({
    output,
    sizes: readSizes(flags.sizes),
    tokenizer: await tokenizerOf(flags),
    maskToken,
    seed,
    ...(numbers ? { numbers } : {}),
    ...(overwrite ? { overwrite } : {}),
  });
  if (flags.json) return printJson(made);
  note(
    `${made.directory}: ${integer(made.parameters)} parameters, ${integer(made.vocab)} tokens, ` +
      `${made.imageTokens} image tokens a picture`,
  );
}

async function tokenizerOf({
  texts,
  tokenizer,
  tokens,
}: CreateFlags): Promise<CreateVlaOptions['tokenizer']> {
  if ((texts === undefined) === (tokenizer === undefined)) {
    throw usage('expected --texts or --tokenizer, one of the two');
  }
  if (tokenizer !== undefined) return { directory: tokenizer };
  const read: string[] = [];
  for await (const text of conversationTexts(texts!)) read.push(text);
  return { texts: read, size: tokens };
}

/** JSON on the command line begins with a brace, all else is a path. */
function readSizes(given: string | undefined): object {
  if (given === undefined) return {};
  let text = given;
  if (!given.trimStart().startsWith('{')) {
    try {
      text = readFileSync(given, 'utf8');
    } catch (error) {
      throw ioError(`--sizes: cannot read ${given}`, error);
    }
  }
  try {
    return JSON.parse(text) as object;
  } catch (error) {
    throw usage(`--sizes: no JSON: ${(error as Error).message}`);
  }
}

function usage(message: string): WamFlowError {
  return new WamFlowError('ERR_USAGE', message);
}
