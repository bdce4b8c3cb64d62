import { WamFlowError } from '../errors.js';
import { TextTokenizer } from '../tokens/text-tokenizer.js';
import { readTokenizerFiles } from '../tokens/tokenizer-files.js';
import { type CheckpointInspection, inspectCheckpoint } from './inspect-checkpoint.js';
import { freshSettings, readVlaSettings, type VlaSettings } from './vla-settings.js';

/** What a Janus directory says of itself, without its weights. */
export interface OpenedVla {
  opened: CheckpointInspection;
  /** Of the directory; what it does not say is as {@link freshSettings} has it. */
  settings: VlaSettings;
  /** Without numbers where the token table has no rows for them. */
  tokenizer: TextTokenizer;
}

/**
 * Looks at a Janus directory with its tokenizer.
 *
 * @throws WamFlowError as `inspectCheckpoint`, `readVlaSettings` and `TextTokenizer.load`; `ERR_RANGE` when the token table
 *   has fewer rows than the tokenizer has tokens, `ERR_CONFIG` when its image tokens are not the tower's.
 */
export async function openVla(directory: string): Promise<OpenedVla> {
  const opened = await inspectCheckpoint(directory);
  const { language, vision } = opened.config;
  const settings = await readVlaSettings(opened.directory);
  const files = await readTokenizerFiles(opened.directory);
  const complete = new TextTokenizer(files);
  const tokenizer =
    complete.idLimit <= language.vocab_size
      ? complete
      : new TextTokenizer(files, { addNumbers: false });
  if (tokenizer.idLimit > language.vocab_size) {
    throw new WamFlowError(
      'ERR_RANGE',
      `${opened.directory}: the tokenizer has ids up to ${tokenizer.idLimit - 1} without the numbers, the token table ` +
        `only ${language.vocab_size} rows: it is another model's`,
    );
  }
  if (tokenizer.imageTokens !== vision.image_tokens) {
    throw new WamFlowError(
      'ERR_CONFIG',
      `${opened.directory}: the tokenizer (processor_config.json) puts ${tokenizer.imageTokens} image tokens for a ` +
        `picture, the tower gives ${vision.image_tokens}`,
    );
  }
  return { opened, settings: settings ?? freshSettings(vision.image_size), tokenizer };
}
