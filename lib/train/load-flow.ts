import { WamFlowError } from '../errors.js';
import { type Checkpoint, loadCheckpoint } from '../model/checkpoint.js';

/**
 * Loads a model whose plans are refined in parallel: what alignment and distillation draw plans with.
 *
 * @throws WamFlowError as `loadCheckpoint`; `ERR_CONFIG` for another decoder.
 */
export async function loadFlow(folder: string): Promise<Checkpoint> {
  const checkpoint = await loadCheckpoint(folder);
  const { kind } = checkpoint.config.decoder;
  if (kind === 'flow') return checkpoint;
  throw new WamFlowError(
    'ERR_CONFIG',
    `model: ${folder}: decoder: expected flow, received ${kind}`,
  );
}
