import { argumentError, WamFlowError } from '../errors.js';
import { NumericTokenizer } from '../tokens/numeric-tokenizer.js';

/** Numbers are written as tokens of the numeric vocabulary, texts as they are. */
export type PromptFields = Readonly<Record<string, string | number>>;

const kPaperNumbers = new NumericTokenizer();

/**
 * A text with its `{name}` replaced by fields; `{{` and `}}` stand for braces. A number becomes the nearest one of the
 * numeric vocabulary: two decimals, at most 100 away from zero, and `0.00` for whatever rounds to zero; otherwise it
 * would fall apart into other tokens.
 *
 * ```ts
 * fillTemplate('Go {command}. Speed ({vx},{vy}).', { command: 'left', vx: 8.341, vy: -0.001 });
 * // 'Go left. Speed (8.34,0.00).'
 * ```
 *
 * @param numbers default the published vocabulary
 * @throws WamFlowError `ERR_CONFIG` for a brace that is not closed or a name that there is no field for,
 *   `ERR_NOT_FINITE`, `ERR_ARGUMENT` for a field that is neither text nor number.
 */
export function fillTemplate(
  template: string,
  fields: PromptFields,
  numbers: NumericTokenizer = kPaperNumbers,
): string {
  if (typeof template !== 'string') throw argumentError('template', 'a string', template);
  return template.replace(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g, (match, name: string | undefined, at) => {
    if (match === '{{' || match === '}}') return match[0]!;
    if (name === undefined) {
      throw new WamFlowError(
        'ERR_CONFIG',
        `template: ${match} at ${at} has no other; write ${match}${match}`,
      );
    }
    if (!Object.hasOwn(fields, name)) {
      const known = Object.keys(fields).join(', ') || 'none';
      throw new WamFlowError('ERR_CONFIG', `template: no field {${name}}; there are: ${known}`);
    }
    return textOf(name, fields[name], numbers);
  });
}

function textOf(name: string, value: unknown, numbers: NumericTokenizer): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'number') throw argumentError(`fields.${name}`, 'a text or a number', value);
  if (!Number.isFinite(value)) {
    throw argumentError(`fields.${name}`, 'a finite number', value, 'ERR_NOT_FINITE');
  }
  return numbers.text(numbers.encode(value, { clamp: true }));
}
