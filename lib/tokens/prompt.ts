import { END_OF_SENTENCE } from './text-form.js';

/** One turn of a conversation; `text` is empty for the turn that the model is to answer. */
export interface PromptTurn {
  role: 'User' | 'Assistant';
  text: string;
}

/** The parts of a prompt. */
export interface PromptParts {
  /** System text, put first when not empty. */
  system?: string;
  turns: readonly PromptTurn[];
  /** Ends an answer. Default {@link END_OF_SENTENCE}. */
  endOfSentence?: string;
}

/**
 * The conversation template that Janus, FUDOKI and WAM-Flow weights were trained with (wamflow-spec section 1):
 * `system`, blank line, then `Role: text` for each turn, a blank line after the user and the end-of-sentence token after
 * an answer; an empty turn is `Role:` alone. Texts and the whole are trimmed. Pure text: the image placeholder and the
 * wording are the caller's.
 */
export function assemblePrompt({
  system = '',
  turns,
  endOfSentence = END_OF_SENTENCE,
}: PromptParts): string {
  const head = system === '' ? '' : `${system}\n\n`;
  const body = turns.map(({ role, text }) => {
    const trimmed = text.trim();
    if (trimmed === '') return `${role}:`;
    return `${role}: ${trimmed}${role === 'User' ? '\n\n' : endOfSentence}`;
  });
  return (head + body.join('')).trim();
}
