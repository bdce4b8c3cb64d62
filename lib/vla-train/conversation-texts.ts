// The texts of conversation files, for a tokenizer that is learnt from them.

import { ConversationFile } from '../conversation/conversation-file.js';
import { parseRow } from '../conversation/row.js';
import { assemblePrompt } from '../tokens/prompt.js';

/** Where pictures go in the files of this package, of Janus and of LLaVA. */
const kPlaceholder = /<image(?:_placeholder)?>\s*/g;

/**
 * Conversations of jsonl files as the texts that a model reads, without the places of pictures.
 *
 * @throws WamFlowError (while iterating) `ERR_CONVERSATION` naming file and line of a row that is none, `ERR_IO`.
 */
export async function* conversationTexts(
  paths: readonly string[],
): AsyncGenerator<string, void, undefined> {
  for (const path of paths) {
    const file = await ConversationFile.open(path);
    try {
      for await (const line of file.lines()) {
        const turns = parseRow(file.where(line), line.text).turns.map(({ role, text }) => ({
          role: role === 'assistant' ? ('Assistant' as const) : ('User' as const),
          text: text.replace(kPlaceholder, ''),
        }));
        yield assemblePrompt({ turns });
      }
    } finally {
      await file.close();
    }
  }
}
