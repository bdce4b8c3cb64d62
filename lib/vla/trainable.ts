// Which tensors of a model a training run changes.

import { argumentError, WamFlowError } from '../errors.js';
import type { CheckpointInspection } from './inspect-checkpoint.js';

const kTable = 'language_model.model.embed_tokens.weight';
const kHead = 'language_model.lm_head.weight';

/** Groups of tensors; the released stages train the first two (wamflow-spec section 5). */
export const kTrainableGroups = ['embed', 'language', 'aligner', 'vision', 'all'] as const;

/**
 * `embed`: the token table and the head. `language`: the language model without its token table. `aligner`, `vision`: the
 * parts of that name. `all`: everything. Anything else is a tensor's name, in which `*` stands for any characters.
 */
export type Trainable = (typeof kTrainableGroups)[number] | (string & {});

/**
 * Names of the tensors that a choice means, each once, in the order of the checkpoint.
 *
 * @throws WamFlowError `ERR_ARGUMENT`; `ERR_CONFIG` when a choice means no tensor
 */
export function trainableNames(
  { tensors, config }: Pick<CheckpointInspection, 'tensors' | 'config'>,
  trainable: Trainable | readonly Trainable[],
): string[] {
  const chosen: readonly unknown[] = Array.isArray(trainable) ? trainable : [trainable];
  const used = tensors.filter((tensor) => tensor.used);
  const wanted = new Set<string>();
  for (const choice of chosen) {
    if (typeof choice !== 'string' || choice === '') {
      throw argumentError('trainable', `${kTrainableGroups.join(', ')} or tensors' names`, choice);
    }
    const matches = used.filter(({ name, part }) => isMeant(choice, name, part));
    if (matches.length === 0) {
      throw new WamFlowError('ERR_CONFIG', `trainable: the model has no tensor ${choice}`);
    }
    for (const { name } of matches) wanted.add(name);
  }
  // The head of a tied model is its table.
  if (config.language.tie_word_embeddings) wanted.delete(kHead);
  if (wanted.size === 0) throw argumentError('trainable', 'at least one tensor', trainable);
  return used.map(({ name }) => name).filter((name) => wanted.has(name));
}

function isMeant(choice: string, name: string, part: string): boolean {
  switch (choice) {
    case 'all':
      return true;
    case 'embed':
      return name === kTable || name === kHead;
    case 'language':
      return part === 'language' && name !== kTable;
    case 'aligner':
    case 'vision':
      return part === choice;
    default:
      return pattern(choice).test(name);
  }
}

const pattern = (choice: string) =>
  new RegExp(
    `^${choice
      .split('*')
      .map((text) => text.replace(/[.\\+?^${}()|[\]]/g, '\\$&'))
      .join('.*')}$`,
  );
