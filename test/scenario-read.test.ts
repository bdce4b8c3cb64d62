import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { readScenarios } from '../lib/scenario/read.js';
import { writeScenarioBundle, writeScenarios } from '../lib/scenario/write.js';
import {
  bundleText,
  readContent,
  type TinyRows,
  tinyRows,
  tinyScenario,
} from './support/tiny-scenario.js';

const drivingData = join(import.meta.dirname, '../../shared/driving-data');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wam-scenarios-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function errorOf(promise: Promise<unknown>): Promise<WamFlowError> {
  const error = await promise.then(
    () => new Error('nothing was thrown'),
    (e: unknown) => e,
  );
  if (!(error instanceof WamFlowError)) throw error;
  return error;
}

describe('reading scenarios', () => {
  it('joins windows, recordings and maps of a bundle', async () => {
    const { maps, recordings, windows } = await tinyScenario();
    expect(windows).toHaveLength(1);
    expect(windows[0].recording).toBe(recordings.get('tiny-1'));
    expect(windows[0].recording.map).toBe(maps.get('tiny'));
    expect(windows[0]).toMatchObject({ ego: 0, t0: 25, command: 'straight', route: [1, 2] });
    const [lane] = maps.get('tiny')!.lanes;
    expect(lane).toMatchObject({ leftNeighbor: 3, leftSameDirection: true, successors: [2] });
    expect(windows[0].recording.signals[1].states).toEqual([{ from: 10, to: 80, color: 'yellow' }]);
  });

  it('takes a folder of three files, of bundles, plain text, and gzip files one after the other', async () => {
    const { map, recording, window } = tinyRows();
    const row = (value: unknown) => `${JSON.stringify(value)}\n`;
    const three = mkdtempSync(join(folder, 'three-'));
    writeFileSync(join(three, 'maps.jsonl'), row(map));
    writeFileSync(join(three, 'recordings.jsonl.gz'), gzipSync(row(recording)));
    writeFileSync(join(three, 'windows.jsonl'), row(window));
    const bundles = mkdtempSync(join(folder, 'bundles-'));
    writeFileSync(join(bundles, 'a.jsonl'), row(recording) + row(window));
    writeFileSync(join(bundles, 'b.jsonl.gz'), gzipSync(row(map)));
    writeFileSync(join(bundles, 'README.md'), 'not a scenario');
    const joined = join(folder, 'joined.jsonl.gz');
    writeFileSync(joined, gzipSync(row(window)));
    appendFileSync(joined, gzipSync(row(map)));
    appendFileSync(joined, gzipSync(row(recording)));
    for (const path of [three, bundles, joined]) {
      expect((await readScenarios(path)).windows.map(({ id }) => id)).toEqual(['tiny-1-e0-t25']);
    }
  });

  it('lets optional fields be absent', async () => {
    const { windows, maps } = await tinyScenario(({ map, recording, window }) => {
      for (const lane of map.lanes) {
        delete lane.type;
        delete lane.markings;
        delete lane.speed_limit;
      }
      delete map.drivable_area;
      for (const name of ['signals', 'removed_vehicles', 'source', 'source_files'])
        delete recording[name];
      for (const name of ['lane_change', 'turn_deg', 'v0', 'path_4s', 'agents_40m'])
        delete window[name];
    });
    expect(windows[0]).toMatchObject({ laneChange: null, turnDeg: null, v0: null });
    expect(maps.get('tiny')!.lanes[0]).toMatchObject({ speedLimit: null, markings: [null, null] });
    expect(windows[0].recording.signals).toEqual([]);
  });

  it('lets the event loop run meanwhile', async () => {
    const { map, recording, window } = tinyRows();
    const rows = Array.from({ length: 400 }, (_, i) =>
      JSON.stringify({ ...recording, recording_id: `r${i}` }),
    );
    const text = [map, { ...window, recording_id: 'r7' }].map((row) => JSON.stringify(row));
    let turns = 0;
    let reading = true;
    const turn = () => {
      if (!reading) return;
      ++turns;
      setImmediate(turn);
    };
    setImmediate(turn);
    const { recordings } = await readContent(gzipSync([...text, ...rows].join('\n')));
    reading = false;
    expect(recordings.size).toBe(400);
    expect(turns).toBeGreaterThan(3);
  });
});

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

describe('writing scenarios', () => {
  it('gives back what was read, from a folder and from a bundle', async () => {
    const data = await tinyScenario();
    const out = join(folder, 'made', 'by', 'the writer');
    await writeScenarios(out, data);
    await writeScenarioBundle(join(out, 'bundle', 'all.jsonl.gz'), data);
    expect(await readScenarios(out)).toEqual(data);
    expect(await readScenarios(join(out, 'bundle'))).toEqual(data);
  });

  it('writes the same bytes for the same data, and leaves no temporary file', async () => {
    const out = join(folder, 'twice');
    const read = () =>
      readdirSync(out).map((name) => [name, readFileSync(join(out, name)).toString('hex')]);
    await writeScenarios(out, await tinyScenario());
    const before = read();
    await writeScenarios(out, await tinyScenario());
    expect(read()).toEqual(before);
    expect(before.map(([name]) => name)).toEqual([
      'maps.jsonl.gz',
      'recordings.jsonl.gz',
      'windows.jsonl.gz',
    ]);
  });

  it('says so when a file cannot be written', async () => {
    const file = join(folder, 'a file');
    writeFileSync(file, '');
    expect(await errorOf(writeScenarios(file, await tinyScenario()))).toMatchObject({
      code: 'ERR_IO',
    });
  });
});

describe.skipIf(!existsSync(drivingData))('the driving data (skipped without ../shared)', () => {
  const rows = (name: string) =>
    gunzipSync(readFileSync(join(drivingData, `${name}.jsonl.gz`)))
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));

  it('is read whole, number for number', async () => {
    const { maps, recordings, windows } = await readScenarios(drivingData);
    expect([maps.size, recordings.size, windows.length]).toEqual([32, 32, 3888]);
    expect(windows.filter(({ split }) => split === 'val')).toHaveLength(292);
    const ids = new Set(windows.map(({ recording, ego }) => `${recording.id} ${ego}`));
    expect(ids.size).toBe(648);
    for (const row of rows('recordings')) {
      const recording = recordings.get(row.recording_id)!;
      expect(
        recording.tracks.map((track) => [
          track.start,
          [...track.x],
          [...track.heading],
          [...track.vy],
        ]),
      ).toEqual(
        row.tracks.map((track: TinyRows['recording']) => [
          track.start,
          track.x,
          track.heading,
          track.vy,
        ]),
      );
    }
    for (const row of rows('maps')) {
      const lanes = maps.get(row.map_id)!.lanes;
      expect(lanes.map(({ id, center, stopLine }) => [id, center, stopLine])).toEqual(
        row.lanes.map((lane: TinyRows['map']) => [lane.id, lane.center, lane.stop_line]),
      );
    }
    expect(windows.map(({ id, t0, route }) => [id, t0, route])).toEqual(
      rows('windows').map((row) => [row.id, row.t0, row.route_lanes]),
    );
  });

  it('survives being written and read again', async () => {
    const [once, twice] = [join(folder, 'once'), join(folder, 'twice-read')];
    await writeScenarios(once, await readScenarios(drivingData));
    await writeScenarios(twice, await readScenarios(once));
    for (const name of readdirSync(once)) {
      expect(readFileSync(join(twice, name)).equals(readFileSync(join(once, name)))).toBe(true);
    }
    // Nothing that the format has is lost: the rows are those of the source, but for -0 and colours without a name here.
    const rowsOf = (name: string) =>
      JSON.parse(
        `[${gunzipSync(readFileSync(join(once, `${name}.jsonl.gz`)))
          .toString()
          .trim()
          .replaceAll('\n', ',')}]`,
      );
    const plain = (value: unknown) =>
      JSON.parse(JSON.stringify(value).replaceAll('inactive', 'unknown'));
    expect(rowsOf('windows')).toEqual(plain(rows('windows')));
    expect(rowsOf('recordings')[1]).toEqual(plain(rows('recordings')[1]));
    expect(rowsOf('maps')[5]).toEqual(plain(rows('maps')[5]));
  });
});
