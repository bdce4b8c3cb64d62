import { type Command, InvalidArgumentError } from 'commander';
import { averageModels } from '../model/average.js';
import { loadCheckpoint, saveCheckpoint } from '../model/checkpoint.js';
import { isJanusDirectory } from '../vla/is-janus-directory.js';
import { exportVla } from '../vla-train/export-vla.js';
import { type CommonOptions, defineCommand, note, printJson } from './command.js';

interface AverageOptions extends CommonOptions {
  output: string;
  weights?: number[];
}

/** `wam-flow average`: the mean of models' weights as a model. */
export function averageCommand(): Command {
  return defineCommand(
    'average',
    'average the weights of models that were trained from one',
    'wam-flow average models/mini-supervised runs/aligned --weights 0.5,0.5 --output runs/mean',
  )
    .argument(
      '<model...>',
      'bundled models, checkpoint folders or Janus directories of one configuration',
    )
    .requiredOption('--output <dir>', 'folder for the model')
    .option('--weights <list>', 'one number a model (default: equal ones)', (text: string) => {
      const values = text
        .split(',')
        .map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
      if (values.every(Number.isFinite)) return values;
      throw new InvalidArgumentError('Expected numbers, comma separated.');
    })
    .action(run);
}

async function run(models: string[], options: AverageOptions): Promise<void> {
  const average = (await isJanusDirectory(models[0]!)) ? exportMean : saveMean;
  await average(models, options);
  if (options.json) printJson({ output: options.output, models, weights: options.weights ?? null });
  else note(`${options.output}: mean of ${models.join(', ')}`);
}

async function saveMean(models: string[], { output, weights }: AverageOptions): Promise<void> {
  const loaded = [];
  for (const model of models) loaded.push(await loadCheckpoint(model));
  await saveCheckpoint(output, averageModels(loaded, weights));
}

/** Everything but the weights is that of the first. */
async function exportMean(model: string[], { output, weights }: AverageOptions): Promise<void> {
  await exportVla({ model, output, dtype: 'f32', ...(weights ? { weights } : {}) });
}
