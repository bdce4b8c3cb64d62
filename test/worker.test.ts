import { afterAll, beforeAll, expect, test } from 'vitest';
import { runChild } from './support/child.js';
import { checkpointFolder } from './support/small-planner.js';

let folder: Awaited<ReturnType<typeof checkpointFolder>>;
beforeAll(async () => {
  folder = await checkpointFolder();
});
afterAll(() => folder.remove());

test('100 worker threads ended in the middle of their work leave nothing behind', async () => {
  const ended = await runChild('worker-storm', [folder.directory]);
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  const left = JSON.parse(ended.stdout);
  expect(left['in a plan']).toBeGreaterThanOrEqual(33);
  expect(left).toMatchObject({ loading: 67, exit: 33 });
  expect(left).toMatchObject({
    environments: 1,
    threads: 0,
    engines: 0,
    models: 0,
    maps: 0,
    jobs: 0,
  });
}, 300_000);

test('an idle planner that was not closed lets the process end', async () => {
  expect(await runChild('unclosed', [folder.directory, 'idle'])).toEqual({
    code: 0,
    signal: null,
    stdout: '',
    stderr: '',
  });
});

test('a pending plan keeps the process alive until it is there', async () => {
  expect(await runChild('unclosed', [folder.directory, 'pending'])).toEqual({
    code: 0,
    signal: null,
    stdout: 'steps 64\n',
    stderr: '',
  });
});

test('process.exit in the middle of a plan ends cleanly', async () => {
  const ended = await runChild('unclosed', [folder.directory, 'exit']);
  expect(ended).toMatchObject({ code: 0, signal: null, stdout: 'step 1\n', stderr: '' });
});

test('a planner that becomes unreachable is collected with its thread', async () => {
  const ended = await runChild('unclosed', [folder.directory, 'gc'], ['--expose-gc']);
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(ended.stdout)).toMatchObject({ engines: 0, threads: 0, models: 0, jobs: 0 });
});
