import type { Command } from 'commander';
import {
  type CheckpointInspection,
  inspectCheckpoint,
  type TensorTotals,
} from '../vla/inspect-checkpoint.js';
import { type CommonOptions, defineCommand, note, print, printJson } from './command.js';
import { integer } from './progress.js';
import { withInterrupt } from './run.js';
import { printable, styleFor } from './style.js';
import { renderTable } from './table.js';

interface Flags extends CommonOptions {
  tensors?: boolean;
  values?: boolean;
}

const kRight = 'right' as const;

/** `wam-flow inspect`: what a Janus, FUDOKI or WAM-Flow directory holds. */
export function inspectCommand(): Command {
  return defineCommand(
    'inspect',
    'check a directory of the Janus family and list what it holds',
    'wam-flow inspect checkpoints/wam-flow-1.5b --values',
  )
    .argument('<dir>', 'folder with config.json and safetensors weights')
    .option('--tensors', 'list every tensor')
    .option('--values', 'read all weights and refuse NaN and infinity')
    .action((directory: string, flags: Flags) =>
      withInterrupt(async (signal) => {
        const found = await inspectCheckpoint(directory, { checkValues: flags.values, signal });
        if (flags.json) {
          const { tensors, ...rest } = found;
          printJson({ ...rest, valuesChecked: flags.values === true, tensors });
        } else {
          report(found, flags);
        }
      }),
    );
}

function report(found: CheckpointInspection, flags: Flags): void {
  const { language, vision, aligner } = found.config;
  const style = styleFor(process.stdout);
  print(style.bold(printable(found.directory)));
  const kv =
    language.num_key_value_heads === language.num_attention_heads
      ? ''
      : ` (${language.num_key_value_heads} of keys)`;
  print(
    `language  ${language.num_hidden_layers} layers of ${language.hidden_size}, ${language.num_attention_heads} heads${kv}, ` +
      `MLP ${language.intermediate_size}, ${integer(language.vocab_size)} tokens`,
  );
  print(
    `vision    ${printable(vision.model_name)}: ${vision.layers} blocks of ${vision.width}, ${vision.heads} heads, ` +
      `${vision.image_size} px in patches of ${vision.patch_size}, ${vision.image_tokens} tokens`,
  );
  print(`aligner   ${aligner.depth} layers, ${vision.width} to ${language.hidden_size}\n`);
  print(partsTable(found));
  if (flags.tensors) print(`\n${tensorsTable(found)}`);
  print('');
  for (const { name, bytes, tensors } of found.files) {
    print(`${printable(name)}: ${megabytes(bytes)} MB, ${integer(tensors)} tensors`);
  }
  const beside = Object.entries(found.companions).filter(([, bytes]) => bytes !== null);
  if (beside.length > 0) print(`beside it: ${beside.map(([name]) => name).join(', ')}`);
  for (const warning of found.warnings) note(style.yellow(`note: ${printable(warning)}`));
  print(
    flags.values
      ? 'Names, shapes and values are those of a model.'
      : 'Names and shapes are those of a model.',
  );
}

function partsTable(found: CheckpointInspection): string {
  const rows = Object.entries(found.parts).map(([part, totals]) => [
    part,
    ...cells(totals),
    [...new Set(found.tensors.filter((t) => t.part === part).map((t) => t.dtype))].join(', '),
  ]);
  const all = {
    tensors: found.tensors.length,
    parameters: found.parameters,
    bytes: found.bytes,
  };
  return renderTable(
    [
      { header: 'part' },
      { header: 'tensors', align: kRight },
      { header: 'parameters', align: kRight },
      { header: 'MB', align: kRight },
      { header: 'stored as' },
    ],
    [...rows, [], ['all', ...cells(all), ''], ['read by plans', '', integer(found.usedParameters)]],
  );
}

function tensorsTable({ tensors }: CheckpointInspection): string {
  return renderTable(
    [{ header: 'tensor' }, { header: 'dtype' }, { header: 'shape' }, { header: 'file' }],
    tensors.map(({ name, dtype, shape, file }) => [name, dtype, `[${shape.join(', ')}]`, file]),
  );
}

function cells({ tensors, parameters, bytes }: TensorTotals): string[] {
  return [integer(tensors), integer(parameters), megabytes(bytes)];
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0);
}
