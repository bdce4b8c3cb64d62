// Everything that is compiled once an instruction set, in order of use.
#include "cpu/kernels.h"
#include "cpu/simd.h"
#include "cpu/flow_kernels.inl"
