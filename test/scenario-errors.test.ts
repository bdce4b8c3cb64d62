import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readScenarios } from '../lib/scenario/read.js';
import {
  bundleText,
  errorOf,
  readContent,
  type TinyRows,
  tinyRows,
  tinyScenario,
} from './support/tiny-scenario.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wam-scenarios-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a file that breaks the format gives ERR_SCENARIO naming row, field, expectation and value', () => {
  const cases: [string, (rows: TinyRows) => void, RegExp][] = [
    [
      'no format',
      ({ map }) => delete map.format,
      /row 1: format: expected an integer from 1 to 1, received nothing/,
    ],
    ['another format', ({ recording }) => (recording.format = 2), /row 2: format: .* received 2/],
    [
      'lane id twice',
      ({ map }) => (map.lanes[2].id = 1),
      /lanes\[2\]\.id: expected an id that no lane before it has, received 1/,
    ],
    [
      'unknown successor',
      ({ map }) => (map.lanes[0].successors = [9]),
      /lanes\[0\]\.successors\[0\]: .* received 9/,
    ],
    [
      'unknown neighbour',
      ({ map }) => (map.lanes[0].left_neighbor = 'x'),
      /lanes\[0\]\.left_neighbor: .* received "x"/,
    ],
    [
      'neighbour without direction',
      ({ map }) => delete map.lanes[0].left_same_direction,
      /left_same_direction: expected true or false, received nothing/,
    ],
    [
      'borders of unequal length',
      ({ map }) => map.lanes[1].left.pop(),
      /lanes\[1\]\.left: expected an array of 26 to 26 items, received an array of length 25/,
    ],
    [
      'a point of one number',
      ({ map }) => (map.lanes[1].center[3] = [1]),
      /lanes\[1\]\.center\[3\]: expected \[x, y\] in metres/,
    ],
    [
      'text as coordinate',
      ({ map }) => (map.lanes[1].center[3][1] = 'a'),
      /lanes\[1\]\.center\[3\]\[1\]: expected a number .* received "a"/,
    ],
    [
      'a lane of one place',
      ({ map }) => map.lanes[0].center.fill([1, 1]),
      /lanes\[0\]\.center: expected a line of positive length/,
    ],
    [
      'a far coordinate',
      ({ map }) => (map.drivable_area[0].exterior[0][0] = 1e9),
      /drivable_area\[0\]\.exterior\[0\]\[0\]: .*100000000, received 1000000000/,
    ],
    [
      'unknown map',
      ({ recording }) => (recording.map_id = 'no'),
      /row 2: map_id: expected the id of a map .* received "no"/,
    ],
    [
      'dt that does not divide',
      ({ recording }) => (recording.dt = 0.3),
      /dt: expected seconds that divide 0\.5, received 0\.3/,
    ],
    [
      'NaN written as null',
      ({ recording }) => (recording.tracks[1].x[7] = null),
      /tracks\[1\]\.x\[7\]: expected a number of magnitude at most 100000000, received null/,
    ],
    [
      'unequal arrays',
      ({ recording }) => recording.tracks[1].vy.pop(),
      /tracks\[1\]\.vy: expected an array of 65 numbers, received an array of length 64/,
    ],
    [
      'a track beyond the end',
      ({ recording }) => (recording.tracks[1].n = 66),
      /tracks\[1\]\.n: expected an integer from 1 to 65, received 66/,
    ],
    [
      'a track out of order',
      ({ recording }) => (recording.tracks[1].id = 2),
      /tracks\[1\]\.id: expected an integer from 1 to 1, received 2/,
    ],
    [
      'absurd steps',
      ({ recording }) => (recording.steps = 1e12),
      /steps: expected an integer from 1 to 1000000/,
    ],
    [
      'a box without length',
      ({ recording }) => (recording.tracks[0].length = 0),
      /tracks\[0\]\.length: expected a number from 0\.1 to 100, received 0/,
    ],
    [
      'impossible speed',
      ({ recording }) => (recording.tracks[0].vx[2] = 1e300),
      /tracks\[0\]\.vx\[2\]: .*200, received 1e\+300/,
    ],
    [
      'signal of an unknown lane',
      ({ recording }) => (recording.signals[0].lanes = [8]),
      /signals\[0\]\.lanes\[0\]: .* received 8/,
    ],
    [
      'unknown colour',
      ({ recording }) => (recording.signals[0].states[1][2] = 'blue'),
      /signals\[0\]\.states\[1\]: .*blue/,
    ],
    [
      'signal state beyond the end',
      ({ recording }) => (recording.signals[0].states[1][1] = 81),
      /signals\[0\]\.states\[1\]: .*<= 80/,
    ],
    [
      'dangling window',
      ({ window }) => (window.recording_id = 'gone'),
      /row 3: recording_id: expected the id of a recording .* received "gone"/,
    ],
    [
      'map of another recording',
      ({ window }) => (window.map_id = 'other'),
      /map_id: expected "tiny", the map of its recording/,
    ],
    [
      'ego out of range',
      ({ window }) => (window.ego = 3),
      /ego: expected an integer from 0 to 2, received 3/,
    ],
    [
      'present outside the track',
      ({ window }) => Object.assign(window, { ego: 1, t0: 10 }),
      /t0: expected a step at which track 1 is valid \(15 to 79\), received 10/,
    ],
    [
      'history before the track',
      ({ window }) => (window.history = 26),
      /history: expected an integer from 0 to 25, received 26/,
    ],
    [
      'future beyond the track',
      ({ window }) => (window.future = 55),
      /future: expected an integer from 0 to 54, received 55/,
    ],
    [
      'unknown command',
      ({ window }) => (window.command = 'up'),
      /command: expected left, straight, right or unknown, received "up"/,
    ],
    [
      'route over an unknown lane',
      ({ window }) => (window.route_lanes = [1, 7]),
      /route_lanes\[1\]: .* received 7/,
    ],
    [
      'a row that is no row',
      (rows) => (rows.window = [1]),
      /row 3: row: expected an object, received an array of length 1/,
    ],
    [
      'a row of no kind',
      (rows) => (rows.window = { id: 'x' }),
      /row 3: expected a map \(lanes\), a recording \(tracks\) or a window \(ego\)/,
    ],
  ];

  it.each(cases)('%s', async (_, change, message) => {
    const error = await errorOf(tinyScenario(change));
    expect(error.code).toBe('ERR_SCENARIO');
    expect(error.message).toMatch(/^tiny\.jsonl\.gz, row [123]/);
    expect(error.message).toMatch(message);
  });

  it.each([
    ['NaN', 'NaN', /row 4: expected one JSON object/],
    ['infinite lanes', '{"lanes": 1e999}', /row 4: format/],
    ['text', '"text"', /row 4: row: expected an object/],
    ['very deep JSON', '['.repeat(200_000), /row 4: expected one JSON object/],
  ])('a row of %s', async (_, row, message) => {
    const error = await errorOf(readContent(`${bundleText(tinyRows())}${row}\n`));
    expect(error.code).toBe('ERR_SCENARIO');
    expect(error.message).toMatch(message);
  });

  it('ids that come twice', async () => {
    const { map, recording, window } = tinyRows();
    for (const [twice, field] of [
      [map, 'map_id'],
      [recording, 'recording_id'],
      [window, 'id'],
    ] as const) {
      const text = `${bundleText(tinyRows())}${JSON.stringify(twice)}\n`;
      expect((await errorOf(readContent(text))).message).toContain(
        `row 4: ${field}: expected an id that no row before has`,
      );
    }
  });

  it('truncated and damaged gzip files', async () => {
    const packed = gzipSync(bundleText(tinyRows()));
    const damaged = Buffer.from(packed);
    damaged[packed.length >> 1] ^= 0xff;
    for (const bytes of [packed.subarray(0, packed.length - 1), packed.subarray(0, 40), damaged]) {
      const error = await errorOf(readContent(bytes));
      expect(error.code).toBe('ERR_SCENARIO');
      expect(error.message).toMatch(/expected a whole gzip file/);
    }
  });

  it('a file that swells beyond the limit', async () => {
    const bomb = gzipSync(Buffer.alloc(1 << 22, 0x20));
    expect(bomb.length).toBeLessThan(10_000);
    const error = await errorOf(readContent(bomb, { maxBytes: 1 << 20 }));
    expect(error.code).toBe('ERR_SCENARIO');
    expect(error.message).toMatch(
      /expected at most 1048576 bytes, received more once decompressed/,
    );
    expect((await errorOf(readContent(bundleText(tinyRows()), { maxBytes: 100 }))).message).toMatch(
      /expected at most 100 bytes, received \d+/,
    );
  });

  it('text that is not UTF-8', async () => {
    const bytes = Buffer.from(bundleText(tinyRows()));
    bytes[bytes.indexOf('test road')] = 0xff;
    expect((await errorOf(readContent(bytes))).message).toMatch(/row 1: expected one JSON object/);
  });

  it('folders without scenarios, with a part missing, and paths that do not exist', async () => {
    const empty = mkdtempSync(join(folder, 'empty-'));
    expect(await errorOf(readScenarios(empty))).toMatchObject({ code: 'ERR_SCENARIO' });
    writeFileSync(join(empty, 'maps.jsonl'), '');
    expect((await errorOf(readScenarios(empty))).message).toMatch(
      /has maps\.jsonl but no recordings\.jsonl/,
    );
    expect(await errorOf(readScenarios(join(empty, 'nothing')))).toMatchObject({ code: 'ERR_IO' });
  });
});
