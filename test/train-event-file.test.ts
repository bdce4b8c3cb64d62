import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readScenarios } from '../lib/scenario/read.js';
import { crc32c } from '../lib/train/crc32c.js';
import { scalarsRecord } from '../lib/train/event-records.js';
import { TrainLog } from '../lib/train/log.js';
import { train } from '../lib/train/train.js';
import { bitwiseCrc32c, readEventFile } from './support/event-file-reader.js';
import {
  kExamples,
  kSmallRun,
  logOf,
  temporaryFolder,
  trainAll,
} from './support/small-training.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Event files that hold something, those of earlier parts of a run do not. */
const namesIn = (output: string) =>
  readdirSync(output)
    .filter((name) => /tfevents/.test(name))
    .filter((name) => statSync(join(output, name)).size > 0);

function recordsOf(output: string) {
  const names = namesIn(output);
  expect(names).toHaveLength(1);
  return readEventFile(readFileSync(join(output, names[0]!)));
}

/** What the event file has to say, by the lines of the log. */
function expectedOf(output: string) {
  const tags = {
    step: {
      loss: 'train/loss',
      gradNorm: 'train/grad_norm',
      lr: 'train/learning_rate',
      orderViolations: 'train/order_violations',
      updatesPerSecond: 'train/updates_per_second',
      windowsPerSecond: 'train/windows_per_second',
      secondsLeft: 'train/seconds_left',
    },
    eval: { windows: 'eval/windows', ade: 'eval/ade', fde: 'eval/fde', minAde: 'eval/min_ade' },
  } as const;
  return logOf(output).flatMap((line) => {
    if (line.type !== 'step' && line.type !== 'eval') return [];
    const scalars = Object.entries(tags[line.type]).flatMap(([field, tag]) => {
      const value = (line as unknown as Record<string, number | undefined>)[field];
      return value === undefined ? [] : [[tag, Math.fround(value)]];
    });
    const wallTime = new Date(line.time).getTime() / 1000;
    return [{ wallTime, step: line.step, scalars: Object.fromEntries(scalars) }];
  });
}

describe('CRC-32C', () => {
  it.each([
    ['the check value of the catalogue', Buffer.from('123456789'), 0xe3069283],
    ['32 zeros (RFC 3720)', Buffer.alloc(32), 0x8a9136aa],
    ['32 bytes of ones (RFC 3720)', Buffer.alloc(32, 255), 0x62a8ab43],
    ['0 to 31 (RFC 3720)', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
    ['nothing', Buffer.alloc(0), 0],
  ])('of %s', (_, data, expected) => {
    expect(crc32c(data)).toBe(expected);
    expect(bitwiseCrc32c(data)).toBe(expected);
  });

  it('is that of the bitwise division for every length and byte', () => {
    const data = Buffer.from(Array.from({ length: 600 }, (_, i) => (i * 167 + (i >> 3)) % 256));
    for (let length = 0; length <= data.length; length += 7) {
      const part = data.subarray(length >> 1, length);
      expect(crc32c(part)).toBe(bitwiseCrc32c(part));
    }
  });
});

describe('a record of scalars', () => {
  it('keeps steps and values at their limits, and tags of any letters and length', () => {
    const long = 'a'.repeat(300);
    const scalars = { 'train/loss': -0, 'eval/größe': 1e-40, [long]: 3.4e38, tiny: -1.5 };
    for (const step of [0, 127, 128, 2 ** 31, Number.MAX_SAFE_INTEGER]) {
      const list = Object.entries(scalars).map(([tag, value]) => ({ tag, value }));
      const [event, ...rest] = readEventFile(scalarsRecord(1.75e9 + 0.125, step, list));
      expect(rest).toEqual([]);
      const rounded = Object.entries(scalars).map(([tag, value]) => [tag, Math.fround(value)]);
      expect(event).toEqual({
        wallTime: 1.75e9 + 0.125,
        step,
        scalars: Object.fromEntries(rounded),
      });
    }
  });

  it('is refused by the reader when any of its bits is wrong', () => {
    const record = scalarsRecord(1, 2, [{ tag: 'train/loss', value: 3 }]);
    for (let bit = 0; bit < 8 * record.length; ++bit) {
      const damaged = Buffer.from(record);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => readEventFile(damaged), `bit ${bit}`).toThrow();
    }
  });
});

describe('the event file of a run', () => {
  it('has every figure of the log, of steps and trials, and no name of the host', async () => {
    const output = folder.path('sft');
    const data = await readScenarios(kExamples);
    for (const window of data.windows) {
      window.recording.split = window.recording.id === 'curve' ? 'val' : 'train';
      window.split = window.recording.split;
    }
    await trainAll({ ...kSmallRun, data, splits: ['train'], evalEvery: 6, output });
    const [version, session, ...records] = recordsOf(output);
    expect(version).toMatchObject({ fileVersion: 'brain.Event:2', scalars: {} });
    expect(session).toMatchObject({ session: 1, step: 0 });
    expect(records.filter(({ scalars }) => 'eval/ade' in scalars)).toHaveLength(2);
    expect(records).toEqual(expectedOf(output));
    const [name] = namesIn(output);
    expect(name).toMatch(/^events\.out\.tfevents\.\d{10}\.wam-flow$/);
    expect(readFileSync(join(output, name!)).includes(hostname())).toBe(false);
  });

  it('is written by stage tokenizer too, and not when it is switched off', async () => {
    const run = { stage: 'tokenizer', steps: 20, batch: 16, logEvery: 5 } as const;
    const [on, off] = [folder.path('table'), folder.path('table-off')];
    await trainAll({ ...run, output: on });
    expect(recordsOf(on).slice(2)).toEqual(expectedOf(on));
    expect(expectedOf(on)).toHaveLength(4);
    await trainAll({ ...run, output: off, tensorboard: false });
    expect(namesIn(off)).toEqual([]);
  });

  it.each([0, 1, 'no'])('refuses %s as the switch', async (tensorboard) => {
    const options = { ...kSmallRun, output: folder.path('x'), tensorboard } as never;
    await expect(trainAll(options)).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
  });

  it('says each update once after a run was left, whatever the kill did to its end', async () => {
    const output = folder.path('left');
    for await (const event of train({ ...kSmallRun, output })) {
      if (event.type === 'step' && event.step === 8) break;
    }
    const [before] = namesIn(output);
    // A record that was half written when the process died, and a line.
    appendFileSync(join(output, before!), Buffer.from([40, 0, 0, 0, 0]));
    appendFileSync(join(output, 'train_log.jsonl'), '{"time":"2026-01-01T00:00:00.000Z","ty');
    await trainAll({ ...kSmallRun, output, resume: true });
    const [after] = namesIn(output);
    // TensorBoard reads the files of a folder in the order of their names.
    expect(after! > before!).toBe(true);
    // One that looks at the earlier file waits for it when it is gone.
    expect(statSync(join(output, before!)).size).toBe(0);
    const records = recordsOf(output).slice(2);
    expect(records.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(records).toEqual(expectedOf(output));
  });

  it('is made from the lines alone: they may come from a run without one', async () => {
    const output = folder.path('old');
    mkdirSync(output);
    const time = '2026-01-02T03:04:05.500Z';
    const lines = [
      { time, type: 'start', step: 0, steps: 9 },
      { time, type: 'step', step: 2, steps: 9, reward: 0.5, seconds: { rollout: 2 }, per: [1, 2] },
      { time, type: 'step', step: 4, steps: 9, reward: null },
      { time, type: 'eval', step: 4, split: 'val', heldBack: 0.25 },
      { time, type: 'step', step: 6, steps: 9, reward: 0.75 },
    ];
    writeFileSync(
      join(output, 'train_log.jsonl'),
      lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    );
    await (await TrainLog.open(output, 4, true)).close();
    const wallTime = Date.UTC(2026, 0, 2, 3, 4, 5, 500) / 1000;
    expect(recordsOf(output).slice(2)).toEqual([
      { wallTime, step: 2, scalars: { 'train/reward': 0.5, 'train/seconds/rollout': 2 } },
      { wallTime, step: 4, scalars: { 'eval/held_back': 0.25 } },
    ]);
    await (await TrainLog.open(output, 4, false)).close();
    expect(namesIn(output)).toEqual([]);
  });
});
