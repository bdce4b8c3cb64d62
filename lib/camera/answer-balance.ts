import type { Question, QuestionKind } from './questions.js';

/** Answers of one kind of question. */
export interface AnswerShare {
  questions: number;
  /** How often the most frequent answer comes: what a model gets right that always says the same. */
  majority: { answer: string; rate: number };
  /** Questions left out because their answer was frequent enough. */
  leftOut: number;
}

const kMostOften = 1.5; // times as often as all other answers together
const kFreeStart = 4;
/** Kinds whose answers are all different. */
const kOpenKinds: ReadonlySet<QuestionKind> = new Set(['lead_distance', 'caption']);

/**
 * Keeps answers balanced while questions are written: one that came 1.5 times as often as all others of its kind together
 * is left out, so that no answer has more than 60 % (of many). Depends on the order of the questions alone.
 */
export class AnswerBalance {
  readonly #counts = new Map<QuestionKind, Map<string, number>>();
  readonly #leftOut = new Map<QuestionKind, number>();

  /** Whether to keep a question; those kept are counted. */
  accept({ kind, answer }: Pick<Question, 'kind' | 'answer'>): boolean {
    let counts = this.#counts.get(kind);
    if (!counts) {
      counts = new Map();
      this.#counts.set(kind, counts);
    }
    const own = counts.get(answer) ?? 0;
    const others = sum(counts) - own;
    if (!kOpenKinds.has(kind) && own + 1 > kFreeStart + kMostOften * others) {
      this.#leftOut.set(kind, (this.#leftOut.get(kind) ?? 0) + 1);
      return false;
    }
    counts.set(answer, own + 1);
    return true;
  }

  /** By kind, those that came at all. */
  shares(): Partial<Record<QuestionKind, AnswerShare>> {
    const shares: Partial<Record<QuestionKind, AnswerShare>> = {};
    for (const [kind, counts] of this.#counts) {
      const questions = sum(counts);
      let [answer, most] = ['', 0];
      for (const [text, n] of counts) if (n > most) [answer, most] = [text, n];
      const rate = questions > 0 ? most / questions : 0;
      shares[kind] = {
        questions,
        majority: { answer, rate },
        leftOut: this.#leftOut.get(kind) ?? 0,
      };
    }
    return shares;
  }
}

function sum(counts: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const n of counts.values()) total += n;
  return total;
}
