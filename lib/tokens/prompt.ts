import { type ConversationTemplate, kFudokiTemplate } from './conversation-template.js';
import { END_OF_SENTENCE } from './text-form.js';

/** One turn of a conversation; `text` is empty for the turn that the model is to answer. */
export interface PromptTurn {
  role: 'User' | 'Assistant';
  text: string;
}

/** The parts of a prompt. */
export interface PromptParts {
  /** System text, put first when not empty. Default the template's. */
  system?: string;
  turns: readonly PromptTurn[];
  /** Ends an answer. Default {@link END_OF_SENTENCE}. */
  endOfSentence?: string;
  /** Default {@link kFudokiTemplate}. */
  template?: Readonly<ConversationTemplate>;
}

/**
 * A conversation as text, by the rules of a template: by default those that Janus, FUDOKI and WAM-Flow weights were
 * trained with. Pure text: the image placeholder and the wording are the caller's.
 */
export function assemblePrompt({
  turns,
  endOfSentence = END_OF_SENTENCE,
  template = kFudokiTemplate,
  system = template.system,
}: PromptParts): string {
  const { userRole, assistantRole, roleEnd, textStart } = template;
  const trim = (part: string) => (template.trim ? part.trim() : part);
  const fixed = (part: string) => part.replaceAll('{endOfSentence}', () => endOfSentence);
  const head = system === '' ? '' : system + fixed(template.systemEnd);
  const body = turns.map(({ role, text }) => {
    const isUser = role === 'User';
    const opening = fixed((isUser ? userRole : assistantRole) + roleEnd);
    const words = trim(text);
    if (words === '') return opening;
    const end = isUser ? template.userEnd : template.assistantEnd;
    return opening + fixed(textStart) + words + fixed(end);
  });
  return trim(head + body.join(''));
}
