import { argumentError, WamFlowError } from '../errors.js';
import { fillTemplate, type PromptFields } from '../prompt/fill-template.js';
import { buildModelInput } from '../prompt/model-input.js';
import {
  answerMarker,
  type ConversationTemplate,
  kFudokiTemplate,
} from '../tokens/conversation-template.js';
import { assemblePrompt } from '../tokens/prompt.js';
import type { TextTokenizer } from '../tokens/text-tokenizer.js';
import { letterbox } from '../vision/letterbox.js';
import type { Pixels } from '../vision/pixels.js';
import type { AnswerForm, VlaPrompt } from './vla-planner.js';

/** What the driver's seat gives. */
export interface SceneView {
  /** Pictures in the order of their placeholders. */
  images: readonly Pixels[];
  /** Values of the wording's `{name}` fields: command, speed, acceleration, ... */
  fields: PromptFields;
}

/** How a {@link SceneView} is put into words. */
export interface SceneWording {
  /** What the user asks, with `{name}` fields and an image placeholder for each picture. */
  user: string;
  /** Default the template's. */
  system?: string;
  /** Default {@link kFudokiTemplate}. */
  template?: Readonly<ConversationTemplate>;
  /** Side of the pictures that the vision tower takes, pixels. Default 384. */
  imageSize?: number;
  /** Colour around pictures that are not square. Default that of {@link letterbox}. */
  background?: readonly [number, number, number];
}

/**
 * A picture and the state of the ego as a prompt for `VlaPlanner.plan`: letterboxed pictures, the conversation up to
 * where the answer begins, no padding.
 *
 * @throws WamFlowError (the promise rejects) as {@link fillTemplate}, {@link buildModelInput} and {@link letterbox}.
 */
export async function scenePrompt(
  tokenizer: TextTokenizer,
  wording: SceneWording,
  view: SceneView,
): Promise<VlaPrompt> {
  const { template = kFudokiTemplate, imageSize = 384, background } = wording;
  const square = { size: imageSize, ...(background === undefined ? {} : { background }) };
  const text = sceneText(tokenizer, wording, view.fields);
  const { ids, imageMask, answerStart } = buildModelInput(tokenizer, text, {
    images: view.images.length,
    marker: answerMarker(template),
  });
  const plane = 3 * imageSize * imageSize;
  const pixels = new Float32Array(view.images.length * plane);
  for (const [i, image] of view.images.entries()) {
    pixels.set((await letterbox(image, square)).values, i * plane);
  }
  return {
    ids: ids.slice(0, answerStart),
    imageMask: imageMask.slice(0, answerStart),
    ...(view.images.length === 0 ? {} : { pixels }),
  };
}

/**
 * The conversation of {@link scenePrompt} as text, up to where the answer begins.
 *
 * @throws WamFlowError as {@link fillTemplate}.
 */
export function sceneText(
  tokenizer: TextTokenizer,
  { user, system, template = kFudokiTemplate }: SceneWording,
  fields: PromptFields,
): string {
  return assemblePrompt({
    turns: [
      { role: 'User', text: fillTemplate(user, fields, tokenizer.numbers) },
      { role: 'Assistant', text: '' },
    ],
    endOfSentence: tokenizer.special.endOfSentence.text,
    template,
    ...(system === undefined ? {} : { system }),
  });
}

/**
 * The published form of an answer in a tokenizer's ids: a space, numbers between commas, the end of the sentence.
 *
 * @throws WamFlowError `ERR_TOKENIZER` when a space or a comma is not one token.
 */
export function publishedAnswer(
  tokenizer: TextTokenizer,
  { waypoints = 8, coordinates = 2 }: Pick<AnswerForm, 'waypoints' | 'coordinates'> = {},
): AnswerForm {
  const one = (text: string) => {
    const ids = tokenizer.encode(text, { addSpecial: false });
    if (ids.length === 1) return ids[0]!;
    throw new WamFlowError(
      'ERR_TOKENIZER',
      `expected ${JSON.stringify(text)} to be one token, it is ${ids.length}`,
    );
  };
  if (coordinates !== 2 && coordinates !== 3) {
    throw argumentError('coordinates', '2 or 3', coordinates);
  }
  return {
    waypoints,
    coordinates,
    leadId: one(' '),
    separatorId: one(','),
    endId: tokenizer.special.endOfSentence.id,
  };
}
