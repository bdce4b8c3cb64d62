import figures from './browser/plans/figures.html?text';
import keys from './browser/plans/keys.html?text';
import script from './browser/plans/main.ts?script';
import styles from './browser/plans/page.css?text';
import sliders from './browser/plans/sliders.html?text';
import type { PageInfo, PlanCase } from './case.js';
import { renderShell } from './shell.js';

const kDefaults: PageInfo = { title: 'wam-flow plans', subtitle: '' };

/**
 * One self-contained HTML page that shows every case on its map and the refinement of its plans. It loads nothing, and
 * names from files stay text.
 *
 * @param cases in the order of the list; at least one
 * @param info title and subtitle
 */
export function renderPlansPage(cases: readonly PlanCase[], info: Partial<PageInfo> = {}): string {
  return renderShell({
    figures,
    sliders,
    keys,
    list: 'Cases',
    hint: 'Drag to move, wheel or plus and minus to zoom, arrow keys change case and step.',
    styles,
    script,
    data: { ...kDefaults, ...info, cases },
  });
}
