#pragma once
// What a GPU could do at best, by its own account.

namespace wam::bench {

/// Dense peaks in flop/s (2 a multiply-add; tensor: bf16 or f16 with float accumulation) and bytes/s of its memory.
struct Peaks {
  double tensor = 0, fp32 = 0, bandwidth = 0;
};

Peaks device_peaks(int device);

}  // namespace wam::bench
