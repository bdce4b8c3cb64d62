// Alignment of vision-language models: what it learns from, that it goes on to the same bits, what it refuses.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AlignVlaOptions,
  alignVla,
  generateScenarios,
  readVlaSettings,
  type ScenarioData,
  type TrainEvent,
  VlaPlanner,
} from '../lib/index.js';
import { advantagesOf, groupExample, isEven } from '../lib/vla-train/align-rollouts.js';
import { JanusFolder } from './support/janus-folder.js';
import { tinyVla } from './support/tiny-vla.js';

const folder = new JanusFolder();
let scratch: string;
let model: string;
let data: ScenarioData;
let runs = 0;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'wam-align-'));
  model = await tinyVla(folder, {}, 4);
  data = await generateScenarios({ windows: 12, seed: 5 });
});
afterAll(() => {
  folder.remove();
  rmSync(scratch, { recursive: true, force: true });
});

const options = (change: Partial<AlignVlaOptions> = {}): AlignVlaOptions => ({
  model,
  data,
  splits: ['train', 'val'],
  output: join(scratch, String(runs++)),
  ...{ steps: 4, batch: 3, group: 4, rolloutSteps: [1, 2], scenes: 5, lr: 1e-3, warmup: 0 },
  ...{ threads: 1, logEvery: 1, checkpointEvery: 2, tensorboard: false },
  ...change,
});

async function eventsOf(run: AlignVlaOptions): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of alignVla(run)) events.push(event);
  return events;
}

const weightsOf = (directory: string) => readFileSync(join(directory, 'model.safetensors'));

describe('alignVla', () => {
  it('draws groups, judges them and moves the weights, and leaves a model that plans', async () => {
    const run = options();
    const events = await eventsOf(run);
    const steps = events.filter((event) => event.type === 'step');
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    for (const { reward, best, spread, uneven, kl, diversity, loss } of steps) {
      for (const share of [reward, best, spread, uneven]) {
        expect(share).toBeGreaterThanOrEqual(0);
        expect(share).toBeLessThanOrEqual(1);
      }
      expect(best).toBeGreaterThanOrEqual(reward!);
      expect(diversity).toBeGreaterThan(0);
      expect(Number.isFinite(kl) && Number.isFinite(loss)).toBe(true);
    }
    // The first plans are those of the start.
    expect(steps[0]!.kl).toBeCloseTo(0, 5);
    expect(weightsOf(run.output).equals(weightsOf(model))).toBe(false);
    expect((await readVlaSettings(run.output))!.stages.at(-1)).toBe('align');
    await using planner = await VlaPlanner.load(run.output, { threads: 1 });
    expect(planner.waypoints).toBe(8);
    expect(readdirSync(run.output).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('goes on to the same bits after it was stopped', async () => {
    const whole = options();
    await eventsOf(whole);
    const stopping = new AbortController();
    const first = options({ signal: stopping.signal });
    for await (const event of alignVla(first)) {
      if (event.type === 'step' && event.step === 3) stopping.abort();
    }
    const { model: _, signal: __, ...rest } = first;
    const events = await eventsOf({ ...rest, resume: true });
    expect(events.find(({ type }) => type === 'start')).toMatchObject({ step: 3 });
    expect(weightsOf(first.output).equals(weightsOf(whole.output))).toBe(true);
  });

  it('stays nearer to its start the more the divergence weighs', async () => {
    const lastKl = async (klBeta: number) => {
      const events = await eventsOf(options({ steps: 8, klBeta, lr: 3e-3 }));
      return events.filter((event) => event.type === 'step').at(-1)!.kl!;
    };
    expect(Math.abs(await lastKl(3))).toBeLessThan(Math.abs(await lastKl(0.001)));
  });

  it('refuses what it cannot align', async () => {
    const code = async (change: object) =>
      eventsOf(options(change)).then(
        () => 'no error',
        (error) => error.code,
      );
    expect(await code({ group: 1 })).toBe('ERR_ARGUMENT');
    expect(await code({ nonsense: 1 })).toBe('ERR_ARGUMENT');
    expect(await code({ data: undefined })).toBe('ERR_ARGUMENT');
    expect(await code({ splits: ['nowhere'] })).toBe('ERR_ARGUMENT');
    expect(await code({ trainable: ['nothing'] })).toBe('ERR_CONFIG');
    expect(await code({ model: undefined })).toBe('ERR_ARGUMENT');
    expect(await code({ model: await tinyVla(folder, { wording: null }) })).toBe('ERR_CONFIG');
  });
});

describe('a group', () => {
  it('counts a plan by how much better than the mean it is', () => {
    expect([...advantagesOf(Float64Array.of(1, 0, 0.5, 0.5))]).toEqual([0.5, -0.5, 0, 0]);
    const group = { prompt: { ids: [] }, plan: {} as never };
    expect(isEven({ ...group, rewards: Float64Array.of(0.3, 0.3) })).toBe(true);
    expect(isEven({ ...group, rewards: Float64Array.of(0.3, 0.4) })).toBe(false);
  });

  it('becomes an example that has the tokens, states and log-probabilities of its plans', async () => {
    await using planner = await VlaPlanner.load(model, { threads: 1 });
    const prompt = { ids: [1, 2, 3] };
    for (const steps of [1, 3]) {
      const plan = await planner.plan(prompt, {
        steps,
        samples: 3,
        decode: 'sample',
        rule: 'renoise',
      });
      const rewards = Float64Array.of(0, 0.5, 1);
      const { ids, counted, chains } = groupExample(
        planner,
        { prompt, plan, rewards },
        { clipRatio: 0.1 },
      );
      expect(counted).toHaveLength(ids.length);
      expect(Array.from(counted).filter((mark) => mark !== 0)).toHaveLength(16);
      expect(chains).toMatchObject({ chosen: plan.tokens, states: plan.states, clip: 0.1 });
      expect([...chains.advantage].filter((_, i) => i % 16 === 0)).toEqual([-0.5, 0, 0.5]);
      // At t = 0 the mask token is read, later numbers are.
      const mask = planner.settings!.maskToken!.id;
      expect(plan.states.every((id) => id === mask)).toBe(steps === 1);
    }
  });
});
