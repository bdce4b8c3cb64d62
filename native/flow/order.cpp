#include "flow/order.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace wam::flow {

OrderCount count_order_violations(int vocab, int dim, const real* table, int stride) {
  const auto width = static_cast<std::size_t>(dim);
  std::vector<double> rows(static_cast<std::size_t>(vocab) * width);
  for (int v = 0; v < vocab; ++v) {
    const real* row = table + static_cast<std::size_t>(v) * width;
    double square = 0;
    for (std::size_t p = 0; p < width; ++p) square += static_cast<double>(row[p]) * row[p];
    const double norm = std::max(std::sqrt(square), 1e-12);
    for (std::size_t p = 0; p < width; ++p) rows[static_cast<std::size_t>(v) * width + p] = row[p] / norm;
  }
  OrderCount count;
  for (int i = 0; i < vocab; i += stride) {
    const double* anchor = rows.data() + static_cast<std::size_t>(i) * width;
    double before = 0;
    for (int j = i + 1; j < vocab; ++j) {
      const double* row = rows.data() + static_cast<std::size_t>(j) * width;
      double distance2 = 0;
      for (std::size_t p = 0; p < width; ++p) distance2 += (row[p] - anchor[p]) * (row[p] - anchor[p]);
      if (distance2 <= before) ++count.violations;
      ++count.pairs;
      before = distance2;
    }
  }
  return count;
}

}  // namespace wam::flow
