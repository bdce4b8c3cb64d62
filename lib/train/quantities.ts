// What the figures of a run are called, their units, and which way is better. A field that is not named here is shown
// under its own name: stages may add fields without a change here.

/** How a figure is shown. */
export interface Quantity {
  /** `step` or another type of event, and the name in `figuresOf`. */
  group: string;
  name: string;
  /** `held-out ADE` */
  label: string;
  /** `m`; empty for shares, scores and what has none. */
  unit: string;
  /** Which values are good; undefined where neither is. */
  better?: 'low' | 'high';
}

type Known = readonly [label: string, unit: string, better?: 'low' | 'high'];

const kKnown: Readonly<Record<string, Known>> = {
  loss: ['loss', '', 'low'],
  gradNorm: ['gradient norm', ''],
  lr: ['learning rate', ''],
  orderViolations: ['wrong order', '', 'low'],
  updatesPerSecond: ['updates', '1/s'],
  windowsPerSecond: ['windows', '1/s'],
  conversationsPerSecond: ['conversations', '1/s'],
  tripletLoss: ['triplet loss', '', 'low'],
  secondsLeft: ['time left', 's'],
  windows: ['windows', ''],
  ade: ['ADE', 'm', 'low'],
  fde: ['FDE', 'm', 'low'],
  minAde: ['minADE', 'm', 'low'],
  reward: ['reward', '', 'high'],
  best: ['best of group', '', 'high'],
  heldBack: ['held-back reward', '', 'high'],
  pdms: ['PDMS', '', 'high'],
  epdms: ['EPDMS', '', 'high'],
  nc: ['NC', '', 'high'],
  dac: ['DAC', '', 'high'],
  ttc: ['TTC', '', 'high'],
  ep: ['EP', '', 'high'],
  c: ['comfort', '', 'high'],
  diversity: ['diversity', 'm'],
  kl: ['KL', 'nats'],
  spread: ['spread in a group', ''],
  uneven: ['groups with a spread', ''],
  medianReward: ['reward of one step', '', 'high'],
  medianAde: ['ADE of one step', 'm', 'low'],
  clipped: ['clipped', ''],
};

/** How the figure `name` of events of type `group` is shown. Letter case does not matter: `NC` and `nc` are one. */
export function quantityOf(group: string, name: string): Quantity {
  const known = kKnown[name] ?? kKnown[name.toLowerCase()];
  const [label, unit, better] = known ?? [spelled(name), name.startsWith('seconds') ? 's' : ''];
  return { group, name, label, unit, ...(better && { better }) };
}

/** Figures that say how fast a run is or how large a trial was: nothing to follow by its curve. */
const kBookkeeping: ReadonlySet<string> = new Set([
  'step/secondsLeft',
  'step/updatesPerSecond',
  'eval/windows',
]);

/** Whether a figure is worth a row or a curve. */
export function isFollowed(group: string, name: string): boolean {
  return !kBookkeeping.has(`${group}/${name}`);
}

/** `holdOutScore` as `hold out score`, `seconds/rollout` as `rollout`. */
function spelled(name: string): string {
  const words = name.replace(/^seconds\//, '').replace(/([a-z0-9])([A-Z])/g, '$1 $2');
  return words.replaceAll('/', ' ').replaceAll('_', ' ').toLowerCase();
}

/** A value to about four digits: `0.0012`, `3.142`, `1,234,567`, `1.2e-5`. */
export function formatFigure(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return '0';
  if (size < 1e-3 || size >= 1e7) return value.toExponential(2);
  if (size >= 1e4) return Math.round(value).toLocaleString('en-US');
  return value.toPrecision(4);
}
