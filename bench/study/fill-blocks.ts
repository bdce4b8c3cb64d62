/**
 * A page with what stands between `<!-- name -->` and `<!-- /name -->` replaced by the block of that name; blocks that the
 * page has no place for are left out.
 */
export function fillBlocks(page: string, blocks: Readonly<Record<string, string>>): string {
  let filled = page;
  for (const [name, block] of Object.entries(blocks)) {
    const [from, to] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const begins = filled.indexOf(from);
    const ends = filled.indexOf(to);
    if (begins < 0 || ends < begins) continue;
    filled = `${filled.slice(0, begins + from.length)}\n${block}\n${filled.slice(ends)}`;
  }
  return filled;
}
