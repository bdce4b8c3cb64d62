// Plans from pictures: what the small vision-language model of the package would drive, from the front view, the command
// and the ego's state alone. With --html a page shows what it sees, token by token, and its plan in the picture.
//
//   node examples/plan-from-pictures.mjs [--data DIR] [--model DIR] [--count 8] [--html out/plans.html]
//
// Pictures are rendered from scenarios (default: those of the package). Your own camera's pictures go the same way.

import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  CameraRenderer,
  planConversation,
  readScenarios,
  renderSeenPage,
  seenCase,
  VlaPlanner,
} from 'wam-flow';

const { values: flags } = parseArgs({
  options: {
    data: { type: 'string', default: fileURLToPath(new URL('.', import.meta.url)) },
    model: { type: 'string', default: 'vla-mini' },
    count: { type: 'string', default: '8' },
    html: { type: 'string' },
  },
});

const planner = await VlaPlanner.load(flags.model, { device: 'cpu' });
const side = planner.model.config.vision.image_size;
const camera = new CameraRenderer({ width: side, height: side });
const { windows: all } = await readScenarios(flags.data);
const count = Math.min(Number(flags.count), all.length);
const windows = Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]);
const { rgb } = await camera.render(windows);
const pixels = 3 * side * side;

const cases = [];
for (const [i, window] of windows.entries()) {
  // What the ego knows of itself, in the words of its training; `waypoints` is what was driven then.
  const { fields, waypoints } = planConversation(window);
  const image = { data: rgb.subarray(i * pixels, (i + 1) * pixels), width: side, height: side };
  const began = performance.now();
  const { trajectory } = await planner.planView({ images: [image], fields });
  const ms = performance.now() - began;
  const [x, y] = trajectory.slice(-2);
  const off = waypoints
    ? `, ${meanDistance(trajectory, waypoints).toFixed(2)} m from the driver`
    : '';
  console.log(
    `${window.id}: ${fields.command}, ${fields.vx} m/s; in 4 s at ${x.toFixed(1)}, ${y.toFixed(1)} m${off}; ${ms.toFixed(0)} ms`,
  );
  if (!flags.html) continue;
  const mount = { fovDeg: 64, heightM: 1.6, pitchDeg: 5, forwardM: 0.4 };
  const shown = { name: window.id, image, fields, planner, camera: mount };
  cases.push(await seenCase(waypoints ? { ...shown, known: waypoints } : shown));
}
if (flags.html) await writeFile(flags.html, renderSeenPage(cases, { subtitle: flags.model }));
await Promise.all([planner.close(), camera.close()]);

/** Mean distance of waypoints x1, y1, x2, ... */
function meanDistance(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 2) sum += Math.hypot(a[i] - b[i], a[i + 1] - b[i + 1]);
  return (2 * sum) / a.length;
}
