#pragma once
#include "bench/cpu/harness.h"

namespace wam::bench {

/// Prints what this machine could do at best, a JSON line each: arithmetic from registers in the instruction set of
/// `options`, reads from each level of memory, the time from one thread to another and back. On one thread and on all.
void print_limits(const Options& options);

/// Loops of fixed work that no change of the engine touches: what the figures of a run are put in relation to.
void reference_cases(const Harness& harness);

}  // namespace wam::bench
