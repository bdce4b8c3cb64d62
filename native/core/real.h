#pragma once
// The engine's arithmetic type. The addon is built with float; the native tests build the same sources with
// -DWAM_REAL=double, so that gradients can be checked by finite differences without rounding noise.

#ifndef WAM_REAL
#define WAM_REAL float
#endif

namespace wam {
using real = WAM_REAL;
}
