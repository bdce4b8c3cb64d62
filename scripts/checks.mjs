// Named checks that go on after a failure, with times, and the closing line of counts.

import { spawnSync } from 'node:child_process';
import { closingLine } from './totals.mjs';

export class Checks {
  #counts = { passed: 0, failed: 0, skipped: 0 };

  /** Runs `body`; true when it did not throw. What it returns is printed behind the name. */
  check(name, body) {
    const start = performance.now();
    try {
      const note = body();
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      console.log(`ok    ${name} (${seconds} s)${note ? `: ${note}` : ''}`);
      this.#counts.passed++;
      return true;
    } catch (error) {
      console.log(`FAIL  ${name}\n${String(error.message).replace(/^/gm, '      ')}`);
      this.#counts.failed++;
      return false;
    }
  }

  skip(name, why) {
    console.log(`skip  ${name}: ${why}`);
    this.#counts.skipped++;
  }

  /** Prints the totals and ends the process by them. */
  close() {
    console.log(closingLine(this.#counts));
    process.exit(this.#counts.failed === 0 ? 0 : 1);
  }
}

/** Runs a program to its end; throws with its output when it fails, else returns what it printed. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26, ...options });
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`;
  if (result.error) throw result.error;
  if (result.status !== 0) {
    throw new Error(
      `${command} ${args.join(' ')}: ${result.signal ?? `status ${result.status}`}\n${output}`,
    );
  }
  return { stdout: result.stdout, stderr: result.stderr };
}

export function expect(condition, message) {
  if (!condition) throw new Error(message);
}
