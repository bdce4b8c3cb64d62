#pragma once
// How a product is cut into tasks.

#include <algorithm>
#include <cstdint>

namespace wam::cpu {

/// Few rows are cut by columns, so that a weight goes into one core's cache only: a long and a short task for each thread
/// (a weight is read best in one go; the short one is for whoever is done first). Many rows are cut by rows, four tasks a
/// thread, so that a row of a is read once.
class GemmCut {
 public:
  struct Part {
    int strip_begin, strip_end, column_begin, column_end;
  };

  /// `work`: of the whole product, in units of the least that is worth a task. `columns`: panels, or groups of them.
  GemmCut(int strips, int columns, double work, int threads) : strips_(strips), columns_(columns) {
    if (threads == 1 || work < 2) return;
    const int row_tasks = static_cast<int>(std::min(4.0 * threads, work));
    if (strips >= 2 * row_tasks) {
      row_parts_ = row_tasks;
    } else {
      column_threads_ = std::min(columns, threads);
    }
  }

  bool by_rows() const { return row_parts_ > 1; }
  int tasks() const { return by_rows() ? row_parts_ : column_threads_ == 1 ? 1 : 2 * column_threads_; }
  Part part(int task) const {
    if (by_rows()) return {share(strips_, task, row_parts_), share(strips_, task + 1, row_parts_), 0, columns_};
    if (column_threads_ == 1) return {0, strips_, 0, columns_};
    return {0, strips_, column(task), column(task + 1)};
  }

 private:
  static int share(int count, int part, int parts) {
    return static_cast<int>(static_cast<std::int64_t>(count) * part / parts);
  }
  int column(int task) const {
    const int first = share(columns_, task / 2, column_threads_);
    if (task % 2 == 0) return first;
    return first + (3 * (share(columns_, task / 2 + 1, column_threads_) - first) + 3) / 4;
  }

  int strips_, columns_, row_parts_ = 1, column_threads_ = 1;
};

}  // namespace wam::cpu
