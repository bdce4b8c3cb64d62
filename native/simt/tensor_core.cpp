// ldmatrix and mma: the warp's fragments gathered, one plain loop, the results scattered.

#include <cstring>
#include <string>

#include "simt/device.h"
#include "simt/device_state.h"
#include "simt/engine.h"
#include "simt/report.h"

namespace wam::simt {

namespace {

struct Matrices {
  std::uint32_t* r;
  const unsigned char* row;
  int count;
  bool transposed;
  const void* pc;
};

void run_load(Warp& warp, unsigned) {
  const auto operands = [&](int lane) -> Matrices& { return *static_cast<Matrices*>(warp.operands[lane]); };
  const int count = operands(0).count;
  std::uint16_t value[4][8][8];
  for (int m = 0; m < count; ++m) {
    for (int i = 0; i < 8; ++i) {
      const Matrices& from = operands(8 * m + i);
      if (harness_checks())
        device_state().shadow.shared_access(warp.threads[8 * m + i], from.row, 16, Access::read, from.pc);
      std::memcpy(value[m][i], from.row, 16);
    }
  }
  for (int lane = 0; lane < kWarp; ++lane) {
    const Matrices& to = operands(lane);
    const int row = lane / 4, column = lane % 4 * 2;
    for (int m = 0; m < count; ++m) {
      const std::uint16_t low = to.transposed ? value[m][column][row] : value[m][row][column];
      const std::uint16_t high = to.transposed ? value[m][column + 1][row] : value[m][row][column + 1];
      to.r[m] = low | static_cast<std::uint32_t>(high) << 16;
    }
  }
}

struct Product {
  float* d;
  const std::uint32_t *a, *b;
};

template <class T>
void run_multiply(Warp& warp, unsigned) {
  float a[16][16], b[16][8], d[16][8];
  for (int lane = 0; lane < kWarp; ++lane) {
    const Product& p = *static_cast<const Product*>(warp.operands[lane]);
    const int g = lane / 4, q = lane % 4;
    for (int r = 0; r < 4; ++r) {
      const float2 pair = unpack2<T>(p.a[r]);
      float* to = &a[g + 8 * (r & 1)][2 * q + 8 * (r >> 1)];
      to[0] = pair.x, to[1] = pair.y;
      d[g + 8 * (r >> 1)][2 * q + (r & 1)] = p.d[r];
    }
    for (int r = 0; r < 2; ++r) {
      const float2 pair = unpack2<T>(p.b[r]);
      b[2 * q + 8 * r][g] = pair.x, b[2 * q + 1 + 8 * r][g] = pair.y;
    }
  }
  for (int i = 0; i < 16; ++i) {
    float sum[8];
    for (int j = 0; j < 8; ++j) sum[j] = d[i][j];
    for (int k = 0; k < 16; ++k) {
      for (int j = 0; j < 8; ++j) sum[j] += a[i][k] * b[k][j];
    }
    for (int j = 0; j < 8; ++j) d[i][j] = sum[j];
  }
  for (int lane = 0; lane < kWarp; ++lane) {
    float* to = static_cast<const Product*>(warp.operands[lane])->d;
    for (int r = 0; r < 4; ++r) to[r] = d[lane / 4 + 8 * (r >> 1)][2 * (lane % 4) + (r & 1)];
  }
}

}  // namespace

void load_matrices(std::uint32_t* r, int matrices, const void* row, bool transposed, Site at) {
  Matrices operands{r, static_cast<const unsigned char*>(row), matrices, transposed, __builtin_return_address(0)};
  engine().collective(0xffffffffu, "ldmatrix", &operands, run_load, at);
}

void multiply_16816(float* d, const std::uint32_t* a, const std::uint32_t* b, bool brain, Site at) {
  Product operands{d, a, b};
  engine().collective(0xffffffffu, "mma", &operands, brain ? run_multiply<bf16> : run_multiply<f16>, at);
}

}  // namespace wam::simt
