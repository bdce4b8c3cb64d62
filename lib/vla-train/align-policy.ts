// The planner whose plans an alignment judges: the weights of the trainer as they are, by way of a folder, since planners
// pack their weights from files.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CameraOptions } from '../camera/options.js';
import type { DeviceOptions } from '../device.js';
import { cameraOf } from '../eval/vision-planner.js';
import { CameraPictures } from '../eval/window-pictures.js';
import { kConfig } from '../model/checkpoint-files.js';
import { readJson } from '../model/read-json.js';
import { VlaPlanner } from '../vla/vla-planner.js';
import { kSettingsName, readVlaSettings, settingsText } from '../vla/vla-settings.js';
import type { VlaTrainer } from '../vla/vla-trainer.js';
import { companionsOf, writeJanusSet } from './janus-set.js';
import { trainedTensors } from './vla-run.js';

export class AlignPolicy {
  readonly #output: string;
  readonly #folder: string;
  readonly #options: DeviceOptions & { threads: number };
  #planner: VlaPlanner;
  /** What the planner is shown. */
  readonly pictures: CameraPictures;

  private constructor(
    output: string,
    planner: VlaPlanner,
    options: DeviceOptions & { threads: number },
    camera: CameraOptions | undefined,
  ) {
    this.#output = output;
    this.#folder = join(output, `.policy-${process.pid}`);
    this.#options = options;
    this.#planner = planner;
    this.pictures = new CameraPictures(cameraOf(planner, camera));
  }

  /** With the weights of the run's folder. */
  static async load(
    output: string,
    options: DeviceOptions & { threads: number },
    camera: CameraOptions | undefined,
  ): Promise<AlignPolicy> {
    return new AlignPolicy(output, await VlaPlanner.load(output, options), options, camera);
  }

  get planner(): VlaPlanner {
    return this.#planner;
  }

  /** Takes the trainer's weights. */
  async update(trainer: VlaTrainer, names: readonly string[]): Promise<void> {
    const config = join(this.#output, kConfig);
    const settings = (await readVlaSettings(this.#output))!;
    await writeJanusSet(this.#folder, {
      config: (await readJson(config, config)) as object,
      tensors: await trainedTensors(this.#output, trainer, names),
      files: { ...(await companionsOf(this.#output)), [kSettingsName]: settingsText(settings) },
    });
    await this.#planner.close();
    this.#planner = await VlaPlanner.load(this.#folder, this.#options);
  }

  async close(): Promise<void> {
    await this.#planner.close();
    await this.pictures.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
