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
import { readScenarios } from '../lib/scenario/read.js';
import { writeScenarioBundle, writeScenarios } from '../lib/scenario/write.js';
import { errorOf, readContent, tinyRows, tinyScenario } from './support/tiny-scenario.js';

const drivingData = join(import.meta.dirname, '../../shared/driving-data');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wam-scenarios-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

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
    // Compared as text: number by number would take seconds.
    const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
    for (const row of rows('recordings')) {
      for (const [i, track] of recordings.get(row.recording_id)!.tracks.entries()) {
        const { start, n, ...source } = row.tracks[i];
        expect([track.start, track.x.length]).toEqual([start, n]);
        for (const name of ['x', 'y', 'heading', 'vx', 'vy'] as const) {
          expect(same([...track[name]], source[name])).toBe(true);
        }
      }
    }
    for (const row of rows('maps')) {
      for (const [i, { id, center, left, right, stopLine }] of maps
        .get(row.map_id)!
        .lanes.entries()) {
        const lane = row.lanes[i];
        expect(id).toBe(lane.id);
        expect(
          same(
            [center, left, right, stopLine],
            [lane.center, lane.left, lane.right, lane.stop_line],
          ),
        ).toBe(true);
      }
    }
    expect(windows.map(({ id, t0, route }) => [id, t0, route])).toEqual(
      rows('windows').map((row) => [row.id, row.t0, row.route_lanes]),
    );
  });

  it('survives being written and read again', async () => {
    const [once, twice] = [join(folder, 'once'), join(folder, 'twice-read')];
    const all = await readScenarios(drivingData);
    // The val recordings: a fifth of the data.
    const isVal = ({ split }: { split: string }) => split === 'val';
    const recordings = new Map([...all.recordings].filter(([, recording]) => isVal(recording)));
    const maps = new Map([...recordings.values()].map(({ map }) => [map.id, map]));
    await writeScenarios(once, { maps, recordings, windows: all.windows.filter(isVal) });
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
    expect(rowsOf('windows')).toEqual(plain(rows('windows').filter(isVal)));
    const [recording] = rows('recordings').filter(isVal);
    expect(rowsOf('recordings')[0]).toEqual(plain(recording));
    expect(rowsOf('maps')[0]).toEqual(
      plain(rows('maps').find((row) => row.map_id === recording.map_id)),
    );
  });
});
