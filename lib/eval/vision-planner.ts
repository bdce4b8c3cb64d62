import { setMaxListeners } from 'node:events';
import type { CameraOptions } from '../camera/options.js';
import { planConversation } from '../camera/plan-conversation.js';
import { argumentError, WamFlowError } from '../errors.js';
import type { Command } from '../observation.js';
import type { ScenarioWindow } from '../scenario/types.js';
import type { VlaPlanner } from '../vla/vla-planner.js';
import type { EvaluatedPlan, EvaluatedPlanner, EvaluatedPlanOptions } from './planner-runs.js';
import type { WindowPictures } from './window-pictures.js';

/** What a vision-language planner is shown of a window. */
export interface VisionPlannerOptions {
  pictures: WindowPictures;
  /** Instead of the window's own command. */
  commandOf?: ((window: ScenarioWindow) => Command) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * A vision-language planner as evaluation calls planners: it gets the picture of a window, its command and the ego's
 * velocity and acceleration, in the words that the model was trained with, and nothing else of the scene.
 *
 * @throws WamFlowError `ERR_CONFIG` for a model whose plans are not 8 waypoints, or that has no wording
 */
export function visionPlanner(
  planner: VlaPlanner,
  { pictures, commandOf, signal }: VisionPlannerOptions,
): EvaluatedPlanner {
  if (planner.waypoints !== 8) {
    throw new WamFlowError(
      'ERR_CONFIG',
      `evaluation needs plans of 8 waypoints, these have ${planner.waypoints}`,
    );
  }
  if (planner.wording === null) {
    throw new WamFlowError('ERR_CONFIG', 'the model has no wording to ask for plans with');
  }
  // Of every plan in flight the camera and the model listen.
  const stop = signal && AbortSignal.any([signal]);
  if (stop) setMaxListeners(0, stop);
  return {
    async plan(_observation, options, window): Promise<EvaluatedPlan> {
      const { samples, seed, decode, lastDecode, rule, steps, temperature } = options;
      const reduce = expectPlain(options);
      const command = commandOf ? commandOf(window) : window.command;
      // In a closed loop the future is not there yet.
      const { fields } = planConversation({ ...window, command, future: 0 });
      const view = {
        images: [await pictures.of(window, stop)],
        fields,
      };
      const plan = await planner.planView(view, {
        ...{ samples, seed, decode, lastDecode, rule, steps, temperature, reduce },
        ...(stop === undefined ? {} : { signal: stop }),
      });
      const poses = plan.samples.map((sample) => planner.posesOf(sample));
      return { trajectory: plan.poses, samples: poses };
    },
  };
}

/** The camera that a model's pictures are of: square, as large as it takes them, unless said otherwise. */
export function cameraOf(planner: Pick<VlaPlanner, 'model'>, options: CameraOptions = {}) {
  const side = planner.model.config.vision.image_size;
  return { width: side, height: side, ...options };
}

/** Throws for what only planners of scenes can do. */
function expectPlain({ reduce, coupling, warmStart }: EvaluatedPlanOptions) {
  if (reduce === 'search') throw argumentError('reduce', 'first, medoid or mean', reduce);
  if (coupling !== 'independent') throw argumentError('coupling', 'independent', coupling);
  if (warmStart !== undefined) throw argumentError('warmStart', 'nothing', warmStart);
  return reduce;
}
