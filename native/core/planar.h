#pragma once
#include <cmath>

namespace wam {

/// Length of (x, y). Not std::hypot: that is a symbol of glibc 2.35, and the prebuilt addon serves systems from 2.34 on.
/// Coordinates here are metres, so nothing overflows.
template <class T>
inline T planar_length(T x, T y) {
  return std::sqrt(x * x + y * y);
}

}  // namespace wam
