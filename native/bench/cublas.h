#pragma once
// cuBLAS to compare with, where it is installed: found at run time, never linked.

#include <memory>
#include <string>

#include "cuda/runtime.h"

namespace wam::bench {

class Cublas {
 public:
  /// Null when no cuBLAS is found or it does not start; `why` says which.
  static std::unique_ptr<Cublas> open(cudaStream_t stream, std::string& why);
  ~Cublas();
  Cublas(const Cublas&) = delete;
  Cublas& operator=(const Cublas&) = delete;

  enum class Type { fp32, f16, bf16 };
  /// c[m,n] = a[m,k] b[n,k]^T, row-major and dense; a and b of `type`, c float, sums in float. Of fp32 operands the products
  /// are fp32 too, not tf32.
  void gemm(Type type, int m, int n, int k, const void* a, const void* b, float* c);
  const std::string& file() const { return file_; }

 private:
  Cublas() = default;
  struct Functions;
  std::unique_ptr<Functions> functions_;
  void* library_ = nullptr;
  void* handle_ = nullptr;
  std::string file_;
};

}  // namespace wam::bench
