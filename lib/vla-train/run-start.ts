import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { kConfig } from '../model/checkpoint-files.js';
import { readJson } from '../model/read-json.js';
import { kRunStart, storedTensors, writeJanusSet } from './janus-set.js';

const kPrefix = '.lora-base-';

/**
 * The directory that a trainer loads. A run with adapters keeps the matrices that they are added to beside the model, whose
 * own have the adapters in them: when such a run goes on, they are put together again in a folder that goes with the run.
 */
export class VlaRunStart {
  readonly directory: string;
  readonly #temporary: boolean;

  private constructor(directory: string, temporary: boolean) {
    this.directory = directory;
    this.#temporary = temporary;
  }

  /** @throws WamFlowError as `readSafetensors`, `ERR_IO` */
  static async of(output: string, adapted: boolean): Promise<VlaRunStart> {
    // Of runs that were killed.
    const old = (await readdir(output)).filter((name) => name.startsWith(kPrefix));
    for (const name of old) await rm(join(output, name), { recursive: true, force: true });
    if (!adapted) return new VlaRunStart(output, false);
    const folder = join(output, `${kPrefix}${process.pid}-${randomBytes(4).toString('hex')}`);
    const start = new VlaRunStart(folder, true);
    try {
      const config = (await readJson(join(output, kConfig), join(output, kConfig))) as object;
      const base = await storedTensors(output, [{ name: kRunStart }]);
      const before = new Map(base.map((tensor) => [tensor.name, tensor]));
      const tensors = await storedTensors(output, [{ name: 'model.safetensors' }]);
      await writeJanusSet(folder, {
        config,
        tensors: tensors.map((tensor) => before.get(tensor.name) ?? tensor),
      });
    } catch (error) {
      await start.remove();
      throw error;
    }
    return start;
  }

  /** Removes what was made for the run. */
  async remove(): Promise<void> {
    if (this.#temporary) await rm(this.directory, { recursive: true, force: true });
  }
}
