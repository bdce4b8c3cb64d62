import { NumericTokenizer } from '../../tokens/numeric-tokenizer.js';
import { assemblePrompt, type PromptTurn } from '../../tokens/prompt.js';
import { NotImplemented } from '../check.js';
import type { GroupRunner } from '../groups.js';

/** The numeric vocabulary, values to tokens, and prompts. */
export const runNumberTokens: GroupRunner = (check, _golden, test) => {
  const tokenizer = new NumericTokenizer();
  if (test.tokens !== undefined) {
    const tokens = Object.entries(test.tokens as Record<string, string>);
    check.equal('size', [tokenizer.size], [20_001]);
    for (const [index, text] of tokens) {
      check.equal(`text of ${index}`, [tokenizer.text(Number(index))], [text]);
      check.equal(`id of ${text}`, [tokenizer.idOf(text) ?? -1], [Number(index)]);
      check.equal(`value of ${index}`, [tokenizer.decode(Number(index))], [Number(text)]);
    }
  } else if (test.rows !== undefined) {
    // An index of null: the value has no token.
    for (const [value, text, index] of test.rows as [number, string, number | null][]) {
      check.equal(`text of ${value}`, [tokenizer.format(value)], [text]);
      const token = tokenizer.contains(value) ? tokenizer.encode(value) : 'none';
      check.equal(`token of ${value}`, [token], [index ?? 'none']);
    }
  } else if (test.prompt !== undefined) {
    const turns = (test.messages as [PromptTurn['role'], string][]).map(([role, text]) => {
      return { role, text };
    });
    const prompt = assemblePrompt({ system: String(test.system ?? ''), turns });
    check.equal('prompt', [prompt], [String(test.prompt)]);
  } else {
    throw new NotImplemented(`case ${test.id}`);
  }
};
