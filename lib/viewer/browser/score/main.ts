import type { ScoreCase, ScorePageData } from '../../score-case.js';
import { type CaseEntry, CaseList } from '../case-list.js';
import { showPlaying, showSlider } from '../controls.js';
import { byId, element } from '../dom.js';
import { horizon } from '../geometry.js';
import { attachKeys } from '../keys.js';
import { Legend } from '../legend.js';
import { Stage } from '../stage.js';
import { Details } from './details.js';
import { boundsOf, distanceTo, focusOf } from './geometry.js';
import { type Flag, flagAt } from './place-flags.js';
import { drawScene } from './scene.js';
import {
  chosenOf,
  failureTimes,
  type Layer,
  type SortKey,
  sortedOrder,
  type View,
} from './state.js';
import { nameOf, ScoreTable } from './table.js';

const kLayers: readonly (readonly [Layer, string])[] = [
  ['chosen', 'Driven'],
  ['planned', 'Planned'],
  ['failures', 'Lost marks'],
  ['others', 'Other trajectories'],
  ['reference', 'PDM-Closed'],
  ['proposals', 'Its proposals'],
  ['human', 'Recorded driver'],
  ['traffic', 'Traffic'],
  ['route', 'Route'],
];
/** A click this near (pixels) to a line chooses it. */
const kReach = 10;

const data = JSON.parse(byId('data').textContent ?? '') as ScorePageData;
const { cases } = data;
const view: View = {
  caseIndex: 0,
  chosen: 0,
  failure: null,
  time: 0,
  playing: false,
  sort: 'score',
  descending: true,
  hidden: new Set(['proposals']),
};
const time = byId<HTMLInputElement>('time');
let flags: Flag[] = [];
let marked: unknown = null;

const list = new CaseList(cases.map(entryOf), 'scene', 'score', showCase);
const table = new ScoreTable(choose, sortBy);
const details = new Details(showFailure);
const legend = new Legend(kLayers, toggleLayer);
const stage = new Stage({
  bounds: () => {
    const focus = focusOf(current(), chosenOf(current(), view), view.failure);
    return focus ? { bounds: focus, most: 24 } : { bounds: boundsOf(current()) };
  },
  reset: () => {
    view.failure = null;
  },
  insets: (narrow) => ({ top: 60, right: narrow ? 16 : 60, bottom: 60, left: narrow ? 16 : 32 }),
  advance: (seconds) => {
    if (!view.playing) return false;
    view.time = Math.min(horizon, view.time + seconds);
    view.playing = view.time < horizon;
    return view.playing;
  },
  draw: () => {
    showState();
    flags = drawScene(stage.canvas, current(), view, stage.camera);
  },
  clicked,
});

function current(): ScoreCase {
  return cases[view.caseIndex] as ScoreCase;
}

function showCase(index: number): void {
  if (index < 0 || index >= cases.length) return;
  view.caseIndex = index;
  view.chosen = 0;
  view.failure = null;
  seek(0);
  stage.fit();
}

function choose(index: number): void {
  if (index < 0 || index >= current().trajectories.length) return;
  view.chosen = index;
  view.failure = null;
  stage.follow();
}

/** The trajectory `by` lines further down the table. */
function step(by: number): void {
  const order = sortedOrder(current(), view.sort, view.descending);
  const next = order[order.indexOf(view.chosen) + by];
  if (next !== undefined) choose(next);
}

function sortBy(key: SortKey): void {
  view.descending = view.sort === key ? !view.descending : true;
  view.sort = key;
  stage.redraw();
}

/** Goes to the time and place of a lost mark; one that is at no one time (progress) is seen at the end. */
function showFailure(index: number): void {
  const failure = chosenOf(current(), view)?.failures[index];
  if (!failure) return;
  seek(failure.step === null ? horizon : failure.step / 10);
  view.failure = index;
  stage.follow();
}

function leaveFailure(): void {
  view.failure = null;
  stage.follow();
}

/** The next (1) or previous (-1) lost mark after the one that was chosen last. */
function stepFailure(by: 1 | -1): void {
  const chosen = chosenOf(current(), view);
  if (!chosen) return;
  const marks = failureTimes(chosen);
  const at = marks.findIndex(({ index }) => index === view.failure);
  const next = at < 0 ? marks.at(by > 0 ? 0 : -1) : marks[at + by];
  if (next) showFailure(next.index);
}

function seek(seconds: number): void {
  view.playing = false;
  view.time = Math.min(horizon, Math.max(0, Math.round(seconds * 10) / 10));
  stage.redraw();
}

function togglePlay(): void {
  view.playing = !view.playing;
  if (view.playing && view.time >= horizon) view.time = 0;
  stage.redraw();
}

function toggleLayer(layer: Layer): void {
  if (!view.hidden.delete(layer)) view.hidden.add(layer);
  stage.redraw();
}

function clicked(px: number, py: number): void {
  const flag = flagAt(flags, px, py);
  if (flag) {
    showFailure(flag.failure);
    return;
  }
  if (view.hidden.has('others')) return;
  const at = stage.camera.toWorld(px, py);
  let least = kReach / stage.camera.scale;
  let nearest = -1;
  current().trajectories.forEach(({ rollout }, i) => {
    const distance = distanceTo(rollout, at);
    if (distance < least) [nearest, least] = [i, distance];
  });
  choose(nearest);
}

function showState(): void {
  const item = current();
  const chosen = chosenOf(item, view);
  list.show(view.caseIndex);
  byId('case-title').textContent = item.id;
  byId('case-facts').textContent = factsOf(item);
  // First the details: their height decides which lines of the table are in sight.
  details.show(item, chosen, view.failure);
  table.show(item, view);
  legend.show(view.hidden, absentLayers(item));
  if (marked !== chosen) {
    marked = chosen;
    byId('time-marks').replaceChildren(
      ...(chosen ? failureTimes(chosen) : []).map(({ index, time: at }) => {
        const forgiven = chosen?.failures[index]?.forgiven ?? false;
        const mark = element('i', forgiven ? { class: 'forgiven' } : {});
        mark.style.setProperty('--share', String(at / horizon));
        return mark;
      }),
    );
  }
  const seconds = view.time.toFixed(1);
  showSlider(time, view.time, view.time / horizon, `${seconds} seconds after now`);
  byId('time-text').textContent = `${seconds} s of ${horizon} s`;
  showPlaying(view.playing);
  const name = chosen ? nameOf(chosen.label, chosen.id) : 'no trajectory';
  const label = `Map of ${item.id}: ${name} at ${seconds} s`;
  if (stage.canvas.getAttribute('aria-label') !== label) {
    stage.canvas.setAttribute('aria-label', label);
  }
}

/** `v2 · reactive traffic · 8.3 m/s · 14 objects`. */
function factsOf(item: ScoreCase): string {
  const n = item.agents.length;
  const traffic = item.traffic === 'reactive' ? ['reactive traffic'] : [];
  const objects = `${n} ${n === 1 ? 'object' : 'objects'}`;
  return [`rules ${item.version}`, ...traffic, `${item.speed.toFixed(1)} m/s`, objects].join(' · ');
}

function entryOf(item: ScoreCase): CaseEntry {
  const scores = item.trajectories.map(({ score }) => score);
  const text = (value: number): string => (scores.length === 0 ? '–' : value.toFixed(2));
  return {
    group: item.group,
    id: item.id,
    facts: `${item.speed.toFixed(1)} m/s`,
    columns: ['worst', 'best'],
    numbers: [text(Math.min(...scores)), text(Math.max(...scores))],
  };
}

function absentLayers(item: ScoreCase): Set<Layer> {
  const absent = new Set<Layer>();
  if (item.trajectories.length < 2) absent.add('others');
  if (item.human.length === 0) absent.add('human');
  if (item.agents.length === 0) absent.add('traffic');
  return absent;
}

byId('title').textContent = data.title;
byId('subtitle').textContent = data.subtitle;
time.addEventListener('input', () => seek(Number(time.value)));
byId('play').addEventListener('click', togglePlay);
attachKeys({
  ...stage.keys(),
  ' ': togglePlay,
  ArrowLeft: () => seek(view.time - 0.1),
  ArrowRight: () => seek(view.time + 0.1),
  ',': () => seek(view.time - 0.1),
  '.': () => seek(view.time + 0.1),
  ArrowUp: () => step(-1),
  ArrowDown: () => step(1),
  n: () => stepFailure(1),
  p: () => stepFailure(-1),
  Escape: leaveFailure,
  PageUp: () => showCase(view.caseIndex - 1),
  PageDown: () => showCase(view.caseIndex + 1),
});
stage.start();
