import { getEventListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { native } from '../lib/native.js';
import { PdmScorer } from '../lib/sim/pdm-scorer.js';
import { runChild } from './support/child.js';
import { busyRoad, variedDrives } from './support/scored-traffic.js';

/** Takes some 100 ms and more. */
const kMany = variedDrives(8000);
const kFew = variedDrives(3);
const counts = () => native().counters();

describe('score', () => {
  test('the event loop turns while a large batch is scored', async () => {
    await using scorer = new PdmScorer(busyRoad());
    let turns = 0;
    let done = false;
    const turn = () => {
      turns++;
      if (!done) setImmediate(turn);
    };
    turn();
    const started = performance.now();
    const { scores } = await scorer.score(kMany);
    done = true;
    const tookMs = performance.now() - started;
    expect(scores).toHaveLength(8000);
    // A blocked loop would have made a handful; a free one makes thousands a second.
    expect(turns).toBeGreaterThan(Math.max(50, tookMs / 10));
  });

  test('the thread begins with the first call that needs it and ends with close', async () => {
    const before = counts();
    const scorer = new PdmScorer(busyRoad());
    scorer.scoreSync(kFew);
    expect(counts().threads).toBe(before.threads);
    const many = [scorer.score(kFew), scorer.score(kFew), scorer.score(kFew)];
    for (const scores of await Promise.all(many)) expect(scores).toEqual(scorer.scoreSync(kFew));
    // A thread counts itself once it runs, so this is known only after its first result.
    expect(counts().threads).toBe(before.threads + 1);
    await scorer.close();
    expect(counts()).toMatchObject({ threads: before.threads, jobs: before.jobs });
  });

  test('scoreSync waits for the call that runs', async () => {
    await using scorer = new PdmScorer(busyRoad());
    const running = scorer.score(kMany);
    const queued = scorer.score(kFew);
    expect(scorer.scoreSync(kFew)).toEqual(await queued);
    expect((await running).n).toBe(8000);
  });

  test('the caller may change its array at once', async () => {
    await using scorer = new PdmScorer(busyRoad());
    const mine = kFew.slice();
    const pending = scorer.score(mine);
    mine.fill(0);
    expect(await pending).toEqual(scorer.scoreSync(kFew));
  });
});

describe('abort', () => {
  test('before, while waiting and while running: rejects with the reason, the scorer goes on', async () => {
    await using scorer = new PdmScorer(busyRoad());
    const reason = new Error('not needed');
    await expect(scorer.score(kFew, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controllers = [new AbortController(), new AbortController()];
    const [first, second] = controllers.map(({ signal }) => scorer.score(kMany, { signal }));
    const last = scorer.score(kFew);
    controllers[1]!.abort(reason);
    await expect(second).rejects.toBe(reason);
    await delay(5);
    const stopped = performance.now();
    controllers[0]!.abort(reason);
    await expect(first).rejects.toBe(reason);
    const waited = performance.now() - stopped;
    expect(await last).toEqual(scorer.scoreSync(kFew));
    // 64 trajectories at most are finished first, of 8000.
    const started = performance.now();
    scorer.scoreSync(kMany);
    expect(waited).toBeLessThan((performance.now() - started) / 2);
    expect(counts().jobs).toBe(0);
    for (const { signal } of controllers) expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('a signal that is aborted afterwards changes nothing', async () => {
    await using scorer = new PdmScorer(busyRoad());
    const controller = new AbortController();
    const scores = await scorer.score(kFew, { signal: controller.signal });
    controller.abort();
    expect(scores.n).toBe(3);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });
});

describe('close', () => {
  test('while scoring: pending calls reject with ERR_CLOSED, nothing is left', async () => {
    const before = counts();
    const scorer = new PdmScorer(busyRoad(), { threads: 2 });
    const pending = Promise.allSettled([kMany, kMany, kFew].map((drives) => scorer.score(drives)));
    await Promise.all([scorer.close(), scorer.close()]);
    const rejected = { status: 'rejected', reason: { code: 'ERR_CLOSED' } };
    expect(await pending).toMatchObject([rejected, rejected, rejected]);
    expect(counts()).toMatchObject({ threads: before.threads, jobs: 0 });
  });

  test('afterwards everything rejects with ERR_CLOSED', async () => {
    for (const isStarted of [false, true]) {
      const scorer = new PdmScorer(busyRoad());
      if (isStarted) await scorer.score(kFew);
      const closing = scorer.close();
      const error = expect.objectContaining({ code: 'ERR_CLOSED' });
      await expect(scorer.score(kFew)).rejects.toEqual(error);
      await closing;
      await scorer.close();
      await expect(scorer.score(kFew)).rejects.toEqual(error);
      await expect(scorer.scoreRollouts(new Float64Array(451))).rejects.toEqual(error);
      expect(() => scorer.scoreSync(kFew)).toThrow(error);
      expect(() => scorer.scoreRolloutsSync(new Float64Array(451))).toThrow(error);
      expect(() => scorer.reference).toThrow(error);
      expect(() => scorer.bytes).toThrow(error);
      expect(() => scorer.reactiveTracks(new Float64Array(451))).toThrow(error);
    }
  });
});

test('scenes with one map object share the native map', () => {
  // Counted by call: collected maps of other tests go away at any time.
  const made = vi.spyOn(native(), 'createSimMap');
  const scene = busyRoad();
  const other = { ...busyRoad(), map: scene.map };
  const scorers = [
    new PdmScorer(scene),
    new PdmScorer(other),
    new PdmScorer(scene, { version: 'v1' }),
  ];
  expect(made).toHaveBeenCalledTimes(1);
  made.mockRestore();
  for (const scorer of scorers) void scorer.close();
});

// Over the built package, in processes of their own.
test('worker threads that end in the middle of a call leave nothing behind', async () => {
  const ended = await runChild('scorer-storm');
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  const left = JSON.parse(ended.stdout);
  expect(left).toMatchObject({ scored: 4, terminated: 9, environments: 1, threads: 0, jobs: 0 });
  expect(left).toMatchObject({ scorers: 0, simMaps: 0 });
}, 120_000);

test('unreachable scorers are collected with their threads; an idle one lets the process end', async () => {
  const ended = await runChild('scorer-unclosed', [], ['--expose-gc']);
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  expect(JSON.parse(ended.stdout)).toMatchObject({ scorers: 1, simMaps: 1, threads: 1, jobs: 0 });
}, 120_000);
