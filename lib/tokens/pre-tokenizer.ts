import { tokenizerError } from './tokenizer-files.js';

interface Node {
  type?: unknown;
  pretokenizers?: unknown;
  [field: string]: unknown;
}

const kPlainNodes = ['ByteLevel', 'Whitespace', 'WhitespaceSplit'];

/**
 * The pre-tokenizer of a `tokenizer.json` in a form that the tokenizers package carries out as the reference does.
 * Refuses what it would silently do differently: nodes and split behaviours that it does not have.
 *
 * @throws WamFlowError `ERR_TOKENIZER`
 */
export function checkPreTokenizer(node: unknown, path = 'pre_tokenizer'): object | null {
  if (node === null) return null;
  const { type, pretokenizers, ...rest } = (node ?? {}) as Node;
  if (type === 'Sequence' && Array.isArray(pretokenizers)) {
    const parts = pretokenizers.map((part, i) => checkPreTokenizer(part, `${path}[${i}]`));
    return { type, pretokenizers: parts };
  }
  if (type === 'Split') {
    const { behavior, invert = false } = rest;
    if ((behavior === 'Isolated' || behavior === 'Removed') && invert === false)
      return { type, ...rest };
    throw refuse(
      path,
      `a Split that isolates or removes, not ${String(behavior)}, inverted: ${invert}`,
    );
  }
  // The reference takes every number of Unicode for a digit; the package only 0 to 9.
  if (type === 'Digits') {
    const Regex = rest.individual_digits === true ? '\\p{N}' : '\\p{N}+';
    return { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false };
  }
  if (typeof type === 'string' && kPlainNodes.includes(type)) return { type, ...rest };
  throw refuse(
    path,
    `one of Sequence, Split, Digits, ${kPlainNodes.join(', ')}, not ${String(type)}`,
  );
}

function refuse(path: string, expected: string) {
  return tokenizerError(`tokenizer.json: ${path}: expected ${expected}`);
}
