import { type Command, CommanderError } from 'commander';
import { WamFlowError } from '../errors.js';
import { printJson } from './command.js';
import { printable, styleFor } from './style.js';

/** Exit codes of `wam-flow`, stable for scripts. */
export const exitCode = {
  ok: 0,
  /** Something failed: a bad file, a failed self test, a bug. */
  failure: 1,
  /** The command line was wrong. */
  usage: 2,
  /** Stopped by Ctrl-C or SIGTERM; what the command could save is saved. */
  interrupted: 130,
} as const;

// The abort reason, told apart from every other error by identity.
const kInterrupted = new DOMException('Interrupted.', 'AbortError');

/**
 * Runs `work` with a signal that Ctrl-C or SIGTERM aborts, so that it can save and stop. A second Ctrl-C ends the
 * process at once. When `work` returns or throws after an interruption, the process exits with
 * {@link exitCode.interrupted}.
 */
export async function withInterrupt<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(exitCode.interrupted);
    controller.abort(kInterrupted);
    process.exitCode = exitCode.interrupted;
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

/** Parses `argv` (of `process.argv`'s form), runs the command and sets the exit code. Never throws. */
export async function runCli(program: Command, argv: readonly string[]): Promise<void> {
  surviveBrokenPipe();
  const json = argv.includes('--json');
  const debug =
    argv.includes('--debug') || !['', '0', undefined].includes(process.env.WAM_FLOW_DEBUG);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    process.exitCode = report(error, json, debug);
  }
}

/** Prints `error` for people on stderr, and for machines on stdout when `json`; returns the exit code. */
function report(error: unknown, json: boolean, debug: boolean): number {
  if (error === kInterrupted) return exitCode.interrupted;
  if (error instanceof CommanderError) {
    // --help and --version end here too; commander has printed its own text already.
    if (error.exitCode === 0) return exitCode.ok;
    if (json)
      printJson({ error: { code: 'ERR_USAGE', message: error.message.replace(/^error: /, '') } });
    return exitCode.usage;
  }
  const code = error instanceof WamFlowError ? error.code : 'ERR_INTERNAL';
  const message = error instanceof Error ? error.message : String(error);
  if (json) printJson({ error: { code, message } });
  const lead = styleFor(process.stderr).red('wam-flow:');
  // A message may have lines (what to do about a missing addon); nothing else may steer the terminal.
  const text = message.split('\n').map(printable).join('\n');
  process.stderr.write(`${lead} ${code}: ${text}\n`);
  if (debug) process.stderr.write(`${stackOf(error)}\n`);
  else if (code === 'ERR_INTERNAL')
    process.stderr.write('This is a bug in wam-flow; --debug prints its stack.\n');
  return code === 'ERR_USAGE' ? exitCode.usage : exitCode.failure;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined
    ? String(error.stack)
    : `${error.stack}\ncaused by: ${stackOf(error.cause)}`;
}

/** A reader that goes away (`wam-flow ... | head`) is no error: stop quietly, as other tools do. */
function surviveBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(exitCode.ok);
      throw error;
    });
  }
}
