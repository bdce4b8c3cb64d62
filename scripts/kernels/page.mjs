// docs/kernels.md as text.

import { occupancy } from './occupancy.mjs';
import { DEVICES, roofline } from './roofline.mjs';

/**
 * What the report is made of: kernels of the registry joined with what the assembler said of them.
 *
 * @param resources build-cuda/resources.json
 * @param registry build-cuda/registry.json
 * @returns kernels, each with `architectures`: { 80: { registers, spillBytes, occupancy, blocks, limitedBy } }; and
 *   disagreements of the two, one line each
 */
export function joinKernels(resources, registry, normalise) {
  const problems = [];
  const built = new Map(resources.kernels.map((kernel) => [kernel.symbol, kernel]));
  const kernels = [];
  const seen = new Set();
  for (const { symbol: written, ...info } of registry) {
    const symbol = normalise(written);
    const kernel = built.get(symbol);
    if (seen.has(symbol)) problems.push(`${symbol} is listed twice`);
    seen.add(symbol);
    if (!kernel) {
      problems.push(`${symbol} is listed by list_*_kernels, but nothing compiles it`);
      continue;
    }
    const architectures = {};
    for (const [arch, r] of Object.entries(kernel.architectures)) {
      if (Number(arch) < info.min_arch) continue;
      const sharedBytes = info.shared_bytes + r.staticShared;
      architectures[arch] = {
        registers: r.registers,
        spillBytes: r.spillStores + r.spillLoads,
        ...occupancy(Number(arch), { threads: info.threads, registers: r.registers, sharedBytes }),
      };
    }
    kernels.push({ symbol, source: kernel.source, ...info, architectures });
  }
  for (const { symbol, source } of resources.kernels) {
    if (!seen.has(symbol)) problems.push(`${symbol} of ${source} is in no list of list_*_kernels`);
  }
  for (const { entry, arch, spillStores } of resources.spillingFunctions) {
    problems.push(`function ${entry} is not inlined and spills ${spillStores} bytes on sm_${arch}`);
  }
  kernels.sort((a, b) => a.family.localeCompare(b.family) || a.symbol.localeCompare(b.symbol));
  return { kernels, problems };
}

/** Occupancy of the hot kernels, what a later build is compared with. */
export function baselineOf(kernels) {
  const hot = kernels.filter((kernel) => kernel.hot);
  return Object.fromEntries(
    hot.map(({ symbol, architectures }) => [
      symbol,
      Object.fromEntries(Object.entries(architectures).map(([arch, a]) => [arch, a.occupancy])),
    ]),
  );
}

/** Everything that speaks against hot kernels: spills, less occupancy than in the baseline, kernels it does not know. */
export function hotProblems(kernels, baseline) {
  const problems = [];
  const now = baselineOf(kernels);
  for (const { symbol, architectures } of kernels.filter((kernel) => kernel.hot)) {
    for (const [arch, { spillBytes, blocks, occupancy: share }] of Object.entries(architectures)) {
      const where = `${symbol} on sm_${arch}`;
      const before = baseline[symbol]?.[arch];
      if (spillBytes > 0) problems.push(`${where} spills ${spillBytes} bytes`);
      if (blocks === 0) problems.push(`${where} cannot be launched: not one block fits`);
      if (before === undefined) problems.push(`${where} is not in the baseline`);
      else if (share < before) {
        problems.push(`${where}: occupancy ${percent(share)}, it was ${percent(before)}`);
      }
    }
  }
  for (const symbol of Object.keys(baseline)) {
    if (!now[symbol]) problems.push(`${symbol} is in the baseline, but is no hot kernel any more`);
  }
  return problems;
}

const percent = (share) => `${Math.round(share * 1000) / 10} %`;

/** Three significant digits, without an exponent. */
export function short(value) {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 4));
}

function table(headings, rows) {
  const lines = [headings, headings.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function architectureCell(a) {
  if (!a) return '-';
  const spills = a.spillBytes > 0 ? `, **spills ${a.spillBytes} B**` : '';
  return `${a.registers} / ${percent(a.occupancy)}${spills}`;
}

function resourceTable(kernels, archs) {
  return table(
    ['kernel', 'threads', 'shared B', ...archs.map((arch) => `sm_${arch}`)],
    kernels.map((kernel) => [
      `${kernel.hot ? '● ' : ''}\`${kernel.symbol}\``,
      kernel.threads,
      kernel.shared_bytes,
      ...archs.map((arch) => architectureCell(kernel.architectures[arch])),
    ]),
  );
}

function modelTable(kernels) {
  const rows = kernels.flatMap((kernel) =>
    kernel.cases.map((c) => [
      `\`${kernel.symbol}\``,
      c.shape,
      c.blocks,
      short(c.flops / 1e6),
      short(c.bytes / 1e6),
      short(c.flops / c.bytes),
      ...DEVICES.map((device) => {
        const work = { flops: c.flops, bytes: c.bytes, tensorCores: kernel.tensor_cores };
        const { microseconds, bound } = roofline(device, work);
        return `${short(microseconds)} ${bound === 'compute' ? 'c' : 'm'}`;
      }),
    ]),
  );
  const devices = DEVICES.map(({ name }) => `${name}, us`);
  return table(['kernel', 'case', 'blocks', 'MFLOP', 'MB', 'flop/B', ...devices], rows);
}

/** The whole page. */
export function kernelsPage({ kernels, nvcc }) {
  const archs = [...new Set(kernels.flatMap((k) => Object.keys(k.architectures)))].map(Number);
  archs.sort((a, b) => a - b);
  const families = [...new Set(kernels.map(({ family }) => family))];
  const spilling = kernels.filter((k) =>
    Object.values(k.architectures).some(({ spillBytes }) => spillBytes > 0),
  );
  const hot = kernels.filter((kernel) => kernel.hot).length;
  const peaks = DEVICES.map(
    (d) =>
      `${d.name} ${short(d.tensor / 1e12)} TFLOP/s on tensor cores, ${short(d.fp32 / 1e12)} in fp32, ` +
      `${short(d.bandwidth / 1e9)} GB/s`,
  ).join('; ');
  const sections = families.map((family) => {
    const members = kernels.filter((kernel) => kernel.family === family);
    const cases = members.some((kernel) => kernel.cases.length > 0);
    return [`## ${family}`, resourceTable(members, archs), ...(cases ? [modelTable(members)] : [])];
  });
  return `${[
    '# Kernels',
    '<!-- Written by `npm run kernels:report`; do not edit. -->',
    `${kernels.length} kernels, ${hot} of them hot (●: in every step of a plan or of training), as nvcc ${nvcc} assembles them. ` +
      "Nothing on this page was measured on a GPU: registers, spills and shared memory are the assembler's figures, the rest is " +
      'computed from them.',
    'The first table of a family has, for each architecture, **registers of a thread / theoretical occupancy**: the share of ' +
      "a multiprocessor's warps that can be resident, by registers, shared memory, warps and blocks (scripts/kernels/occupancy.mjs). " +
      'Shared memory is dynamic, bytes of a block. `-`: not made for that architecture. ' +
      (spilling.length === 0
        ? 'No kernel spills on any architecture.'
        : `${spilling.length} kernels spill; **bold** says where. A hot one may not.`),
    "The second table is a **model**: a case's operations (a multiply-add is two) and bytes (each operand read or written once), " +
      'their ratio, and the time that the slower of arithmetic (c) and memory (m) takes at full speed. It is a bound from ' +
      'below: it knows no launch (3 to 6 us), no cache that serves the bytes faster, and no kernel that reaches its peak. ' +
      `Peaks assumed: ${peaks}. \`npm run bench -- --filter kernels\` measures on a machine that has a GPU.`,
    ...sections.flat(),
  ].join('\n\n')}\n`;
}
