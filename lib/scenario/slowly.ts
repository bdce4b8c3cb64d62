import { setImmediate } from 'node:timers/promises';

// The event loop gets a turn at least this often while a large folder is read or written.
const kSliceMs = 8;

/** Goes through `items` in slices, so that timers and sockets of the process go on meanwhile. */
export async function slowly<T>(
  items: Iterable<T>,
  work: (item: T) => void = () => {},
): Promise<void> {
  let until = performance.now() + kSliceMs;
  for (const item of items) {
    work(item);
    if (performance.now() < until) continue;
    await setImmediate();
    until = performance.now() + kSliceMs;
  }
}

/** Runs a generator to its end in slices, and gives what it returns. */
export async function finishSlowly<R>(steps: Iterator<unknown, R>): Promise<R> {
  for (let until = performance.now() + kSliceMs; ; ) {
    const { done, value } = steps.next();
    if (done) return value;
    if (performance.now() < until) continue;
    await setImmediate();
    until = performance.now() + kSliceMs;
  }
}
