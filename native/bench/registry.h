#pragma once
// The registry of kernels as JSON.

namespace wam::bench {

/// Prints an array of the fields of KernelInfo.
void print_registry();

}  // namespace wam::bench
