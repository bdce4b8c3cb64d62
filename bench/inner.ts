// What the benches measure besides the public API. Built into dist/bench, which no package carries.

export { native } from '../lib/native.js';
export { ObservationPacker } from '../lib/pack-observation.js';
