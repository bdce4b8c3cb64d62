#include "bench/device_peaks.h"

#include "cuda/launch.h"

namespace wam::bench {
namespace {

/// Operations a clock and multiprocessor. Where boards of one architecture differ (8.6, 8.9, 12.0: GeForce accumulates in
/// float at half the rate of the professional ones) the lower rate stands, so a professional board can show twice 100 %.
struct Rates {
  int arch;
  double tensor, fp32;
};
constexpr Rates kRates[] = {{75, 1024, 128}, {80, 2048, 128}, {86, 512, 256},   {87, 2048, 256},
                            {89, 512, 256},  {90, 4096, 256}, {100, 8192, 256}, {120, 512, 256}};

double attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  WAM_GPU::check(cudaDeviceGetAttribute(&value, which, device), "asking for a device attribute");
  return value;
}

}  // namespace

Peaks device_peaks(int device) {
  const int arch = static_cast<int>(10 * attribute(cudaDevAttrComputeCapabilityMajor, device) +
                                    attribute(cudaDevAttrComputeCapabilityMinor, device));
  const Rates* rates = kRates;
  for (const Rates& r : kRates) {
    if (r.arch <= arch) rates = &r;
  }
  constexpr double kKilo = 1e3;
  const double clocks =
      kKilo * attribute(cudaDevAttrClockRate, device) * attribute(cudaDevAttrMultiProcessorCount, device);
  // Two transfers a clock of a bus that is given in bits.
  const double bandwidth = 2 * kKilo * attribute(cudaDevAttrMemoryClockRate, device) *
                           attribute(cudaDevAttrGlobalMemoryBusWidth, device) / 8;
  return {rates->tensor * clocks, rates->fp32 * clocks, bandwidth};
}

}  // namespace wam::bench
