import type { PageInfo } from '../../case.js';
import type { SeenCase } from '../../seen-case.js';
import { byId, element } from '../dom.js';
import { attachKeys } from '../keys.js';
import { startTheme, toggleTheme } from '../theme.js';
import { drawMasks } from './masks.js';
import { drawPictures, markPatch } from './pictures.js';
import { drawPlan } from './plan.js';
import { cssColor, patchesAside, sequenceOf, type View } from './state.js';
import { describeToken, drawTokenKeys, drawTokens, positionOf } from './tokens.js';

const data = JSON.parse(byId('data').textContent ?? '') as PageInfo & { cases: SeenCase[] };
const lastStep = (item: SeenCase) => (item.plan?.refinements.length ?? 1) - 1;
const view: View = {
  caseIndex: 0,
  form: 0,
  step: lastStep(data.cases[0]!),
  grid: true,
  path: true,
};
const current = () => data.cases[view.caseIndex]!;

byId('title').textContent = data.title;
byId('subtitle').textContent = data.subtitle;
const thumbs = data.cases.map((item, i) => {
  const image = element('img', { src: item.original.url, alt: '' });
  const button = element(
    'button',
    { type: 'button', title: item.name },
    image,
    element('span', {}, item.name),
  );
  button.addEventListener('click', () => show(i));
  return button;
});
if (data.cases.length > 1) byId('thumbs').append(...thumbs);

function show(index: number): void {
  view.caseIndex = Math.min(data.cases.length - 1, Math.max(0, index));
  view.step = lastStep(current());
  thumbs[view.caseIndex]!.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  draw();
}

function draw(): void {
  const item = current();
  const sequence = sequenceOf(item, view);
  for (const [i, thumb] of thumbs.entries()) {
    if (i === view.caseIndex) thumb.setAttribute('aria-current', 'true');
    else thumb.removeAttribute('aria-current');
  }
  byId('case-title').textContent = item.name;
  const tokens = sequence
    ? `, ${sequence.ids.length.toLocaleString('en-US')} positions of a sequence`
    : '';
  byId('case-facts').textContent = `${item.seen.colors.length} image tokens${tokens}`;
  byId('grid').setAttribute('aria-pressed', String(view.grid));
  byId('path').setAttribute('aria-pressed', String(view.path));
  byId('path').hidden = !item.camera || !(item.plan || item.known);
  drawPictures(item, view, onPatch);
  drawPlan(item, view);
  for (const id of ['sequence-card', 'masks-card']) byId(id).hidden = !sequence;
  onPatch(null);
  if (!sequence) return;
  byId('sequence-facts').textContent = sequence.detail;
  byId('forms').replaceChildren(...item.sequences.map(formButton));
  drawTokens(item, sequence, { onToken, onPatch });
  drawTokenKeys();
  onToken(null);
  drawMasks(item, sequence);
}

function formButton({ label }: { label: string }, i: number): Node {
  const pressed = String(i === Math.min(view.form, current().sequences.length - 1));
  const button = element('button', { type: 'button', 'aria-pressed': pressed }, label);
  button.addEventListener('click', () => {
    view.form = i;
    draw();
  });
  return button;
}

function onPatch(this: void, patch: number | null): void {
  const item = current();
  markPatch(item, patch);
  if (patch === null) {
    byId('patch-text').textContent = 'Point at a patch to see which token it becomes.';
    return;
  }
  const aside = patchesAside(item);
  const at = positionOf(sequenceOf(item, view), patch);
  const where = at === undefined ? '' : `, position ${at} of the sequence`;
  byId('patch-text').replaceChildren(
    'patch ',
    element('b', {}, String(patch)),
    `: row ${Math.floor(patch / aside)}, column ${patch % aside}${where}, mean colour ${cssColor(item.seen.colors[patch]!)}`,
  );
}

function onToken(this: void, position: number | null): void {
  const sequence = sequenceOf(current(), view);
  if (position === null || !sequence) {
    byId('token-text').textContent = 'Point at a token to see its position and id.';
  } else byId('token-text').replaceChildren(...describeToken(sequence, position));
}

function setStep(step: number): void {
  view.step = Math.min(lastStep(current()), Math.max(0, step));
  draw();
}

function toggle(name: 'grid' | 'path'): void {
  view[name] = !view[name];
  draw();
}

byId('grid').addEventListener('click', () => toggle('grid'));
byId('path').addEventListener('click', () => toggle('path'));
byId('theme').addEventListener('click', toggleTheme);
byId('step').addEventListener('input', () => setStep(Number(byId<HTMLInputElement>('step').value)));
attachKeys({
  g: () => toggle('grid'),
  w: () => toggle('path'),
  d: toggleTheme,
  ArrowRight: () => setStep(view.step + 1),
  ArrowLeft: () => setStep(view.step - 1),
  '.': () => show(view.caseIndex + 1),
  ',': () => show(view.caseIndex - 1),
});
// The masks take their colours from the style sheet.
startTheme(draw);
