import { type Command, Option } from 'commander';
import type { DeviceOptions } from '../device.js';

/** What the options of {@link addDeviceFlags} parse to. */
export interface DeviceFlags {
  device?: DeviceOptions['device'];
  precision?: DeviceOptions['precision'];
}

/** `--device` and `--precision`. */
export function addDeviceFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--device <name>', 'where the engine works').choices([
        'auto',
        'cpu',
        'cuda',
        'simt',
      ]),
    )
    .addOption(
      new Option(
        '--precision <name>',
        'fp32; of weights on the CPU: bf16, int8; of products on a GPU: bf16, f16 (default: fp32)',
      ).choices(['fp32', 'bf16', 'f16', 'int8']),
    );
}

/** The device that the flags name. */
export function deviceOf({ device, precision }: DeviceFlags): DeviceOptions {
  return { device, precision };
}
