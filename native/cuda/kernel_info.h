#pragma once
// What the report of kernels (docs/kernels.md) and the bench know of each: a list per family, written beside the
// launches so that the two cannot come apart.

#include <string>
#include <string_view>
#include <vector>

#include "kernels/device.cuh"

namespace wam::WAM_GPU {

/// One shape that a kernel is met with, and what it costs there at least.
struct KernelCase {
  std::string shape;  // "24 queries, 120 keys, 8 heads of 32"
  double flops = 0;   // 2 a multiply-add
  double bytes = 0;   // read and written once
  int blocks = 0;     // of the grid
};

struct KernelInfo {
  std::string family;    // file of native/kernels without its ending
  std::string symbol;    // demangled, as kernel_symbol gives it
  int threads = 0;       // of a block
  int shared_bytes = 0;  // dynamic, of a block
  int min_arch = 75;
  bool tensor_cores = false;
  bool hot = false;  // runs in every step of a plan or of training: no spills, no loss of occupancy
  std::vector<KernelCase> cases;
};

/// "name<arguments>" of a kernel template's instance: kernel_symbol<&attention_forward<Config>>().
template <auto kKernel>
std::string kernel_symbol() {
  // "... kernel_symbol() [with auto kKernel = wam::simt::name<...>; ...]" (g++) or "... [with auto kKernel=&..." (nvcc)
  const std::string_view text = __PRETTY_FUNCTION__;
  const std::size_t at = text.find("kKernel");
  std::size_t begin = text.find('=', at) + 1;
  while (text[begin] == ' ' || text[begin] == '&') ++begin;
  int depth = 0;
  std::size_t end = begin;
  for (; end < text.size(); ++end) {
    const char c = text[end];
    if (c == '<' || c == '(') ++depth;
    if (c == '>' || c == ')') --depth;
    if (depth < 0 || (depth == 0 && (c == ';' || c == ']'))) break;
  }
  return std::string(text.substr(begin, end - begin));
}

void list_attention_kernels(std::vector<KernelInfo>& out);  // cuda_attention.cpp
void list_gemm_kernels(std::vector<KernelInfo>& out);       // cuda_gemm.cpp
void list_rows_kernels(std::vector<KernelInfo>& out);       // cuda_rows.cpp
void list_elements_kernels(std::vector<KernelInfo>& out);   // cuda_elements.cpp
void list_path_kernels(std::vector<KernelInfo>& out);       // cuda_path.cpp
void list_tokens_kernels(std::vector<KernelInfo>& out);     // cuda_tokens.cpp

/// All of them. kernel_list.cpp
std::vector<KernelInfo> all_kernels();

}  // namespace wam::WAM_GPU
