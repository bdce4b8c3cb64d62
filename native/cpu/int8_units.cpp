// Which units for int8 products this processor has and this process may use.
#include "cpu/int8_unit.h"

#include "cpu/isa.h"

#if WAM_HAS_AVX
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace wam::cpu {
namespace {

#if WAM_HAS_AVX
struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};
Registers features(unsigned subleaf) {
  Registers r;
  if (__get_cpuid_count(7, subleaf, &r.a, &r.b, &r.c, &r.d) == 0) return {};
  return r;
}
bool has(unsigned word, int bit) { return (word >> bit & 1) != 0; }

bool has_avx512_vnni() { return has(features(0).c, 11); }
bool has_avx_vnni() { return has(features(1).a, 4); }

/// Tiles need the processor, the operating system, and Linux's leave, asked once for the process and all its threads.
bool amx_granted() {
#if defined(__linux__)
  static const bool granted = [] {
    constexpr int kTileBit = 24, kInt8Bit = 25;  // of leaf 7's d
    const unsigned d = features(0).d;
    if (!has(d, kTileBit) || !has(d, kInt8Bit)) return false;
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    constexpr unsigned kTileState = 3u << 17;
    if ((low & kTileState) != kTileState) return false;
    constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }();
  return granted;
#else
  return false;
#endif
}
#endif

}  // namespace

std::vector<Int8Unit> int8_units([[maybe_unused]] Isa isa) {
  std::vector<Int8Unit> units;
#if WAM_HAS_AVX
  if (isa == Isa::avx512 && amx_granted()) units.push_back(Int8Unit::amx);
  if (isa == Isa::avx512 ? has_avx512_vnni() : isa == Isa::avx2 && has_avx_vnni()) units.push_back(Int8Unit::vnni);
#endif
  units.push_back(Int8Unit::words);
  return units;
}

}  // namespace wam::cpu
