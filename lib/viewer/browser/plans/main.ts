import type { PageInfo, PlanCase } from '../../case.js';
import { CaseList } from '../case-list.js';
import { showPlaying, showSlider } from '../controls.js';
import { byId } from '../dom.js';
import { horizon } from '../geometry.js';
import { attachKeys } from '../keys.js';
import { Legend } from '../legend.js';
import { Stage } from '../stage.js';
import { entryOf, factsOf } from './entries.js';
import { ErrorChart } from './error-chart.js';
import { Figures } from './figures.js';
import { boundsOf, planAt } from './geometry.js';
import { Playback } from './playback.js';
import { drawScene } from './scene.js';
import { caseOf, type Layer, lastStep, type View } from './state.js';

const kLayers: readonly (readonly [Layer, string])[] = [
  ['plan', 'Plan'],
  ['guesses', 'Earlier guesses'],
  ['samples', 'Other samples'],
  ['human', 'Recorded driver'],
  ['inertia', 'Constant velocity'],
  ['traffic', 'Traffic'],
  ['route', 'Route'],
];

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
const playback = new Playback(view);
const refinement = byId<HTMLInputElement>('refinement');
const time = byId<HTMLInputElement>('time');
const still = matchMedia('(prefers-reduced-motion: reduce)');

const unit = cases.some((item) => item.ego.future.length > 0) ? 'ADE, m' : '';
const list = new CaseList(cases.map(entryOf), 'case', unit, showCase);
const figures = new Figures(showPlan, (step) => seek(step, 0));
const chart = new ErrorChart();
const legend = new Legend(kLayers, toggleLayer);
const stage = new Stage({
  bounds: () => ({ bounds: boundsOf(caseOf(cases, view)) }),
  insets: (narrow) => ({ top: 64, right: narrow ? 20 : 64, bottom: 72, left: narrow ? 20 : 64 }),
  advance: (seconds) => {
    if (view.playing) playback.advance(seconds, lastStep(cases, view), still.matches);
    return view.playing;
  },
  draw: () => {
    showState();
    drawScene(stage.canvas, cases, view, stage.camera);
  },
});

function showCase(index: number): void {
  if (index < 0 || index >= cases.length) return;
  view.caseIndex = index;
  view.planIndex = Math.min(view.planIndex, caseOf(cases, view).plans.length - 1);
  seek(lastStep(cases, view), 0);
  stage.fit();
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
  stage.redraw();
}

function togglePlay(): void {
  if (view.playing) view.playing = false;
  else playback.start(lastStep(cases, view));
  stage.redraw();
}

function toggleLayer(layer: Layer): void {
  if (!view.hidden.delete(layer)) view.hidden.add(layer);
  stage.redraw();
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
  refinement.disabled = last === 0;
  showSlider(refinement, step, last === 0 ? 1 : view.refinement / last, text);
  byId('refinement-text').textContent = text;
  const seconds = view.time.toFixed(1);
  showSlider(time, view.time, view.time / horizon, `${seconds} seconds after now`);
  byId('time-text').textContent = view.time === 0 ? 'now' : `+${seconds} s`;
  showPlaying(view.playing);
  const label = `Map of ${item.id}: ${factsOf(item)}; plan at ${text}, ${seconds} s`;
  if (stage.canvas.getAttribute('aria-label') !== label) {
    stage.canvas.setAttribute('aria-label', label);
  }
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

byId('title').textContent = data.title;
byId('subtitle').textContent = data.subtitle;
refinement.addEventListener('input', () => seek(Number(refinement.value), view.time));
time.addEventListener('input', () => seek(view.refinement, Number(time.value)));
byId('play').addEventListener('click', togglePlay);
attachKeys({
  ...stage.keys(),
  ' ': togglePlay,
  ArrowLeft: () => seek(Math.ceil(view.refinement) - 1, view.time),
  ArrowRight: () => seek(Math.floor(view.refinement) + 1, view.time),
  ArrowUp: () => showCase(view.caseIndex - 1),
  ArrowDown: () => showCase(view.caseIndex + 1),
  ',': () => seek(view.refinement, view.time - 0.1),
  '.': () => seek(view.refinement, view.time + 0.1),
  ...Object.fromEntries(
    Array.from({ length: 9 }, (_, i) => [String(i + 1), () => showPlan(i)] as const),
  ),
});
stage.start();
// The first plan that has something to refine, if there is one.
showPlan(Math.max(0, cases[0]?.plans.findIndex(({ refinements }) => refinements.length > 1) ?? 0));
