#pragma once
// The CUDA runtime calls that the backend uses: NVIDIA's under nvcc, those of the harness under a host compiler.

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#else
#include "simt/runtime.h"
#endif
