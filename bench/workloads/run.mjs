// Rounds of the native program, and of peers beside it: A B A B, so that a slow minute of the machine falls on all.

import { availableParallelism } from 'node:os';
import { findProgram, notBuilt, pinned, runLines } from './program.mjs';

/**
 * Measures all rounds, the limits of the machine in each.
 *
 * @param options.threads numbers of threads, one after the other in each round.
 * @param options.only prefixes of workloads, with commas; empty: all.
 * @param options.precisions of weights: fp32, bf16, int8.
 * @param options.peers commands besides ours: (threads, round) => { command, env }.
 * @param onLine gets every JSON line as it comes.
 * @returns all lines.
 */
export async function measure(options, onLine = () => {}) {
  const program = findProgram();
  if (program === undefined) throw new Error(notBuilt);
  const { threads, only, rounds, quick, isa, peers = [] } = options;
  const lines = [];
  const take = (line) => {
    lines.push(line);
    onLine(line);
  };
  const common = isa === undefined ? [] : ['--isa', isa];
  const most = Math.max(...threads);
  for (let round = 1; round <= rounds; round++) {
    await runLines([program, '--limits', '--threads', String(most), ...common], take);
    for (const count of threads) {
      const args = ['--threads', String(count), '--round', String(round)];
      if (only !== '') args.push('--only', only);
      if (quick) args.push('--quick');
      const cpus = availableParallelism();
      for (const precision of options.precisions) {
        const own = ['--reference', ...common, '--precision', precision];
        await runLines(pinned([program, ...args, ...own], count, cpus), take);
      }
      for (const { command, env } of peers) {
        await runLines(pinned([...command, ...args], count, cpus), take, {
          ...process.env,
          ...env,
        });
      }
    }
  }
  return lines;
}
