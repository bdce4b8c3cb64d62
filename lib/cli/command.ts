import { Command, InvalidArgumentError, type OutputConfiguration } from 'commander';

/** Options that every command has. */
export interface CommonOptions {
  /** stdout carries one JSON document (or JSON lines, where the command says so) and nothing else. */
  json?: boolean;
  /** Print the stack of an error. */
  debug?: boolean;
}

/**
 * A command with what all of them share: `--json`, `--debug`, an example under `--help`, and errors that are thrown
 * instead of ending the process ({@link runCli} turns them into exit codes).
 */
export function defineCommand(name: string, summary: string, example: string): Command {
  return new Command(name)
    .description(summary)
    .option('--json', 'print JSON on stdout and nothing else')
    .option('--debug', 'print the stack of an error (also WAM_FLOW_DEBUG=1)')
    .addHelpText('after', `\nExample:\n  $ ${example}\n`)
    .showHelpAfterError('(--help shows the options and an example)')
    .allowExcessArguments(false)
    .configureOutput(errorOutput)
    .exitOverride();
}

/** Makes commander's errors look like all others: the program, the code, the message. */
export const errorOutput: OutputConfiguration = {
  outputError: (text, write) => write(text.replace(/^error: /, 'wam-flow: ERR_USAGE: ')),
};

/** Parser of an option that takes one integer in [low, high]. */
export function integerOption(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[+-]?\d+$/.test(text) || value < low || value > high) {
      throw new InvalidArgumentError(`Expected an integer from ${low} to ${high}.`);
    }
    return value;
  };
}

/** Parser of an option that takes one number in [low, high]. */
export function numberOption(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= low && value <= high)) {
      throw new InvalidArgumentError(`Expected a number from ${low} to ${high}.`);
    }
    return value;
  };
}

/** Parser of an option that takes integers in [low, high], comma separated: `1,5`. Repeated ones are kept once. */
export function integerListOption(low: number, high: number): (text: string) => number[] {
  const one = integerOption(low, high);
  return (text) => [...new Set(text.split(',').map((part) => one(part.trim())))];
}

/** Parser of an option that takes words of `choices`, comma separated: `argmax,median`. Repeated ones are kept once. */
export function choiceListOption<T extends string>(choices: readonly T[]): (text: string) => T[] {
  return (text) => {
    const parts = [...new Set(text.split(',').map((part) => part.trim()))];
    for (const part of parts) {
      if (!(choices as readonly string[]).includes(part)) {
        throw new InvalidArgumentError(
          `Allowed choices are ${choices.join(', ')}, comma separated.`,
        );
      }
    }
    return parts as T[];
  };
}

/** Writes a line to stdout. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Writes `value` to stdout as JSON: one line, or indented for people when stdout is a terminal. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, undefined, process.stdout.isTTY ? 2 : undefined));
}

/** Writes a line to stderr, for people; silent under `--json` only when it is decoration (`quiet`). */
export function note(text: string, quiet = false): void {
  if (!quiet) process.stderr.write(`${text}\n`);
}
