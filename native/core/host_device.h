#pragma once
// Marks inline functions of core that kernels call too.

#if defined(__CUDACC__)
#define WAM_HOST_DEVICE __host__ __device__
#else
#define WAM_HOST_DEVICE
#endif
