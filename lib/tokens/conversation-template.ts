import { z } from 'zod';
import { WamFlowError } from '../errors.js';

const text = z.string().max(100_000);
const kSchema = z.strictObject({
  system: text,
  systemEnd: text,
  userRole: text.min(1),
  assistantRole: text.min(1),
  roleEnd: text,
  textStart: text,
  userEnd: text,
  assistantEnd: text,
  trim: z.boolean(),
});

/**
 * How a conversation becomes a text: `system` `systemEnd`, then for each turn its role, `roleEnd`, `textStart`, the
 * turn's text and the end of its role; an empty turn is its role and `roleEnd` alone. `{endOfSentence}` stands for the
 * tokenizer's token. Plain data, which may be kept as JSON beside the weights.
 */
export interface ConversationTemplate {
  /** System text of a conversation that brings none; with an empty one, `systemEnd` is left out too. */
  system: string;
  systemEnd: string;
  userRole: string;
  assistantRole: string;
  roleEnd: string;
  textStart: string;
  userEnd: string;
  assistantEnd: string;
  /** Whether white space around the texts of turns and around the whole is removed. */
  trim: boolean;
}

/** The layout that Janus, FUDOKI and WAM-Flow weights were trained with; their system text is for the caller to give. */
export const kFudokiTemplate: Readonly<ConversationTemplate> = {
  system: '',
  systemEnd: '\n\n',
  userRole: 'User',
  assistantRole: 'Assistant',
  roleEnd: ':',
  textStart: ' ',
  userEnd: '\n\n',
  assistantEnd: '{endOfSentence}',
  trim: true,
};

/**
 * A template from parsed JSON; fields that are left out are those of {@link kFudokiTemplate}.
 *
 * @throws WamFlowError `ERR_CONFIG` naming the field.
 */
export function parseConversationTemplate(value: unknown): ConversationTemplate {
  const result = kSchema.partial().safeParse(value);
  if (result.success) return { ...kFudokiTemplate, ...defined(result.data) };
  throw new WamFlowError('ERR_CONFIG', `conversation template: ${z.prettifyError(result.error)}`);
}

/** What stands before an answer: it is where the answer is looked for. */
export function answerMarker({ assistantRole, roleEnd }: ConversationTemplate): string {
  return assistantRole + roleEnd;
}

function defined<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== undefined)) as never;
}
