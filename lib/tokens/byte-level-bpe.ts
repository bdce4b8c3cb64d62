import { argumentError } from '../errors.js';
import type { TokenizerFiles } from './tokenizer-files.js';

export interface MakeTokenizerOptions {
  /** Texts that the merges are learnt from. */
  texts: Iterable<string>;
  /** Tokens of the model, the 256 bytes included; fewer when the texts have no more pairs. */
  size: number;
}

/** Names as the DeepSeek family writes them; ids follow the model's tokens in this order. */
const kSpecial = {
  begin: '<｜begin▁of▁sentence｜>',
  end: '<｜end▁of▁sentence｜>',
  pad: '<｜▁pad▁｜>',
  imageStart: '<begin_of_image>',
  imageEnd: '<end_of_image>',
  placeholder: '<image_placeholder>',
} as const;

/** Lines, then words and runs of punctuation with the space before them. */
const kSplits = ['[\\r\\n]', '\\s?\\p{L}+', '\\s?\\p{P}+'];

/**
 * Makes a small byte-level BPE tokenizer of the same kind as Janus has, for models of one's own: the files of a
 * tokenizer's folder, by their names without `.json` in camel case. The same texts give the same tokenizer. Digits are
 * tokens of their own and never merge, as numbers are added by {@link TextTokenizer}.
 *
 * @throws WamFlowError `ERR_ARGUMENT`
 */
export function makeTokenizer({ texts, size }: MakeTokenizerOptions): Required<TokenizerFiles> {
  if (!Number.isInteger(size) || size < 256 || size > 1_000_000) {
    throw argumentError('size', 'an integer from 256 to 1000000', size);
  }
  const vocab = new Map(kByteCharacters.map((character, i) => [character, i]));
  const merges = learnMerges(countWords(texts), size - 256);
  for (const [left, right] of merges) {
    // Two pairs can make one token.
    if (!vocab.has(left + right)) vocab.set(left + right, vocab.size);
  }
  const added = Object.values(kSpecial).map((content, i) => {
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
    return { id: vocab.size + i, content, ...flags, special: true };
  });
  const begin = { id: kSpecial.begin, ids: [added[0]!.id], tokens: [kSpecial.begin] };
  const a = { Sequence: { id: 'A', type_id: 0 } };
  const b = { Sequence: { id: 'B', type_id: 1 } };
  const first = { SpecialToken: { id: kSpecial.begin, type_id: 0 } };
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: { type: 'Sequence', normalizers: [] },
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          ...kSplits.map((Regex) => {
            return { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false };
          }),
          { type: 'Digits', individual_digits: true },
          { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
        ],
      },
      post_processor: {
        type: 'TemplateProcessing',
        single: [first, a],
        pair: [first, a, b],
        special_tokens: { [kSpecial.begin]: begin },
      },
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        vocab: Object.fromEntries(vocab),
        merges: merges.map((pair) => pair.join(' ')),
      },
    },
    tokenizerConfig: {
      tokenizer_class: 'LlamaTokenizerFast',
      add_bos_token: true,
      add_eos_token: false,
    },
    specialTokensMap: { bos_token: kSpecial.begin, eos_token: kSpecial.end },
    processorConfig: {
      processor_class: 'VLChatProcessor',
      image_tag: kSpecial.placeholder,
      image_start_tag: kSpecial.imageStart,
      image_end_tag: kSpecial.imageEnd,
      pad_tag: kSpecial.pad,
      num_image_tokens: 576,
      add_special_token: false,
    },
  };
}

/** Printable characters stand for themselves, the other bytes for characters from U+0100 on. */
const kByteCharacters: readonly string[] = (() => {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(printable(byte) ? byte : next++),
  );
})();

/** How often each piece between splits occurs, as byte characters. */
function countWords(texts: Iterable<string>): Map<string, number> {
  const split = new RegExp(`${kSplits.join('|')}|\\p{N}|[^\\p{L}\\p{P}\\p{N}]+`, 'gu');
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [piece] of text.matchAll(split)) {
      const word = Array.from(Buffer.from(piece, 'utf8'), (byte) => kByteCharacters[byte]!).join(
        '',
      );
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return counts;
}

/** The most frequent pair first, again and again; the one that sorts first where several are. */
function learnMerges(words: ReadonlyMap<string, number>, count: number): [string, string][] {
  const pieces = [...words].map(([word, times]) => ({ parts: Array.from(word), times }));
  const merges: [string, string][] = [];
  while (merges.length < count) {
    const pairs = new Map<string, number>();
    for (const { parts, times } of pieces) {
      for (let i = 1; i < parts.length; i += 1) {
        const pair = `${parts[i - 1]} ${parts[i]}`;
        pairs.set(pair, (pairs.get(pair) ?? 0) + times);
      }
    }
    const best = [...pairs].reduce<[string, number] | undefined>((a, b) => {
      if (a === undefined) return b;
      return b[1] > a[1] || (b[1] === a[1] && b[0] < a[0]) ? b : a;
    }, undefined);
    if (best === undefined || best[1] < 2) break;
    const [left, right] = best[0].split(' ') as [string, string];
    merges.push([left, right]);
    for (const piece of pieces) piece.parts = mergePair(piece.parts, left, right);
  }
  return merges;
}

function mergePair(parts: string[], left: string, right: string): string[] {
  if (!parts.includes(left)) return parts;
  const merged: string[] = [];
  for (let i = 0; i < parts.length; i += 1) {
    if (parts[i] === left && parts[i + 1] === right) {
      merged.push(left + right);
      i += 1;
    } else {
      merged.push(parts[i]!);
    }
  }
  return merged;
}
