// The texts of conversation files, for a tokenizer that is learnt from them.

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { WamFlowError } from '../errors.js';
import { ioError } from '../files.js';
import { assemblePrompt, type PromptTurn } from '../tokens/prompt.js';

/** Where pictures go in the files of this package, of Janus and of LLaVA. */
const kPlaceholder = /<image(?:_placeholder)?>\s*/g;
const kMaxLine = 1 << 20;

/**
 * Conversations of jsonl files as the texts that a model reads. Rows as `wam-flow camera --questions` writes them, and
 * LLaVA's.
 *
 * @throws WamFlowError (while iterating) `ERR_SCENARIO` naming file and line of a row that is none, `ERR_IO`.
 */
export async function* conversationTexts(
  paths: readonly string[],
): AsyncGenerator<string, void, undefined> {
  for (const path of paths) {
    const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity });
    let number = 0;
    try {
      for await (const line of lines) {
        number += 1;
        if (line.trim() !== '') yield assemblePrompt({ turns: turnsOf(line, `${path}:${number}`) });
      }
    } catch (error) {
      throw ioError(`cannot read ${path}`, error);
    } finally {
      lines.close();
    }
  }
}

function turnsOf(line: string, at: string): PromptTurn[] {
  if (line.length > kMaxLine) throw broken(at, `a row of ${line.length} characters`);
  let row: { conversations?: unknown } | null;
  try {
    row = JSON.parse(line);
  } catch (error) {
    throw broken(at, `not JSON: ${(error as Error).message}`);
  }
  const turns = row?.conversations;
  if (!Array.isArray(turns)) throw broken(at, 'expected an object with a list "conversations"');
  return turns.map((turn: Record<string, unknown> | null) => {
    const who = turn?.role ?? turn?.from;
    const text = turn?.content ?? turn?.value;
    if (typeof who !== 'string' || typeof text !== 'string') {
      throw broken(at, 'expected turns { role, content } or { from, value }');
    }
    const role = who === 'user' || who === 'human' ? 'User' : 'Assistant';
    return { role, text: text.replace(kPlaceholder, '') };
  });
}

function broken(at: string, problem: string): WamFlowError {
  return new WamFlowError('ERR_SCENARIO', `${at}: ${problem}`);
}
