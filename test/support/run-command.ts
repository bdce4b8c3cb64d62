import type { Command } from 'commander';
import { vi } from 'vitest';

/** Runs a command in this process; returns what it wrote to stdout. What it writes to stderr is dropped. */
export async function runCommand(command: Command, args: readonly string[]): Promise<string> {
  let out = '';
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += text;
      return true;
    }),
    vi.spyOn(process.stderr, 'write').mockReturnValue(true),
  ];
  try {
    await command.parseAsync(args, { from: 'user' });
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return out;
}
