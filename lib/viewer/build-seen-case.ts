import type { PromptFields } from '../prompt/fill-template.js';
import { buildModelInput } from '../prompt/model-input.js';
import { parseAnswerIds } from '../prompt/parse-answer.js';
import { answerMarker, kFudokiTemplate } from '../tokens/conversation-template.js';
import type { TextTokenizer } from '../tokens/text-tokenizer.js';
import { encodePng } from '../vision/encode-image.js';
import { type Letterboxed, letterbox } from '../vision/letterbox.js';
import type { Pixels } from '../vision/pixels.js';
import { publishedAnswer, type SceneWording, sceneText } from '../vla/scene-prompt.js';
import { answerIds, type VlaPlanner, type VlaPlanOptions } from '../vla/vla-planner.js';
import type { VlaMask } from '../vla/vla-requests.js';
import type {
  SeenCamera,
  SeenCase,
  SeenPicture,
  SeenPlan,
  SeenSequence,
  TokenKind,
  Waypoints,
} from './seen-case.js';

/** What {@link seenCase} is made from. */
export interface SeenCaseOptions {
  name: string;
  image: Pixels;
  /** Side of the model's picture and of a patch, pixels. Default those of `planner`, or 384 and what fits the tokenizer. */
  imageSize?: number;
  patch?: number;
  /** With a wording: the prompt's tokens are shown. Default the planner's. */
  tokenizer?: TextTokenizer;
  /** Default the planner's, where it has one. */
  wording?: SceneWording;
  fields?: PromptFields;
  /** Who sees whom, default `full`. Of a planner its own. */
  mask?: VlaMask;
  /** With a wording: the plan is shown. */
  planner?: VlaPlanner;
  plan?: VlaPlanOptions;
  /** Waypoints to compare with, x0, y0, ... in metres. */
  known?: ArrayLike<number>;
  /** With it, waypoints are drawn in the pictures. */
  camera?: SeenCamera;
}

/** Wider or higher originals are shown smaller. */
const kShownPx = 960;

/**
 * A picture on its way through the front end, for {@link renderSeenPage}.
 *
 * @throws WamFlowError (the promise rejects) as `letterbox`, `buildModelInput`, `fillTemplate` and `VlaPlanner.plan`.
 */
export async function seenCase(options: SeenCaseOptions): Promise<SeenCase> {
  const { image, planner, fields = {}, known } = options;
  const wording = options.wording ?? planner?.wording ?? undefined;
  const vision = planner?.model.config.vision;
  const size = options.imageSize ?? wording?.imageSize ?? vision?.image_size ?? 384;
  const background = wording?.background;
  const boxed = await letterbox(image, { size, ...(background ? { background } : {}) });
  const tokenizer = options.tokenizer ?? planner?.tokenizer;
  const aside = Math.floor(Math.sqrt(tokenizer?.imageTokens ?? 576));
  const patch = options.patch ?? vision?.patch_size ?? Math.max(1, Math.floor(size / aside));
  const mask = planner?.mask ?? options.mask ?? 'full';
  const hasText = tokenizer !== undefined && wording !== undefined;
  return {
    name: options.name,
    original: await shown(image),
    seen: {
      ...(await png({ data: boxed.preview, width: size, height: size })),
      patch,
      placement: boxed.placement,
      colors: patchColors(boxed, patch),
    },
    sequences: hasText ? sequencesOf(tokenizer, wording, fields, mask, planner) : [],
    plan: planner && wording ? await planOf(planner, wording, options) : null,
    known: known ? Array.from(known) : null,
    camera: options.camera ?? null,
  };
}

async function png(pixels: Pixels): Promise<SeenPicture> {
  const { width, height } = pixels;
  const bytes = Buffer.from(await encodePng(pixels));
  return { url: `data:image/png;base64,${bytes.toString('base64')}`, width, height };
}

/** The original, smaller when it is large. */
async function shown(image: Pixels): Promise<SeenPicture> {
  const { width, height } = image;
  if (Math.max(width, height) <= kShownPx) return png(image);
  const { preview, size, placement } = await letterbox(image, { size: kShownPx });
  const { left, top, width: w, height: h } = placement;
  const data = new Uint8Array(w * h * 3);
  for (let y = 0; y < h; y += 1) {
    const at = ((top + y) * size + left) * 3;
    data.set(preview.subarray(at, at + w * 3), y * w * 3);
  }
  return { ...(await png({ data, width: w, height: h })), width, height };
}

function patchColors({ preview, size }: Letterboxed, patch: number): number[] {
  const side = Math.floor(size / patch);
  return Array.from({ length: side * side }, (_, i) => {
    const [top, left] = [Math.floor(i / side) * patch, (i % side) * patch];
    const sum = [0, 0, 0];
    for (let y = top; y < top + patch; y += 1) {
      for (let x = left; x < left + patch; x += 1) {
        for (let c = 0; c < 3; c += 1) sum[c]! += preview[(y * size + x) * 3 + c]!;
      }
    }
    const [r, g, b] = sum.map((value) => Math.round(value / patch ** 2));
    return (r! << 16) | (g! << 8) | b!;
  });
}

/** What a plan reads, and the released form of the same prompt. */
function sequencesOf(
  tokenizer: TextTokenizer,
  wording: SceneWording,
  fields: PromptFields,
  mask: VlaMask,
  planner: VlaPlanner | undefined,
): SeenSequence[] {
  const text = sceneText(tokenizer, wording, fields);
  const marker = answerMarker(wording.template ?? kFudokiTemplate);
  const input = buildModelInput(tokenizer, text, { images: 1, marker });
  const { answerStart } = input;
  const answer = planner
    ? planner.answer([])
    : answerIds(publishedAnswer(tokenizer), tokenizer.numbers.firstId);
  const tokens = answerStart + answer.length;
  const ids = new Int32Array(tokens);
  ids.set(input.ids.subarray(0, answerStart));
  ids.set(answer, answerStart);
  const isFilled = (i: number) => i >= answerStart && tokenizer.numbers.isNumeric(ids[i]!);
  const describe = (of: Int32Array, length: number) => ({
    ids: Array.from(of),
    ...tokensOf(tokenizer, of, input.imageMask, length),
    answerStart,
    mask,
  });
  return [
    {
      label: 'Fixed answer',
      detail: 'what a plan reads: only the numbers of the answer are filled in, nothing is padded',
      ...describe(ids, tokens),
      filled: Array.from(ids, (_, i) => isFilled(i)),
      attended: Array.from(ids, () => true),
    },
    {
      label: 'As released',
      detail: `padded to ${input.ids.length.toLocaleString('en-US')} positions; all behind the marker is filled in`,
      ...describe(input.ids, input.tokens),
      mask: 'full',
      filled: Array.from(input.textMask, (value) => value === 1),
      attended: Array.from(input.attentionMask, (value) => value === 1),
    },
  ];
}

function tokensOf(
  tokenizer: TextTokenizer,
  ids: Int32Array,
  imageMask: Uint8Array,
  length: number,
): { kinds: TokenKind[]; texts: string[] } {
  const kinds: TokenKind[] = [];
  const texts: string[] = [];
  for (const [i, id] of ids.entries()) {
    const text = tokenizer.decode([id]);
    const isSpecial = text !== '' && tokenizer.decode([id], { skipSpecial: true }) === '';
    const kind =
      i >= length
        ? 'pad'
        : imageMask[i]
          ? 'image'
          : tokenizer.numbers.isNumeric(id)
            ? 'number'
            : isSpecial
              ? 'special'
              : 'text';
    kinds.push(kind);
    texts.push(kind === 'image' || kind === 'pad' ? '' : text);
  }
  return { kinds, texts };
}

async function planOf(
  planner: VlaPlanner,
  wording: SceneWording,
  { image, fields = {}, plan: options = {} }: SeenCaseOptions,
): Promise<SeenPlan> {
  const prompt = await planner.prompt(wording, { images: [image], fields });
  const plan = await planner.plan(prompt, options);
  const { coordinates, waypoints, tokenizer, model } = planner;
  const ids = planner.answer(planner.numbers.encodeAll(plan.trajectory));
  const values = coordinates === 3 ? 3 : 2;
  const read = parseAnswerIds(ids, tokenizer!, { waypoints, values });
  const { visionMs, prefixMs, stepMs } = plan.timing;
  const stepsMs = stepMs.reduce((sum, ms) => sum + ms, 0);
  const steps = plan.refinements.length;
  return {
    refinements: plan.refinements.map((values) => positions(values, coordinates)),
    // Of several samples the plan is one of them, or none.
    logProbability: plan.samples.length === 1 ? Array.from(plan.logProbability) : [],
    answer: tokenizer!.decode(ids, { skipSpecial: true }),
    complete: read.complete,
    problems: read.problems,
    detail:
      `${model.engine} · ${steps} ${steps === 1 ? 'step' : 'steps'} · picture ${visionMs.toFixed(0)} ms, ` +
      `prompt ${prefixMs.toFixed(0)} ms, steps ${stepsMs.toFixed(0)} ms`,
  };
}

/** x and y of each waypoint, in whole hundredths. */
function positions(values: Float32Array, coordinates: number): Waypoints {
  return Array.from({ length: (values.length / coordinates) * 2 }, (_, i) => {
    const value = values[Math.floor(i / 2) * coordinates + (i % 2)]!;
    return Math.round(value * 100) / 100;
  });
}
