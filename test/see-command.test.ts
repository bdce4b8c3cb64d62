import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seeCommand } from '../lib/cli/see.js';
import { writeImage } from '../lib/index.js';
import { JanusFolder } from './support/janus-folder.js';
import { runCommand } from './support/run-command.js';

const folder = mkdtempSync(join(tmpdir(), 'wam-flow-see-'));
const models = new JanusFolder();
const page = join(folder, 'out', 'seen.html');
const [first, second] = ['a.png', 'b.png'].map((name) => join(folder, name)) as [string, string];
let model: string;

beforeAll(async () => {
  model = await models.withTokenizer();
  const picture = (seed: number) => ({
    data: Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => (i * seed) % 256),
    ...{ width: 40, height: 30 },
  });
  await writeImage(first, picture(7));
  await writeImage(second, picture(31));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  models.remove();
});

const run = (...args: string[]) => runCommand(seeCommand(), [...args, '--html', page]);

/** What the page was given. */
function written() {
  const html = readFileSync(page, 'utf8');
  return JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html)![1]!);
}

test('plans from pictures and writes the page', async () => {
  const state = ['--command', 'left', '--velocity', '8.34,-0.02', '--steps', '2', '--json'];
  const { html, images } = JSON.parse(await run(first, second, '--model', model, ...state));
  expect(html).toBe(page);
  expect(images).toHaveLength(2);
  expect(images[0]).toMatchObject({
    name: 'a.png',
    width: 40,
    height: 30,
    placement: { left: 0, top: 1, width: 12, height: 9 },
    imageTokens: 9,
    plan: { complete: true, problems: [] },
  });
  expect(images[0].plan.refinements).toHaveLength(2);
  const { cases, title } = written();
  expect(title).toBe('wam-flow see');
  expect(cases.map(({ name }: { name: string }) => name)).toEqual(['a.png', 'b.png']);
  expect(cases[0].plan).toEqual(images[0].plan);
  // The wording of this package, with its words for a command.
  const said = cases[0].sequences[0].texts.join('');
  expect(said).toContain('Command: turn left. Velocity: 8.34,-0.02. Acceleration: 0.00,0.00.');
  expect(cases[0].sequences[0].mask).toBe('full');
});

test('shows the sequence with a tokenizer alone, in words of one own', async () => {
  const words = ['--prompt', 'see <image_placeholder> go {command}', '--system', 'SYSTEM'];
  const text = await run(first, '--tokenizer', model, ...words, '--mask', 'prefix');
  expect(text).toMatch(
    /^a\.png: 40 x 30, 384 x 288 of 384 x 384, 9 image tokens, \d+ positions\n$/,
  );
  const [{ sequences, plan }] = written().cases;
  expect(plan).toBeNull();
  expect(sequences[0].mask).toBe('prefix');
  expect(sequences[0].texts.join('')).toMatch(/SYSTEM\n\nUser: see .* go straight\n\nAssistant:/s);
});

test('of a picture alone, with given waypoints in the generated camera', async () => {
  await run(first, '--known', '1,0,2.5,-0.25', '--camera', 'generated');
  const [{ sequences, known, camera }] = written().cases;
  expect(sequences).toEqual([]);
  expect(known).toEqual([1, 0, 2.5, -0.25]);
  expect(camera).toEqual({ fovDeg: 64, heightM: 1.6, pitchDeg: 5, forwardM: 0.4 });
});

test.each([
  [['--known', '1,2,3'], 'ERR_USAGE'],
  [['--known', '1,x'], 'commander.invalidArgument'],
  [['--camera', '64,1.6,5'], 'commander.invalidArgument'],
  [['--camera', '200,1.6,5,0'], 'commander.invalidArgument'],
  [['--velocity', '1'], 'commander.invalidArgument'],
  [['--mask', 'half'], 'commander.invalidArgument'],
  [['--system', 'words'], 'ERR_USAGE'],
] as const)('%j is refused', async (args, code) => {
  rmSync(page, { force: true });
  await expect(run(first, ...args)).rejects.toMatchObject({ code });
  expect(existsSync(page)).toBe(false);
});
