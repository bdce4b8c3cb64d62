#pragma once
// Which instruction sets this build carries kernels for. The AVX tables exist for float on x86-64 only: the double build
// is there for exact gradient tests and runs on the portable table.

#include "core/real.h"

#define WAM_REAL_BITS_float 32
#define WAM_REAL_BITS_double 64
#define WAM_JOIN_(a, b) a##b
#define WAM_JOIN(a, b) WAM_JOIN_(a, b)
#define WAM_REAL_BITS WAM_JOIN(WAM_REAL_BITS_, WAM_REAL)

#if defined(__x86_64__) && WAM_REAL_BITS == 32
#define WAM_HAS_AVX 1
#else
#define WAM_HAS_AVX 0
#endif
