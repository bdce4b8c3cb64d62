import { type QuestionKind, kQuestionKinds, kSideAnswer, kSideText } from './questions.js';

const kNumber = /-?\d+(?:\.\d+)?/;

/**
 * The shortest form of what a model says to a question of a kind, as `Question.answer` has it; null where the text holds no
 * such answer. Case and full stops do not matter; captions stand for themselves.
 */
export function shortAnswer(kind: QuestionKind, content: string): string | null {
  const text = content.trim();
  switch (kind) {
    case 'lead_distance':
    case 'count_vehicles':
    case 'count_pedestrians':
      return kNumber.exec(text)?.[0] ?? null;
    case 'vehicle_ahead':
    case 'lead_braking':
      return /^(yes|no)\b/i.exec(text)?.[0].toLowerCase() ?? null;
    case 'light_color':
      if (/\bno light\b/i.test(text)) return 'none';
      return /\b(red|yellow|green)\b/i.exec(text)?.[0].toLowerCase() ?? null;
    case 'left_lane':
    case 'right_lane': {
      const side = Object.entries(kSideText).find(([, said]) => isSame(said, text))?.[0];
      return side === undefined ? null : kSideAnswer[side as keyof typeof kSideAnswer];
    }
    case 'road_bend':
      return /\b(left|right|straight)\b/i.exec(text)?.[0].toLowerCase() ?? null;
    case 'next_action':
      return /^[^,.]+/.exec(text)?.[0].toLowerCase() ?? null;
    case 'caption':
      return text;
  }
}

/** Whether a kind is one of the camera's. */
export function isQuestionKind(kind: string): kind is QuestionKind {
  return (kQuestionKinds as readonly string[]).includes(kind);
}

function isSame(a: string, b: string): boolean {
  const plain = (text: string) => text.toLowerCase().replace(/[.\s]+$/, '');
  return plain(a) === plain(b);
}
