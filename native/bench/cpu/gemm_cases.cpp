// W3: products with a weight that was packed beforehand.

#include "bench/cpu/cases.h"
#include "bench/cpu/inputs.h"

namespace wam::bench {

namespace {

constexpr struct {
  int m, k, n;
} kShapes[] = {
    {120, 256, 704}, {1100, 2048, 5632}, {24, 2048, 5632}, {24, 256, 4001}, {24, 256, 768},
    {24, 256, 256},  {24, 704, 256},     {24, 256, 1408},  {96, 256, 768},  {120, 704, 256},
};

void gemm_case(const Harness& harness, Backend& backend, int m, int k, int n) {
  const std::string workload = "W3." + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n);
  if (!harness.wanted(workload)) return;
  const Buffer<real> a(backend, signed_values("W3.a", static_cast<std::int64_t>(m) * k, 1)),
      b(backend, signed_values("W3.b", static_cast<std::int64_t>(k) * n, linear_scale(k))),
      c(backend, static_cast<std::size_t>(m) * static_cast<std::size_t>(n));
  const auto packed = backend.pack(b.data(), n, false, k, n);

  Gemm g;
  g.m = m, g.n = n, g.k = k;
  g.a = a.data(), g.lda = k;
  g.packed = packed.get();
  g.c = c.data(), g.ldc = n;
  harness.run(workload, 2e-9 * m * n * k, [&] { backend.gemm(g); }, [&] { return checksum(c); }, "-prepacked");
}

}  // namespace

void gemm_cases(const Harness& harness, Backend& backend) {
  for (const auto& [m, k, n] : kShapes) gemm_case(harness, backend, m, k, n);
}

}  // namespace wam::bench
