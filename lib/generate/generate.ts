import { setImmediate } from 'node:timers/promises';
import type { ScenarioData } from '../scenario/types.js';
import { addExperts } from './expert.js';
import { checkOptions, type GenerateOptions } from './options.js';
import { type GeneratedScene, sceneInSteps } from './scene.js';

const kSliceMs = 8; // the event loop gets a turn at least this often, about

/**
 * Generates scenes, one after the other, until they have given the wanted number of windows (docs/generator.md).
 * Nothing of earlier scenes is kept, so the number is not limited by memory.
 *
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_RANGE`; the signal's reason when it aborts.
 */
export async function* generateScenes(
  options: GenerateOptions = {},
): AsyncGenerator<GeneratedScene> {
  const { windows, request, expert, signal } = checkOptions(options);
  let left = windows;
  for (let index = 0; left > 0; ++index) {
    const scene = await run(sceneInSteps({ ...request, index }), signal);
    left -= scene.windows.length;
    if (left < 0) scene.windows.length += left;
    if (expert) await addExperts(scene.windows, signal);
    yield scene;
  }
}

/**
 * Generates scenarios in memory, in the form that {@link readScenarios} gives: about 1 MB for every 3 scenes.
 *
 * @throws as {@link generateScenes}.
 */
export async function generateScenarios(options: GenerateOptions = {}): Promise<ScenarioData> {
  const scenes: GeneratedScene[] = [];
  for await (const scene of generateScenes(options)) scenes.push(scene);
  return joinScenes(scenes);
}

/** Scenes as one set of scenarios. */
export function joinScenes(scenes: readonly GeneratedScene[]): ScenarioData {
  return {
    maps: new Map(scenes.map(({ map }) => [map.id, map])),
    recordings: new Map(scenes.map(({ recording }) => [recording.id, recording])),
    windows: scenes.flatMap(({ windows }) => windows),
  };
}

/** Runs a generator to its end in slices. */
async function run<T>(work: Generator<void, T>, signal: AbortSignal | undefined): Promise<T> {
  let until = performance.now() + kSliceMs;
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    if (performance.now() < until) continue;
    await setImmediate();
    signal?.throwIfAborted();
    until = performance.now() + kSliceMs;
  }
}
