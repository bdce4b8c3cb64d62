// A small tokenizer of the kind that Janus has, and a second way to encode with it: every step by brute force, nothing
// shared with the code under test.

import { makeTokenizer, type TokenizerFiles } from '../../lib/index.js';

const kWords =
  'vehicle road left right straight turn lane speed light pedestrian stop wait next view front';
const kTexts = Array.from({ length: 60 }, (_, i) => {
  const words = kWords.split(' ');
  const pick = (k: number) => words[(i * 7 + k * 5) % words.length]!;
  return [
    `User: the ${pick(0)} and the ${pick(1)} ${pick(2)}, then ${pick(3)}.\n\n`,
    `Assistant: ${pick(4)} ${pick(5)}; (${(i * 13) % 100}.${i % 10}) über die Straße, 道路 前方。\r\n`,
    `What is ${pick(6)}? Nothing but ${pick(7)}!\n\n`,
  ].join('');
});

let made: Required<TokenizerFiles> | undefined;

/** Files of a tokenizer of 500 tokens and 6 special ones; a copy, which may be changed. */
export function smallTokenizerFiles(): Required<TokenizerFiles> {
  made ??= makeTokenizer({ texts: kTexts, size: 500 });
  return structuredClone(made);
}

interface TokenizerJson {
  added_tokens: { id: number; content: string }[];
  model: { vocab: Record<string, number>; merges: string[] };
}

const kImageEnd = 100_593;

/**
 * Files of a tokenizer of the size and the layout of Janus's: 100,000 tokens, then special ones up to id 100,594, all of
 * which have the ids that they have there.
 */
export function janusSizedTokenizerFiles(): Required<TokenizerFiles> {
  const files = smallTokenizerFiles();
  const { model, added_tokens } = files.tokenizer as unknown as TokenizerJson;
  // Merges of ever longer runs of letters, until there are 100,000 tokens.
  const tokens = new Set(Object.keys(model.vocab));
  const letters = [...'abcdefghijklmnopqrstuvwxyz'];
  for (let level = letters; tokens.size < 100_000; ) {
    const next: string[] = [];
    for (const token of level) {
      for (const letter of letters) {
        if (tokens.size === 100_000 || tokens.has(token + letter)) continue;
        tokens.add(token + letter);
        model.merges.push(`${token} ${letter}`);
        next.push(token + letter);
      }
    }
    level = next;
  }
  model.vocab = Object.fromEntries([...tokens].map((token, i) => [token, i]));
  const ids = [100_000, 100_001, 100_015, 100_016, kImageEnd, kImageEnd + 1];
  for (const [i, token] of added_tokens.entries()) token.id = ids[i]!;
  for (let id = 100_000; id <= kImageEnd; id += 1) {
    if (!ids.includes(id))
      added_tokens.push({ ...added_tokens[0]!, id, content: `<unused ${id}>` });
  }
  added_tokens.sort((a, b) => a.id - b.id);
  return files;
}

/** All numbers of the published vocabulary. */
export function paperNumbers(): string[] {
  return Array.from({ length: 20_001 }, (_, i) => {
    const units = Math.abs(i - 10_000);
    const text = `${Math.floor(units / 100)}.${String(units % 100).padStart(2, '0')}`;
    return i < 10_000 ? `-${text}` : text;
  });
}

/** Token ids without a begin of sentence. `numbers` have ids from `firstId` on. */
export function referenceEncode(
  { tokenizer }: TokenizerFiles,
  numbers: readonly string[],
  firstId: number,
  text: string,
): number[] {
  const { added_tokens, model } = tokenizer as unknown as TokenizerJson;
  const added = new Map(added_tokens.map(({ content, id }) => [content, id]));
  numbers.forEach((content, i) => {
    added.set(content, firstId + i);
  });
  const most = Math.max(...[...added.keys()].map(({ length }) => length));
  const ids: number[] = [];
  let plain = '';
  const flush = () => {
    for (const piece of pieces(plain)) ids.push(...bytePairs(piece, model));
    plain = '';
  };
  for (let at = 0; at < text.length; ) {
    let length = most;
    while (length > 0 && !added.has(text.substring(at, at + length))) length -= 1;
    if (length === 0) {
      plain += text[at];
      at += 1;
      continue;
    }
    const longest = text.substring(at, at + length);
    flush();
    ids.push(added.get(longest)!);
    at += longest.length; // at the end of a text there may be less than `length`
  }
  flush();
  return ids;
}

/** Splits by the tokenizer's rules in their order: each cuts what is left of a text. */
function pieces(text: string): string[] {
  const rules = [/[\r\n]/gu, /\s?\p{L}+/gu, /\s?\p{P}+/gu, /\p{N}/gu];
  return rules.reduce(
    (parts, rule) => parts.flatMap((part) => isolate(part, rule)),
    text === '' ? [] : [text],
  );
}

function isolate(text: string, rule: RegExp): string[] {
  const out: string[] = [];
  let from = 0;
  for (const match of text.matchAll(rule)) {
    if (match.index > from) out.push(text.slice(from, match.index));
    out.push(match[0]);
    from = match.index + match[0].length;
  }
  if (from < text.length) out.push(text.slice(from));
  return out;
}

/** The earliest merge that is possible, wherever it stands first, until there is none. */
function bytePairs(piece: string, { vocab, merges }: TokenizerJson['model']): number[] {
  let parts = Array.from(Buffer.from(piece, 'utf8'), byteCharacter);
  for (;;) {
    const ranks = parts.slice(1).map((part, i) => merges.indexOf(`${parts[i]} ${part}`));
    const best = Math.min(...ranks.filter((rank) => rank >= 0));
    if (!Number.isFinite(best)) break;
    const at = ranks.indexOf(best);
    parts = [...parts.slice(0, at), parts[at]! + parts[at + 1]!, ...parts.slice(at + 2)];
  }
  return parts.map((part) => vocab[part]!);
}

/** The byte alphabet of GPT-2: printable Latin-1 as it is, the other 68 bytes from U+0100 on in order. */
export function byteCharacter(byte: number): string {
  const isPlain = (b: number) => (b > 32 && b < 127) || (b > 160 && b !== 173);
  if (isPlain(byte)) return String.fromCodePoint(byte);
  let others = 0;
  for (let b = 0; b < byte; b += 1) if (!isPlain(b)) others += 1;
  return String.fromCodePoint(256 + others);
}
