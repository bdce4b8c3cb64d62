import type { CurvesData } from '../../curves.js';
import { showSlider } from '../controls.js';
import { byId, element } from '../dom.js';
import { attachKeys } from '../keys.js';
import { startTheme, toggleTheme } from '../theme.js';
import { Chart } from './chart.js';

const data = JSON.parse(byId('data').textContent ?? '') as CurvesData;
const smoothing = byId<HTMLInputElement>('smoothing');
const hidden = new Set<number>();
const view = { smoothing: 0.6, log: false, hidden };
const lastStep = data.charts.reduce(
  (last, { curves }) => Math.max(last, ...curves.map(({ steps }) => steps.at(-1) ?? 0)),
  1,
);

const charts = data.charts.map((chart, i) => new Chart(chart, i, pointAt));
byId('title').textContent = data.title;
byId('subtitle').textContent = data.subtitle;
byId('charts').append(...charts.map(({ node }) => node));
const legend = data.runs.map(({ name, facts }, run) => {
  const swatch = element('i', { class: `swatch run-${run % 8}` });
  const button = element(
    'button',
    { type: 'button', title: name },
    swatch,
    element('span', {}, name),
  );
  button.append(element('small', {}, facts));
  button.addEventListener('click', () => {
    if (!hidden.delete(run)) hidden.add(run);
    draw();
  });
  return button;
});
byId('runs').append(...legend);

function draw(): void {
  const { smoothing: fade, log } = view;
  showSlider(smoothing, fade, fade / Number(smoothing.max), fade.toFixed(2));
  byId('smoothing-text').textContent = fade === 0 ? 'off' : fade.toFixed(2);
  byId('log').setAttribute('aria-pressed', String(log));
  for (const [run, button] of legend.entries()) {
    button.setAttribute('aria-pressed', String(!hidden.has(run)));
  }
  for (const chart of charts) chart.draw(view, lastStep);
}

/** Marks an update in every chart, and says what the one under the pointer has there. */
function pointAt(this: void, step: number | null, event: PointerEvent): void {
  for (const chart of charts) chart.point(step);
  const readout = byId('readout');
  const chart = charts.find(({ node }) => node.contains(event.target as Node));
  readout.hidden = step === null || !chart;
  if (step === null || !chart) return;
  const rows = chart
    .readingsAt(step)
    .map(({ run, step: at, value, raw }) =>
      element(
        'div',
        {},
        element('i', { class: `swatch run-${run % 8}` }),
        element('span', {}, data.runs[run].name),
        element('b', {}, valueText(value)),
        element('small', {}, detailText(at === step ? undefined : at, raw)),
      ),
    );
  readout.replaceChildren(element('p', {}, `update ${step.toLocaleString('en-US')}`), ...rows);
  // Beside the pointer, on the side where there is room.
  const { innerWidth, innerHeight } = window;
  const { offsetWidth, offsetHeight } = readout;
  const right = event.clientX + 16;
  const left = right + offsetWidth < innerWidth ? right : event.clientX - 16 - offsetWidth;
  const top = Math.min(event.clientY + 14, innerHeight - offsetHeight - 8);
  readout.style.transform = `translate(${Math.max(8, left)}px, ${Math.max(8, top)}px)`;
}

/** The value before smoothing, and the update where it is another one. */
function detailText(at: number | undefined, raw: number | undefined): string {
  const where = at === undefined ? '' : `at ${at.toLocaleString('en-US')}`;
  return [raw === undefined ? '' : valueText(raw), where].filter(Boolean).join(' ');
}

function valueText(value: number): string {
  const size = Math.abs(value);
  return value !== 0 && (size < 1e-3 || size >= 1e7)
    ? value.toExponential(2)
    : value.toPrecision(4);
}

function toggleLog(): void {
  view.log = !view.log;
  draw();
}

smoothing.addEventListener('input', () => {
  view.smoothing = Number(smoothing.value);
  draw();
});
byId('log').addEventListener('click', toggleLog);
byId('theme').addEventListener('click', toggleTheme);
attachKeys({ l: toggleLog, d: toggleTheme });
startTheme(() => undefined);
new ResizeObserver(draw).observe(byId('charts'));
