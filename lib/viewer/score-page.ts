import figures from './browser/score/figures.html?text';
import keys from './browser/score/keys.html?text';
import script from './browser/score/main.ts?script';
import styles from './browser/score/page.css?text';
import sliders from './browser/score/sliders.html?text';
import type { PageInfo } from './case.js';
import type { ScoreCase } from './score-case.js';
import { renderShell } from './shell.js';

const kDefaults: PageInfo = { title: 'wam-flow scores', subtitle: '' };

/**
 * One self-contained HTML page of scored scenes: map, objects over time, trajectories by the colour of their score,
 * what the simulator drove, and where marks were lost. It loads nothing, and names from files stay text.
 *
 * @param cases of `scoreCaseFromScene`, in the order of the list; at least one
 * @param info title and subtitle
 */
export function renderScorePage(cases: readonly ScoreCase[], info: Partial<PageInfo> = {}): string {
  return renderShell({
    figures,
    sliders,
    keys,
    list: 'Scenes',
    hint: 'Drag to move, wheel or plus and minus to zoom, arrow keys change trajectory and time.',
    styles,
    script,
    data: { ...kDefaults, ...info, cases },
  });
}
