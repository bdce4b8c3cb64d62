import { WamFlowError } from '../errors.js';
import type { Command } from '../observation.js';
import { splitMix32 } from '../scenario/random.js';
import type { ScenarioWindow } from '../scenario/types.js';

/**
 * Wrong commands: each window gets that of another one, drawn by the seed among those whose command differs from its own.
 * A permutation could not do it where one command is the most frequent; so frequent commands become rare ones.
 *
 * @throws WamFlowError `ERR_SCENARIO` when all windows have the same command
 */
export function shuffledCommands(windows: readonly ScenarioWindow[], seed = 1): Command[] {
  const next = splitMix32(seed);
  return windows.map(({ command }) => {
    const others = windows.filter((other) => other.command !== command);
    if (others.length === 0) {
      throw new WamFlowError(
        'ERR_SCENARIO',
        `expected windows with different commands, all have ${command}`,
      );
    }
    return others[Math.floor(next() * others.length)]!.command;
  });
}
