import type { PageInfo, PlanCase } from '../case.js';
import { Camera } from './camera.js';
import { CaseList, factsOf } from './case-list.js';
import { byId } from './dom.js';
import { ErrorChart } from './error-chart.js';
import { Figures } from './figures.js';
import { boundsOf, horizon, planAt } from './geometry.js';
import { attachGestures } from './gestures.js';
import { attachKeys } from './keys.js';
import { Legend } from './legend.js';
import { Playback } from './playback.js';
import { drawScene } from './scene.js';
import { caseOf, type Layer, lastStep, type View } from './state.js';
import { startTheme, toggleTheme } from './theme.js';

const data = JSON.parse(byId('data').textContent ?? '') as PageInfo & { cases: PlanCase[] };
const { cases } = data;
const view: View = {
  caseIndex: 0,
  planIndex: 0,
  refinement: 0,
  time: 0,
  playing: false,
  hidden: new Set(),
};
const camera = new Camera();
const playback = new Playback(view);
const canvas = byId<HTMLCanvasElement>('map' as const);
const refinement = byId<HTMLInputElement>('refinement');
const time = byId<HTMLInputElement>('time');
const still = matchMedia('(prefers-reduced-motion: reduce)');
/** The view moves with the case until someone moves it by hand. */
let framed = false;
let pending = 0;
let drawnAt = 0;

const list = new CaseList(cases, showCase);
const figures = new Figures(showPlan, (step) => seek(step, 0));
const chart = new ErrorChart();
const legend = new Legend(toggleLayer);

function showCase(index: number): void {
  if (index < 0 || index >= cases.length) return;
  view.caseIndex = index;
  view.planIndex = Math.min(view.planIndex, caseOf(cases, view).plans.length - 1);
  seek(lastStep(cases, view), 0);
  fitView();
}

function showPlan(index: number): void {
  if (index < 0 || index >= caseOf(cases, view).plans.length) return;
  view.planIndex = index;
  seek(lastStep(cases, view), view.time);
}

function seek(step: number, seconds: number): void {
  view.playing = false;
  view.refinement = Math.min(lastStep(cases, view), Math.max(0, Math.round(step)));
  view.time = Math.min(horizon, Math.max(0, seconds));
  redraw();
}

function togglePlay(): void {
  if (view.playing) view.playing = false;
  else playback.start(lastStep(cases, view));
  redraw();
}

function toggleLayer(layer: Layer): void {
  if (!view.hidden.delete(layer)) view.hidden.add(layer);
  redraw();
}

function zoom(factor: number): void {
  camera.zoomAt(camera.width / 2, camera.height / 2, factor);
  framed = true;
  redraw();
}

/** Frames the case; the long way of a plan runs along the long side of the map. */
function fitView(): void {
  framed = false;
  camera.rotation = camera.height > 1.05 * camera.width ? Math.PI / 2 : 0;
  frame();
  redraw();
}

function frame(): void {
  const narrow = camera.width < 620;
  const side = narrow ? 20 : 64;
  camera.fit(boundsOf(caseOf(cases, view)), { top: 64, right: side, bottom: 72, left: side });
}

function turn(): void {
  camera.rotation = camera.rotation === 0 ? Math.PI / 2 : 0;
  if (!framed) frame();
  redraw();
}

function redraw(): void {
  if (pending === 0) pending = requestAnimationFrame(draw);
}

function draw(now: number): void {
  pending = 0;
  if (view.playing) {
    // A tab that slept must not jump.
    playback.advance(Math.min(0.1, (now - drawnAt) / 1000), lastStep(cases, view), still.matches);
    redraw();
  }
  drawnAt = now;
  showState();
  drawScene(canvas, cases, view, camera);
}

function showState(): void {
  const item = caseOf(cases, view);
  const plan = item.plans[view.planIndex];
  const last = lastStep(cases, view);
  const step = Math.round(view.refinement);
  list.show(view.caseIndex);
  byId('case-title').textContent = item.id;
  byId('case-facts').textContent = factsOf(item);
  if (plan) {
    figures.show(item, plan, view.refinement);
    const poses = planAt(plan.refinements, view.refinement);
    chart.show(item, plan.refinements[0] ?? [], poses, view.time);
    byId('error-first').hidden = last === 0;
  }
  legend.show(view.hidden, absentLayers(item, last, plan?.samples.length ?? 0));

  const name = step === last ? 'final plan' : step === 0 ? 'first guess' : '';
  const text = `step ${step + 1} of ${last + 1}${name ? `, ${name}` : ''}`;
  refinement.max = String(last);
  refinement.value = String(step);
  refinement.disabled = last === 0;
  refinement.setAttribute('aria-valuetext', text);
  byId('refinement-text').textContent = text;
  setFill(refinement, last === 0 ? 1 : view.refinement / last);
  time.value = String(view.time);
  time.setAttribute('aria-valuetext', `${view.time.toFixed(1)} seconds after now`);
  byId('time-text').textContent = view.time === 0 ? 'now' : `+${view.time.toFixed(1)} s`;
  setFill(time, view.time / horizon);

  byId('play-text').textContent = view.playing ? 'Pause' : 'Play';
  byId('play-icon').setAttribute(
    'd',
    view.playing ? 'M7 5h3.5v14H7zM13.5 5H17v14h-3.5z' : 'M8 5l11 7-11 7z',
  );
  const label = `Map of ${item.id}: ${factsOf(item)}; plan at ${text}, ${view.time.toFixed(1)} s`;
  if (canvas.getAttribute('aria-label') !== label) canvas.setAttribute('aria-label', label);
  showScale();
}

function absentLayers(item: PlanCase, last: number, samples: number): Set<Layer> {
  const absent = new Set<Layer>();
  if (last === 0) absent.add('guesses');
  if (samples < 2) absent.add('samples');
  if (item.ego.future.length === 0) absent.add('human');
  if (item.agents.length === 0) absent.add('traffic');
  if (!item.lanes.some((lane) => lane.onRoute)) absent.add('route');
  return absent;
}

/** A round number of metres about 90 pixels long. */
function showScale(): void {
  const length = [1, 2, 5, 10, 20, 50, 100].findLast((m) => m * camera.scale <= 110) ?? 1;
  byId('scale-bar').style.width = `${(length * camera.scale).toFixed(1)}px`;
  byId('scale-text').textContent = `${length} m`;
}

function setFill(input: HTMLInputElement, share: number): void {
  input.style.setProperty('--share', `${(100 * share).toFixed(2)}%`);
}

function resize(): void {
  const { clientWidth, clientHeight } = byId('stage');
  const ratio = window.devicePixelRatio || 1;
  const first = camera.width === 1;
  camera.width = Math.max(1, clientWidth);
  camera.height = Math.max(1, clientHeight);
  canvas.width = Math.round(camera.width * ratio);
  canvas.height = Math.round(camera.height * ratio);
  if (first || !framed) fitView();
  else redraw();
}

byId('title').textContent = data.title;
byId('subtitle').textContent = data.subtitle;
refinement.addEventListener('input', () => seek(Number(refinement.value), view.time));
time.addEventListener('input', () => seek(view.refinement, Number(time.value)));
byId('play').addEventListener('click', togglePlay);
byId('zoom-in').addEventListener('click', () => zoom(1.4));
byId('zoom-out').addEventListener('click', () => zoom(1 / 1.4));
byId('fit').addEventListener('click', fitView);
byId('turn').addEventListener('click', turn);
byId('theme').addEventListener('click', toggleTheme);
const keys = byId<HTMLDialogElement>('keys');
byId('help').addEventListener('click', () => keys.showModal());
attachGestures(canvas, camera, () => {
  framed = true;
  redraw();
});
attachKeys({
  ' ': togglePlay,
  ArrowLeft: () => seek(Math.ceil(view.refinement) - 1, view.time),
  ArrowRight: () => seek(Math.floor(view.refinement) + 1, view.time),
  ArrowUp: () => showCase(view.caseIndex - 1),
  ArrowDown: () => showCase(view.caseIndex + 1),
  ',': () => seek(view.refinement, view.time - 0.1),
  '.': () => seek(view.refinement, view.time + 0.1),
  '+': () => zoom(1.4),
  '=': () => zoom(1.4),
  '-': () => zoom(1 / 1.4),
  f: fitView,
  r: turn,
  d: toggleTheme,
  '?': () => keys.showModal(),
  ...Object.fromEntries(
    Array.from({ length: 9 }, (_, i) => [String(i + 1), () => showPlan(i)] as const),
  ),
});
startTheme(redraw);
new ResizeObserver(resize).observe(byId('stage'));
// The first plan that has something to refine, if there is one.
showPlan(Math.max(0, cases[0]?.plans.findIndex(({ refinements }) => refinements.length > 1) ?? 0));
