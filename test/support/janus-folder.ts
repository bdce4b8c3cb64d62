// Small checkpoints of the real layout, for tests.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TextTokenizer, writeTokenizerFiles } from '../../lib/index.js';
import { JANUS_SIZES } from '../../scripts/janus/layout.mjs';
import { writeRandomJanus } from '../../scripts/janus/write-checkpoint.mjs';
import { smallTokenizerFiles } from './small-tokenizer.js';

/** A model of 20,000 weights. */
export const kTinySizes: typeof JANUS_SIZES = {
  ...JANUS_SIZES,
  vocab: 90,
  hidden: 16,
  mlp: 24,
  layers: 3,
  heads: 4,
  kvHeads: 2,
  visionWidth: 8,
  visionLayers: 2,
  visionHeads: 2,
  patch: 4,
  imageSize: 12,
};

export interface TinyOptions {
  dtype?: 'f32' | 'bf16' | 'f16';
  shards?: number;
  seed?: number;
  generation?: boolean;
  sizes?: Partial<typeof JANUS_SIZES>;
}

/** A folder for checkpoints that are written and damaged. */
export class JanusFolder {
  readonly root = mkdtempSync(join(tmpdir(), 'wam-janus-'));
  #count = 0;

  /** Writes a tiny model; returns its directory. */
  async tiny({ sizes, ...options }: TinyOptions = {}): Promise<string> {
    const output = join(this.root, String(++this.#count));
    await writeRandomJanus({ output, ...options, sizes: { ...kTinySizes, ...sizes } });
    return output;
  }

  /** Writes a tiny model with the small tokenizer, and rows for all its tokens and 7 more; returns its directory. */
  async withTokenizer({ sizes, ...options }: TinyOptions = {}): Promise<string> {
    const { patch, imageSize } = { ...kTinySizes, ...sizes };
    const files = smallTokenizerFiles();
    const tokens = Math.floor(imageSize / patch) ** 2;
    files.processorConfig = { ...files.processorConfig, num_image_tokens: tokens };
    const vocab = new TextTokenizer(files).idLimit + 7;
    const directory = await this.tiny({ sizes: { vocab, ...sizes }, ...options });
    await writeTokenizerFiles(directory, files);
    return directory;
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Names of the weight files, in order. */
export function weightFiles(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.safetensors'))
    .sort();
}

type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;

/** The parts of a safetensors file. */
export function takeApart(path: string): { header: Header; data: Buffer } {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
  return { header, data: bytes.subarray(8 + length) };
}

/** Writes a file of these parts, which need not fit each other. */
export function putTogether(path: string, header: unknown, data: Uint8Array): void {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([length, text, data]));
}

/** Changes the header of a file; the data stays. */
export function editHeader(path: string, change: (header: Header) => void): void {
  const { header, data } = takeApart(path);
  change(header);
  putTogether(path, header, data);
}

/** Removes tensors, data included. */
export function dropTensors(path: string, drop: (name: string) => boolean): void {
  const { header, data } = takeApart(path);
  const kept: Header = {};
  const pieces: Buffer[] = [];
  let at = 0;
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__' || drop(name)) continue;
    const [begin, end] = entry.data_offsets;
    kept[name] = { ...entry, data_offsets: [at, at + end - begin] };
    pieces.push(data.subarray(begin, end));
    at += end - begin;
  }
  putTogether(path, kept, Buffer.concat(pieces));
}

/** Changes a JSON file of the directory. */
// biome-ignore lint/suspicious/noExplicitAny: tests write what no type allows.
export function editJson(path: string, change: (value: any) => void): void {
  const value = JSON.parse(readFileSync(path, 'utf8'));
  change(value);
  writeFileSync(path, JSON.stringify(value));
}
