/** Entry of `npm run conformance`. */
import { WamFlowError } from '../errors.js';
import { conformance } from './command.js';

try {
  process.exitCode = await conformance(process.argv.slice(2));
} catch (error) {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const usage = code === 'ERR_USAGE' || code.startsWith('ERR_PARSE_ARGS');
  if (!usage && !(error instanceof WamFlowError)) throw error;
  console.error(`conformance: ${(error as Error).message}`);
  process.exitCode = usage ? 2 : 1;
}
