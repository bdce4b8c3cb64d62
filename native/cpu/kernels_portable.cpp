#define WAM_ISA portable
#define WAM_ISA_PORTABLE
#include "cpu/kernels_all.inl"
