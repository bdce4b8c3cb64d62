// The table of a numeric tokenizer on disk: one row a token, learned by triplet margin (stage `tokenizer`), which a model
// may use as its numeric features or as what its path measures.

import { resolve } from 'node:path';
import { z } from 'zod';
import { WamFlowError } from '../errors.js';
import {
  type ModelKind,
  readModelFiles,
  readTrainingFiles,
  type TrainingFiles,
  writeModelFiles,
} from './checkpoint-files.js';
import { describeIssues } from './config-schema.js';

/** config.json of a table. */
export interface TableConfig {
  model_type: 'wam-flow-tokenizer';
  /** Tokens, equally spaced over the coordinate -1 .. 1. */
  vocab_size: number;
  /** Width of a row. */
  table_size: number;
}

/** A table that was read and checked. */
export interface NumericTable {
  config: TableConfig;
  /** [vocab_size, table_size], finite. */
  table: Float32Array;
}

const schema = z.strictObject({
  model_type: z.literal('wam-flow-tokenizer'),
  vocab_size: z.int().min(3).max(1_048_576),
  table_size: z.int().min(2).max(4_096),
});

const kTableKind: ModelKind<TableConfig> = {
  parse(value, source) {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    throw new WamFlowError('ERR_CONFIG', describeIssues(result.error, source));
  },
  layout: ({ vocab_size, table_size }) => [{ name: 'table', shape: [vocab_size, table_size] }],
};

/**
 * Reads the table in a folder that stage `tokenizer` wrote.
 *
 * @throws WamFlowError `ERR_CHECKPOINT_NOT_FOUND`, `ERR_CONFIG`, `ERR_CHECKPOINT_CORRUPT`, `ERR_IO`.
 */
export async function loadTable(directory: string): Promise<NumericTable> {
  const { config, tensors } = await readModelFiles(resolve(directory), kTableKind);
  return { config, table: tensors[0]!.data };
}

/** Writes a table and, for runs that go on, their state; all or nothing. */
export async function saveTable(
  directory: string,
  { config, table }: NumericTable,
  training?: TrainingFiles,
): Promise<void> {
  const shape = [config.vocab_size, config.table_size];
  const model = { config, tensors: [{ name: 'table', shape, data: table }] };
  await writeModelFiles(resolve(directory), model, config.model_type, training);
}

/** What a tokenizer run in `directory` needs to go on; undefined when there is none. */
export async function loadTableTraining(
  directory: string,
): Promise<(TrainingFiles & { config: TableConfig }) | undefined> {
  return readTrainingFiles(resolve(directory), kTableKind);
}
