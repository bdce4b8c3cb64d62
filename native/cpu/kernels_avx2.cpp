#include "cpu/isa.h"
#if WAM_HAS_AVX
#define WAM_ISA avx2
#define WAM_ISA_AVX2
#include "cpu/kernels_all.inl"
#endif
