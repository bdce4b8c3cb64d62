import { posix } from 'node:path';
import { describe, WamFlowError } from '../errors.js';

/** One turn of a row. */
export interface RowTurn {
  role: 'system' | 'user' | 'assistant';
  text: string;
}

/** A row of a conversation file, checked. */
export interface ConversationRow {
  /** Undefined where the file gives none. */
  id: string | undefined;
  /** Paths of pictures below the file's folder, with `/`. */
  images: string[];
  /** Empty where the file gives none. */
  kind: string;
  split: string | undefined;
  turns: RowTurn[];
  /** Shortest form of the answer, for scoring. */
  answer: string | undefined;
  /** A character for each image token: what its patch shows, learnt in place of an answer. */
  patches: string | undefined;
}

const kMaxTurns = 10_000;
const kRoles: Readonly<Record<string, RowTurn['role']>> = {
  system: 'system',
  user: 'user',
  human: 'user',
  assistant: 'assistant',
  gpt: 'assistant',
};

/**
 * Reads a row: as `wam-flow camera` writes it (`role`, `content`) or as LLaVA's (`from`, `value`). Fields that are not
 * known are left.
 *
 * @param where file and line, for errors
 * @throws WamFlowError `ERR_CONVERSATION` for what is no JSON, a field of the wrong type, or a picture outside the folder
 */
export function parseRow(where: string, text: string): ConversationRow {
  const row = parseObject(where, text);
  const { conversations } = row;
  if (!Array.isArray(conversations) || conversations.length > kMaxTurns) {
    throw rowError(where, 'conversations', `a list of at most ${kMaxTurns} turns`, conversations);
  }
  const images = row.image ?? [];
  return {
    id: typeof row.id === 'number' ? String(row.id) : optionalText(where, row, 'id'),
    images: (Array.isArray(images) ? images : [images]).map((image) => imagePath(where, image)),
    kind: optionalText(where, row, 'kind') ?? '',
    split: optionalText(where, row, 'split'),
    turns: conversations.map((turn: unknown, i) => parseTurn(where, `conversations[${i}]`, turn)),
    answer:
      typeof row.answer === 'number' ? String(row.answer) : optionalText(where, row, 'answer'),
    patches: optionalText(where, row, 'patches'),
  };
}

export function rowError(
  where: string,
  field: string,
  expected: string,
  received: unknown,
): WamFlowError {
  return new WamFlowError(
    'ERR_CONVERSATION',
    `${where}: ${field}: expected ${expected}, received ${describe(received)}`,
  );
}

type Json = Readonly<Record<string, unknown>>;

function parseObject(where: string, text: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text;
    throw new WamFlowError(
      'ERR_CONVERSATION',
      `${where}: expected a JSON object on one line, received ${JSON.stringify(shown)}: ${(error as Error).message}`,
      { cause: error },
    );
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw rowError(where, 'row', 'a JSON object on one line', value);
}

function optionalText(where: string, row: Json, name: string): string | undefined {
  const value = row[name] ?? undefined;
  if (value === undefined || typeof value === 'string') return value;
  throw rowError(where, name, 'a text', value);
}

function parseTurn(where: string, field: string, value: unknown): RowTurn {
  if (typeof value !== 'object' || value === null) {
    throw rowError(where, field, 'a turn { role, content } or { from, value }', value);
  }
  const turn = value as Json;
  const [roleField, textField] = turn.role === undefined ? ['from', 'value'] : ['role', 'content'];
  const role = turn[roleField];
  const text = turn[textField];
  if (typeof role !== 'string' || !Object.hasOwn(kRoles, role)) {
    const known = Object.keys(kRoles).join(', ');
    throw rowError(where, `${field}.${roleField}`, `one of ${known}`, role);
  }
  if (typeof text !== 'string') throw rowError(where, `${field}.${textField}`, 'a text', text);
  return { role: kRoles[role], text };
}

/** A path that cannot leave the folder by its text, on any system. */
function imagePath(where: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') {
    throw rowError(where, 'image', 'a path below the folder of the file', value);
  }
  const path = posix.normalize(value);
  const leaves =
    path === '.' ||
    path === '..' ||
    path.startsWith('../') ||
    posix.isAbsolute(path) ||
    // Of Windows: `C:`, `\\server`, `..\`; and what no file name has.
    /[\\\0]|^[A-Za-z]:/.test(path);
  if (leaves) throw rowError(where, 'image', 'a path below the folder of the file', value);
  return path;
}
