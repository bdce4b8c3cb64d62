#pragma once
// The shapes that the bench times, through the operations of the backend: those of the bundled model (mini: 96 + 24 rows,
// width 256) and of a vision-language-action model (vla: 700 + 32 rows, width 2048, 16 heads, SwiGLU 5632, 20,001 tokens).

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/device_buffers.h"

namespace wam::bench {

struct Case {
  std::string family;  // file of native/kernels without its ending
  std::string shape;
  double flops = 0;           // 2 a multiply-add
  double bytes = 0;           // each operand once
  bool tensor_cores = false;  // in 16-bit precision
  bool recordable = true;     // false: the operation returns a number to the host
  std::function<void()> run = nullptr;
  /// The same product by cuBLAS; 0: not a plain product.
  int m = 0, n = 0, k = 0;
};

/// Each appends its cases. `weight_bytes`: of an element of a packed weight in the backend's precision.
void add_gemm_cases(DeviceBuffers& buffers, double weight_bytes, std::vector<Case>& out);
void add_attention_cases(DeviceBuffers& buffers, std::vector<Case>& out);
void add_row_cases(DeviceBuffers& buffers, std::vector<Case>& out);
void add_flow_cases(DeviceBuffers& buffers, std::vector<Case>& out);

}  // namespace wam::bench
