// Reads what `nvcc -Xptxas -v,--warn-on-spills` says: the resources of every kernel on every GPU.

/**
 * @param {string} text stderr of one nvcc run; of several at a time the lines would be mixed
 * @returns kernels: [{ entry, arch, registers, stack, spillStores, spillLoads, staticShared, barriers }], sizes in bytes;
 *   functions: those that were not inlined and spill, as kernels without registers; complaints: lines of any warning
 *   or error other than a spill
 */
export function readPtxasLog(text) {
  const kernels = [];
  const functions = [];
  const complaints = [];
  let kernel;
  let owner;
  for (const line of text.split('\n')) {
    const entry = /Compiling entry function '([^']+)' for 'sm_(\d+)\w?'/.exec(line);
    if (entry) {
      kernel = {
        ...{ entry: entry[1], arch: Number(entry[2]), registers: 0 },
        ...{ stack: 0, spillStores: 0, spillLoads: 0, staticShared: 0, barriers: 0 },
      };
      kernels.push(kernel);
      continue;
    }
    const properties = /Function properties for (\S+)/.exec(line);
    if (properties) {
      owner = properties[1];
      continue;
    }
    const frame = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(
      line,
    );
    if (frame) {
      const [stack, spillStores, spillLoads] = frame.slice(1).map(Number);
      if (owner === kernel?.entry) Object.assign(kernel, { stack, spillStores, spillLoads });
      else if (spillStores + spillLoads > 0)
        functions.push({ entry: owner, arch: kernel?.arch, stack, spillStores, spillLoads });
      continue;
    }
    const used = /Used (\d+) registers(?:, used (\d+) barriers)?(.*)/.exec(line);
    if (used && kernel) {
      kernel.registers = Number(used[1]);
      kernel.barriers = Number(used[2] ?? 0);
      kernel.staticShared = Number(/(\d+) bytes smem/.exec(used[3])?.[1] ?? 0);
      continue;
    }
    if (/\b(warning|error)\b/i.test(line) && !/Registers are spilled/.test(line)) {
      complaints.push(line.trim());
    }
  }
  return { kernels, functions, complaints };
}
