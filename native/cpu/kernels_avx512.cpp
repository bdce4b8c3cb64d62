#include "cpu/isa.h"
#if WAM_HAS_AVX
#define WAM_ISA avx512
#define WAM_ISA_AVX512
#include "cpu/kernels_all.inl"
#endif
