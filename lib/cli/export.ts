import { type Command, Option } from 'commander';
import { exportVla } from '../vla-train/export-vla.js';
import { type CommonOptions, defineCommand, note, printJson } from './command.js';

interface ExportFlags extends CommonOptions {
  model: string;
  output: string;
  dtype: 'bf16' | 'f32';
  overwrite?: boolean;
}

/** `wam-flow export`: a trained vision-language model without its training state. */
export function exportCommand(): Command {
  return defineCommand(
    'export',
    'copy a vision-language model without its training state, in 16-bit weights',
    'wam-flow export --model runs/vla-aligned --output models/vla-mini',
  )
    .requiredOption('--model <dir>', 'Janus directory')
    .requiredOption('--output <dir>', 'folder of the copy')
    .addOption(
      new Option('--dtype <name>', 'of the weights').choices(['bf16', 'f32']).default('bf16'),
    )
    .option('--overwrite', 'replace a model in --output')
    .action(run);
}

async function run({ model, output, dtype, overwrite, json }: ExportFlags): Promise<void> {
  const { bytes } = await exportVla({ model, output, dtype, ...(overwrite ? { overwrite } : {}) });
  if (json) printJson({ output, dtype, bytes });
  else note(`${output}: ${(bytes / 1e6).toFixed(1)} MB of weights in ${dtype}`);
}
