import { type ConversationMix, openConversations } from '../conversation/conversation-mix.js';
import { WamFlowError } from '../errors.js';
import {
  type AnsweredQuestion,
  type AnswerSummary,
  answerQuestions,
  compareAnswers,
  type EncodedQuestion,
  isScored,
  kAnswerRoom,
  summarizeAnswers,
} from '../eval/answer-questions.js';
import type { NamedPlanner } from '../eval/evaluate.js';
import { shuffler } from '../eval/evaluate-vla.js';
import type { EvaluatedPlanner } from '../eval/planner-runs.js';
import { selectWindows } from '../eval/select-windows.js';
import { cameraOf, visionPlanner } from '../eval/vision-planner.js';
import { CameraPictures, greyPictures } from '../eval/window-pictures.js';
import type { ScenarioData } from '../scenario/types.js';
import { openVla } from '../vla/open-vla.js';
import { loadModel } from '../vla/vla-model.js';
import { VlaPlanner, type VlaPlannerOptions } from '../vla/vla-planner.js';
import { print, printJson } from './command.js';
import { renderTable } from './table.js';

/** Flags of `evaluate` for directories of the Janus family. */
export interface VlaFlags {
  blankImage?: boolean;
  shuffleCommand?: boolean;
  questions?: string;
}

/** A vision-language planner, and the same shown less. */
export interface LoadedVision {
  planner: EvaluatedPlanner;
  variants: NamedPlanner[];
  close(): Promise<void>;
}

/** Loads a planner that sees pictures of the windows of `data`. */
export async function loadVision(
  directory: string,
  data: ScenarioData,
  split: string,
  flags: VlaFlags,
  options: VlaPlannerOptions,
  signal: AbortSignal,
): Promise<LoadedVision> {
  const { windows } = selectWindows(data, split);
  const commandOf = flags.shuffleCommand ? shuffler(windows) : undefined;
  const vla = await VlaPlanner.load(directory, options);
  const pictures = new CameraPictures({ ...cameraOf(vla), threads: options.threads ?? 1 });
  const close = async () => {
    await Promise.all([vla.close(), pictures.close()]);
  };
  try {
    const planner = visionPlanner(vla, { pictures, signal });
    const variants: NamedPlanner[] = [];
    if (flags.blankImage) {
      const blind = visionPlanner(vla, { pictures: greyPictures, signal });
      variants.push({ name: `${directory}, picture blanked`, planner: blind });
    }
    if (commandOf) {
      const misled = visionPlanner(vla, { pictures, commandOf, signal });
      variants.push({ name: `${directory}, command shuffled`, planner: misled });
    }
    return { planner, variants, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What `--questions` needs. */
export interface QuestionRun extends VlaFlags {
  model: string;
  questions: string;
  split: string | undefined;
  limit: number | undefined;
  steps: number;
  json: boolean;
  options: VlaPlannerOptions;
  signal: AbortSignal;
  onProgress: (done: number, total: number) => void;
}

/** Asks a model the questions of a file and prints how many of its answers are right. */
export async function evaluateQuestions(run: QuestionRun): Promise<void> {
  const { model: directory, signal, onProgress } = run;
  const { settings, tokenizer } = await openVla(directory);
  const { image, template, wording } = settings;
  const { split, questions: path } = run;
  const set = { path, ...(split === undefined ? {} : { splits: [split] }) };
  const mix = await openConversations([set], {
    ...{ tokenizer, template, signal },
    answerTokens: kAnswerRoom,
    imageSize: image.size,
    ...(wording?.system === undefined ? {} : { system: wording.system }),
  });
  const model = await loadModel(directory, run.options);
  try {
    const questions = await scoredRows(mix, run.limit);
    const rounds = run.blankImage ? 2 : 1;
    const ask = (blank: boolean) =>
      answerQuestions(model, tokenizer, settings, questions(), {
        ...{ steps: run.steps, signal, blank },
        onProgress: (done) =>
          onProgress(done + (blank ? questions.count : 0), rounds * questions.count),
      });
    const answered = await ask(false);
    const blind = run.blankImage ? await ask(true) : null;
    report(run, answered, blind);
  } finally {
    await Promise.all([model.close(), mix.close()]);
  }
}

/** The rows of a mix that can be scored: evenly spread over it where there is a limit. */
async function scoredRows(mix: ConversationMix, limit = Number.POSITIVE_INFINITY) {
  const rows: number[] = [];
  for (let i = 0; i < mix.size; i += 1) if (isScored(await mix.at(0, i))) rows.push(i);
  if (rows.length === 0) {
    throw new WamFlowError('ERR_CONVERSATION', 'expected questions of the camera with answers');
  }
  const count = Math.min(rows.length, limit);
  const taken = Array.from(
    { length: count },
    (_, k) => rows[Math.floor((k * rows.length) / count)]!,
  );
  const questions = async function* (): AsyncGenerator<EncodedQuestion> {
    for (const i of taken) yield await mix.at(0, i);
  };
  return Object.assign(questions, { count });
}

function report(
  { json, model, questions }: QuestionRun,
  answered: readonly AnsweredQuestion[],
  blind: readonly AnsweredQuestion[] | null,
): void {
  const summary = summarizeAnswers(answered);
  const blanked = blind && {
    ...summarizeAnswers(blind),
    difference: compareAnswers(blind, answered),
  };
  if (json) {
    printJson({ model, questions, ...summary, blankImage: blanked, answers: answered });
    return;
  }
  print(answersTable(summary));
  if (!blanked) return;
  const { mean, ci } = blanked.difference;
  const bounds = ci.map((bound) => percent(bound)).join(' to ');
  print(`\nPicture blanked: ${percent(mean)} points (${bounds})\n`);
  print(answersTable(blanked));
}

/** One line a kind; per cent. */
export function answersTable({ all, kinds }: AnswerSummary): string {
  const right = { align: 'right' } as const;
  const line = (name: string, of: Omit<AnswerSummary['all'], 'majority'>, majority: string) => [
    name,
    String(of.n),
    percent(of.accuracy),
    of.ci.map((bound) => percent(bound)).join('-'),
    percent(of.answered),
    majority,
  ];
  return renderTable(
    [
      { header: 'questions' },
      { header: 'n', ...right },
      { header: 'right %', ...right },
      { header: '95 %', ...right },
      { header: 'answered %', ...right },
      { header: 'always the same %' },
    ],
    [
      ...Object.entries(kinds).map(([kind, of]) =>
        line(kind, of, `${percent(of.majority.accuracy)} (${of.majority.answer})`),
      ),
      [],
      line('all', all, percent(all.majority)),
    ],
  );
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}
