import script from './browser/curves/main.ts?script';
import styles from './browser/curves/page.css?text';
import markup from './browser/curves/page.html?text';
import shellStyles from './browser/shell.css?text';
import type { PageInfo } from './case.js';
import { curvesOf, type RunLines } from './curves.js';
import { renderDocument } from './document.js';

const kDefaults: PageInfo = { title: 'wam-flow curves', subtitle: '' };

/**
 * One self-contained HTML page with the curves of training runs: a chart for each quantity, smoothing, logarithmic axes,
 * values under the pointer. It loads nothing, and names from files stay text.
 *
 * @param runs in the order of the legend; at least one
 * @param info title and subtitle
 */
export function renderCurvesPage(runs: readonly RunLines[], info: Partial<PageInfo> = {}): string {
  return renderDocument({
    markup,
    styles: `${shellStyles}\n${styles}`,
    script,
    data: { ...kDefaults, ...info, ...curvesOf(runs) },
  });
}
