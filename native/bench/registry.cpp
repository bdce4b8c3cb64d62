#include "bench/registry.h"

#include <cstdio>

#include "bench/json.h"
#include "cuda/kernel_info.h"

namespace wam::bench {
void print_registry() {
  std::printf("[");
  const char* separator = "";
  for (const auto& kernel : WAM_GPU::all_kernels()) {
    std::printf("%s\n {\"family\": %s, \"symbol\": %s, \"threads\": %d, \"shared_bytes\": %d, \"min_arch\": %d, ",
                separator, quoted(kernel.family).c_str(), quoted(kernel.symbol).c_str(), kernel.threads,
                kernel.shared_bytes, kernel.min_arch);
    std::printf("\"tensor_cores\": %s, \"hot\": %s, \"cases\": [", kernel.tensor_cores ? "true" : "false",
                kernel.hot ? "true" : "false");
    const char* between = "";
    for (const auto& shape : kernel.cases) {
      std::printf("%s{\"shape\": %s, \"flops\": %.17g, \"bytes\": %.17g, \"blocks\": %d}", between,
                  quoted(shape.shape).c_str(), shape.flops, shape.bytes, shape.blocks);
      between = ", ";
    }
    std::printf("]}");
    separator = ",";
  }
  std::printf("\n]\n");
}

}  // namespace wam::bench
