// Times the operations of the GPU backend on a GPU. bench/kernels.mjs runs it and makes a table of what it prints: one
// JSON object a line.
//
//   wam_flow_kernel_bench [--precision fp32|bf16|f16] [--device N]
//   wam_flow_kernel_bench --list                                    the registry of kernels; needs no GPU
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "bench/cases.h"
#include "bench/cublas.h"
#include "bench/device_peaks.h"
#include "bench/json.h"
#include "bench/registry.h"
#include "bench/timing.h"
#include "core/error.h"

namespace wam::bench {
namespace {

struct Arguments {
  gpu::Options options;
  bool list = false;
};

bool parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (std::strcmp(argv[i], "--list") == 0) {
      out.list = true;
    } else if (std::strcmp(argv[i], "--device") == 0 && *value != '\0') {
      out.options.device = std::atoi(value), ++i;
    } else if (std::strcmp(argv[i], "--precision") == 0 && std::strcmp(value, "fp32") == 0) {
      out.options.precision = gpu::Precision::fp32, ++i;
    } else if (std::strcmp(argv[i], "--precision") == 0 && std::strcmp(value, "bf16") == 0) {
      out.options.precision = gpu::Precision::bf16, ++i;
    } else if (std::strcmp(argv[i], "--precision") == 0 && std::strcmp(value, "f16") == 0) {
      out.options.precision = gpu::Precision::f16, ++i;
    } else {
      std::fprintf(stderr, "usage: %s [--precision fp32|bf16|f16] [--device N] | --list\n", argv[0]);
      return false;
    }
  }
  return true;
}

Cublas::Type type_of(gpu::Precision precision) {
  if (precision == gpu::Precision::fp32) return Cublas::Type::fp32;
  return precision == gpu::Precision::f16 ? Cublas::Type::f16 : Cublas::Type::bf16;
}

/// Microseconds of cuBLAS for the product of a case, on operands of its own; what they hold does not matter.
double time_cublas(Cublas& cublas, gpu::Precision precision, const Case& c, WAM_GPU::GpuBackend& backend) {
  DeviceBuffers operands(backend);
  const std::size_t m = static_cast<std::size_t>(c.m), n = static_cast<std::size_t>(c.n),
                    k = static_cast<std::size_t>(c.k);
  const real *a = operands.random(m * k), *b = operands.random(n * k);
  real* result = operands.zeros<real>(m * n);
  return time_on_stream(backend.stream(), [&] { cublas.gemm(type_of(precision), c.m, c.n, c.k, a, b, result); });
}

void run(const gpu::Options& options) {
  const gpu::Devices devices = WAM_GPU::devices();
  const auto base = WAM_GPU::make_backend(options);
  auto& backend = static_cast<WAM_GPU::GpuBackend&>(*base);
  const gpu::DeviceInfo& device = devices.list[static_cast<std::size_t>(options.device)];
  const Peaks peaks = device_peaks(options.device);
  const bool fp32 = options.precision == gpu::Precision::fp32;
  std::string why;
  const auto cublas = Cublas::open(backend.stream(), why);
  std::printf(
      "{\"device\": %s, \"capability\": \"%d.%d\", \"backend\": \"%s\", \"peakTensor\": %.4g, \"peakFp32\": %.4g, "
      "\"peakBandwidth\": %.4g, \"cublas\": %s}\n",
      quoted(device.name).c_str(), device.major, device.minor, backend.name(), peaks.tensor, peaks.fp32,
      peaks.bandwidth, quoted(cublas ? cublas->file() : why).c_str());

  const auto time_family = [&](const std::function<void(DeviceBuffers&, std::vector<Case>&)>& add) {
    DeviceBuffers buffers(backend);  // of one family at a time: they need not all fit
    std::vector<Case> cases;
    add(buffers, cases);
    for (const Case& c : cases) {
      const double microseconds = time_operation(backend, c.recordable, c.run);
      const double library = cublas && c.m > 0 ? time_cublas(*cublas, options.precision, c, backend) : 0;
      std::printf(
          "{\"family\": %s, \"shape\": %s, \"microseconds\": %.6g, \"flops\": %.6g, \"bytes\": %.6g, "
          "\"tensorCores\": %s, \"libraryMicroseconds\": %.6g}\n",
          quoted(c.family).c_str(), quoted(c.shape).c_str(), microseconds, c.flops, c.bytes,
          c.tensor_cores && !fp32 ? "true" : "false", library);
      std::fflush(stdout);
    }
  };
  const double weight_bytes = fp32 ? 4 : 2;
  time_family([&](DeviceBuffers& b, std::vector<Case>& out) { add_gemm_cases(b, weight_bytes, out); });
  time_family(add_attention_cases);
  time_family(add_row_cases);
  time_family(add_flow_cases);
}

}  // namespace
}  // namespace wam::bench

int main(int argc, char** argv) {
  wam::bench::Arguments arguments;
  if (!wam::bench::parse(argc, argv, arguments)) return 2;
  if (arguments.list) {
    wam::bench::print_registry();
    return 0;
  }
  try {
    wam::bench::run(arguments.options);
  } catch (const wam::Error& error) {
    if (std::strcmp(error.code(), "ERR_DEVICE_UNAVAILABLE") == 0) {
      std::printf("{\"skipped\": %s}\n", wam::bench::quoted(error.what()).c_str());
      return 0;
    }
    std::fprintf(stderr, "%s: %s\n", error.code(), error.what());
    return 1;
  }
  return 0;
}
