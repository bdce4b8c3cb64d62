// What code compiled with -fsanitize=alignment calls where a pointer is not aligned for the type that is read or
// written through it. The hooks of -fsanitize=thread cannot tell: the compiler takes a float4 apart before they are
// placed.

#include <cstdint>
#include <string>

#include "simt/engine.h"
#include "simt/hooks.h"

namespace {

// GCC's and LLVM's description of the place, by their ABI.
struct Mismatch {
  const char* file;
  std::uint32_t line, column;
  const struct {
    std::uint16_t kind, info;
    char name[1];
  }* type;
  unsigned char log_alignment, check_kind;
};

void fail(const Mismatch* at, std::uintptr_t address) {
  using namespace wam::simt;
  if (unchecked.low == 0) return;  // of host code
  const Quiet quiet;
  std::string file = at->file;
  if (const std::size_t start = file.rfind("native/"); start != std::string::npos) file = file.substr(start);
  engine().fail("misaligned access", engine().describe_kernel() + ": " + engine().describe(engine().self()) + " at " +
                                         file + ":" + std::to_string(at->line) + ": " + std::string(at->type->name) +
                                         " needs " + std::to_string(1u << at->log_alignment) +
                                         " bytes, the address is " + std::to_string(address & 15) + " off 16");
}

}  // namespace

extern "C" {
void __ubsan_handle_type_mismatch_v1(Mismatch* at, std::uintptr_t address) { fail(at, address); }
void __ubsan_handle_type_mismatch_v1_abort(Mismatch* at, std::uintptr_t address) { fail(at, address); }
}
