import { isQuestionKind, shortAnswer } from '../camera/short-answer.js';
import { argumentError } from '../errors.js';
import type { TextTokenizer } from '../tokens/text-tokenizer.js';
import { type AnswerSettings, type AnswerTextOptions, answerText } from '../vla/answer-text.js';
import type { VlaModel } from '../vla/vla-model.js';
import { GroupBootstrap, type Interval } from './bootstrap.js';

/** A question in a model's tokens, as `ConversationMix.at` gives it; what follows the prompt is not looked at. */
export interface EncodedQuestion {
  id: string;
  kind: string;
  ids: Int32Array;
  imageMask: Uint8Array;
  /** First position of the answer. */
  answerStart: number;
  pixels?: Float32Array;
  /** The right answer in its shortest form. */
  answer?: string;
}

/** What a model said to a question. */
export interface AnsweredQuestion {
  id: string;
  kind: string;
  /** All that it said. */
  text: string;
  /** Its answer in the shortest form; null where it gave none. */
  said: string | null;
  answer: string;
  right: boolean;
}

/** Options of {@link answerQuestions}. */
export interface AnswerOptions extends AnswerTextOptions {
  /** True: an even grey in place of pictures. Default false. */
  blank?: boolean;
  /** Called after each. */
  onProgress?: (done: number) => void;
}

/** Tokens for the answers of a file of questions, so that none is left out because its right answer is long. */
export const kAnswerRoom = 512;

/** Accuracy over some questions. */
export interface AnswerFigures {
  n: number;
  /** Share of right answers. */
  accuracy: number;
  /** 95 % interval by resampling vehicles. */
  ci: Interval;
  /** Share of questions that got an answer of the form at all. */
  answered: number;
  /** What is right most often if the same is always said, knowing these questions' answers. */
  majority: { answer: string; accuracy: number };
}

/** Answers by kind; `all` together, with the majority of each kind as its baseline. */
export interface AnswerSummary {
  all: Omit<AnswerFigures, 'majority'> & { majority: number };
  kinds: Record<string, AnswerFigures>;
}

/** Kinds whose answers are metres. */
const kMetres: ReadonlySet<string> = new Set(['lead_distance']);
/** Kinds that have no shortest form to compare. */
const kOpen: ReadonlySet<string> = new Set(['caption']);
/** What a distance may be off: the larger of a metre and a tenth of it. */
const kLeastMetres = 1;
const kShare = 0.1;

/** Whether questions of a kind are scored at all. */
export function isScored({ kind, answer }: Pick<EncodedQuestion, 'kind' | 'answer'>): boolean {
  return answer !== undefined && isQuestionKind(kind) && !kOpen.has(kind);
}

/**
 * Whether an answer is right: the same word or number, or, of a distance, within the larger of 1 m and 10 % of it.
 */
export function isRight(kind: string, said: string | null, answer: string): boolean {
  if (said === null) return false;
  const [a, b] = [Number(said), Number(answer)];
  if (kMetres.has(kind)) return Math.abs(a - b) <= Math.max(kLeastMetres, kShare * Math.abs(b));
  return said === answer || (said !== '' && answer !== '' && a === b);
}

/**
 * Asks a model and compares its answers with the right ones; questions that cannot be scored are left out
 * ({@link isScored}).
 *
 * @throws (rejects) as `VlaModel.sample`
 */
export async function answerQuestions(
  model: VlaModel,
  tokenizer: TextTokenizer,
  settings: AnswerSettings,
  questions: Iterable<EncodedQuestion> | AsyncIterable<EncodedQuestion>,
  options: AnswerOptions = {},
): Promise<AnsweredQuestion[]> {
  const { blank = false, onProgress, ...how } = options;
  const answered: AnsweredQuestion[] = [];
  let seed = (options.seed ?? 0) * kSeedStride;
  for await (const question of questions) {
    seed += 1;
    const { id, kind, ids, imageMask, answerStart, pixels, answer } = question;
    if (!isScored(question) || !isQuestionKind(kind) || answer === undefined) continue;
    const prompt = {
      ids: ids.subarray(0, answerStart),
      imageMask: imageMask.subarray(0, answerStart),
      ...(pixels === undefined ? {} : { pixels: blank ? grey(pixels) : pixels }),
    };
    const text = await answerText(model, tokenizer, settings, prompt, { ...how, seed });
    const said = shortAnswer(kind, text);
    answered.push({ id, kind, text, said, answer, right: isRight(kind, said, answer) });
    onProgress?.(answered.length);
  }
  return answered;
}

// Questions have random numbers of their own, as windows have.
const kSeedStride = 2 ** 24;

function grey(pixels: Float32Array): Float32Array {
  return new Float32Array(pixels.length).fill(Math.fround((127 / 255 - 0.5) / 0.5));
}

/**
 * Accuracy by kind and over all, with intervals and what saying always the same gives.
 *
 * @param groupOf what is resampled together. Default the vehicle that {@link vehicleOf} reads from an id
 * @throws WamFlowError `ERR_ARGUMENT` for no answers
 */
export function summarizeAnswers(
  answered: readonly AnsweredQuestion[],
  groupOf: (question: AnsweredQuestion) => string = vehicleOf,
): AnswerSummary {
  if (answered.length === 0) throw argumentError('answered', 'at least one answer', answered);
  const names = [...new Set(answered.map(({ kind }) => kind))].sort();
  const kinds = Object.fromEntries(
    names.map((kind) => {
      const of = answered.filter((question) => question.kind === kind);
      return [kind, { ...figuresOf(of, groupOf), majority: majorityOf(kind, of) }];
    }),
  );
  const baseline = Object.values(kinds).reduce((sum, of) => sum + of.n * of.majority.accuracy, 0);
  return {
    all: { ...figuresOf(answered, groupOf), majority: baseline / answered.length },
    kinds,
  };
}

/**
 * Mean difference in accuracy between two models that were asked the same questions, paired, with its 95 % interval.
 *
 * @throws WamFlowError `ERR_ARGUMENT` when they were not
 */
export function compareAnswers(
  a: readonly AnsweredQuestion[],
  b: readonly AnsweredQuestion[],
  groupOf: (question: AnsweredQuestion) => string = vehicleOf,
): { mean: number; ci: Interval } {
  if (a.length !== b.length || a.some(({ id }, i) => id !== b[i]!.id)) {
    throw argumentError('b', 'answers to the same questions as a', b);
  }
  const each = a.map(({ right }, i) => Number(right) - Number(b[i]!.right));
  const mean = each.reduce((sum, value) => sum + value, 0) / each.length;
  return { mean, ci: new GroupBootstrap(a.map(groupOf)).interval(each) };
}

/** The vehicle in the id of a question as `wam-flow camera` writes it: what is before the step and the kind. */
export function vehicleOf({ id, kind }: Pick<AnsweredQuestion, 'id' | 'kind'>): string {
  const window = id.endsWith(`-${kind}`) ? id.slice(0, -kind.length - 1) : id;
  return window.replace(/-t\d+$/, '');
}

function figuresOf(
  answered: readonly AnsweredQuestion[],
  groupOf: (question: AnsweredQuestion) => string,
) {
  const right = answered.map((question) => Number(question.right));
  return {
    n: answered.length,
    accuracy: share(right),
    ci: new GroupBootstrap(answered.map(groupOf)).interval(right),
    answered: share(answered.map(({ said }) => (said === null ? 0 : 1))),
  };
}

function majorityOf(kind: string, answered: readonly AnsweredQuestion[]) {
  let best = { answer: '', accuracy: 0 };
  for (const said of new Set(answered.map(({ answer }) => answer))) {
    const accuracy = share(answered.map(({ answer }) => Number(isRight(kind, said, answer))));
    if (accuracy > best.accuracy) best = { answer: said, accuracy };
  }
  return best;
}

function share(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
