#include "bench/cublas.h"

#include <dlfcn.h>
#include <library_types.h>

#include "core/error.h"

namespace wam::bench {

// The few declarations of cublas_v2.h that are used, whose values have stood since version 11.
struct Cublas::Functions {
  int (*create)(void**);
  int (*destroy)(void*);
  int (*set_stream)(void*, cudaStream_t);
  int (*gemm_ex)(void* handle, int transa, int transb, int m, int n, int k, const void* alpha, const void* a,
                 cudaDataType_t a_type, int lda, const void* b, cudaDataType_t b_type, int ldb, const void* beta,
                 void* c, cudaDataType_t c_type, int ldc, int compute_type, int algorithm);
};

namespace {

constexpr int kNotTransposed = 0, kTransposed = 1;  // CUBLAS_OP_N, CUBLAS_OP_T
constexpr int kCompute32F = 68;                     // CUBLAS_COMPUTE_32F
constexpr int kDefaultAlgorithm = -1;               // CUBLAS_GEMM_DEFAULT

template <class F>
bool find(void* library, const char* name, F*& function) {
  function = reinterpret_cast<F*>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

std::unique_ptr<Cublas> Cublas::open(cudaStream_t stream, std::string& why) {
  std::unique_ptr<Cublas> self(new Cublas);
  for (const char* file : {"libcublas.so.13", "libcublas.so.12", "libcublas.so.11", "libcublas.so"}) {
    self->library_ = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    self->file_ = file;
    if (self->library_ != nullptr) break;
  }
  if (self->library_ == nullptr) {
    why = "no libcublas.so is found by the loader";
    return nullptr;
  }
  self->functions_ = std::make_unique<Functions>();
  Functions& f = *self->functions_;
  if (!find(self->library_, "cublasCreate_v2", f.create) || !find(self->library_, "cublasDestroy_v2", f.destroy) ||
      !find(self->library_, "cublasSetStream_v2", f.set_stream) || !find(self->library_, "cublasGemmEx", f.gemm_ex)) {
    why = self->file_ + " lacks a function";
    return nullptr;
  }
  if (f.create(&self->handle_) != 0 || f.set_stream(self->handle_, stream) != 0) {
    why = self->file_ + " does not start";
    return nullptr;
  }
  return self;
}

Cublas::~Cublas() {
  if (handle_ != nullptr) functions_->destroy(handle_);
  if (library_ != nullptr) dlclose(library_);
}

void Cublas::gemm(Type type, int m, int n, int k, const void* a, const void* b, float* c) {
  constexpr cudaDataType_t kTypes[] = {CUDA_R_32F, CUDA_R_16F, CUDA_R_16BF};
  const cudaDataType_t t = kTypes[static_cast<int>(type)];
  const float one = 1, zero = 0;
  // Column by column a row-major matrix is its transpose: c^T[n,m] = b[n,k] a^T[k,m], b being stored as [k,n] by columns.
  const int status = functions_->gemm_ex(handle_, kTransposed, kNotTransposed, n, m, k, &one, b, t, k, a, t, k, &zero,
                                         c, CUDA_R_32F, n, kCompute32F, kDefaultAlgorithm);
  if (status != 0) throw Error("ERR_INTERNAL", "cublasGemmEx: status " + std::to_string(status));
}

}  // namespace wam::bench
