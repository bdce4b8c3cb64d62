// Layer norm and RMS norm of the GPU backend against their definitions in float64.
#include <cmath>
#include <cstdio>

#include "core/error.h"
#include "test/gpu/operands.h"

namespace wam::test {
namespace {

struct Shape {
  int rows, cols;
  std::size_t size() const { return static_cast<std::size_t>(rows) * cols; }
};
std::string name(const Shape& s) { return std::to_string(s.rows) + "x" + std::to_string(s.cols); }

// Widths around 4, a warp's 128, its 1024 columns at most, a block's 2048 and its 8192; rows around the 4 of a block and
// the 128 of a chunk of column sums, three chunks and a rest.
const Shape kShapes[] = {{1, 1},    {3, 2},    {5, 33},   {4, 127},  {9, 256},  {7, 1021}, {5, 1024},
                         {2, 1025}, {3, 2051}, {2, 8192}, {129, 31}, {400, 64}, {391, 5}};
constexpr float kEps = 1e-5f;

/// One norm's operands and its float64 results. x is off centre, so that the mean matters.
struct Problem {
  Shape s;
  bool centred;
  std::vector<float> x, weight, bias, dy, dx, dweight, dbias, mean, rstd;

  Problem(const Shape& shape, bool layer) : s(shape), centred(layer) {
    const auto cols = static_cast<std::size_t>(s.cols);
    x = normal_values(s.size(), 1), weight = normal_values(cols, 2), bias = normal_values(cols, 3);
    for (float& v : x) v += 2;
    dy = normal_values(s.size(), 4), dx = normal_values(s.size(), 5);
    dweight = normal_values(cols, 6), dbias = normal_values(cols, 7);
    for (int r = 0; r < s.rows; ++r) {
      double m = 0, q = 0;
      for (int j = 0; j < s.cols; ++j) m += at(x, r, j) / s.cols;
      if (!centred) m = 0;
      for (int j = 0; j < s.cols; ++j) q += (at(x, r, j) - m) * (at(x, r, j) - m) / s.cols;
      mean.push_back(static_cast<float>(m));
      rstd.push_back(static_cast<float>(1 / std::sqrt(q + kEps)));
    }
  }
  double at(const std::vector<float>& v, int r, int j) const {
    return v[static_cast<std::size_t>(r) * static_cast<std::size_t>(s.cols) + static_cast<std::size_t>(j)];
  }
  /// y, then rstd, then the mean of a layer norm.
  std::vector<double> forward() const {
    std::vector<double> out(s.size()), scales, means;
    for (int r = 0; r < s.rows; ++r) {
      double m = 0, q = 0;
      for (int j = 0; j < s.cols; ++j) m += at(x, r, j) / s.cols;
      if (!centred) m = 0;
      for (int j = 0; j < s.cols; ++j) q += (at(x, r, j) - m) * (at(x, r, j) - m) / s.cols;
      const double scale = 1 / std::sqrt(q + static_cast<double>(kEps));
      for (int j = 0; j < s.cols; ++j) {
        out[static_cast<std::size_t>(r) * static_cast<std::size_t>(s.cols) + static_cast<std::size_t>(j)] =
            (at(x, r, j) - m) * scale * weight[static_cast<std::size_t>(j)] +
            (centred ? bias[static_cast<std::size_t>(j)] : 0.0f);
      }
      scales.push_back(scale), means.push_back(m);
    }
    append_to(out, scales);
    if (centred) append_to(out, means);
    return out;
  }
  /// dx, dweight, dbias of a layer norm.
  std::vector<double> backward(bool add_dx) const {
    std::vector<double> out(s.size()), dw = as_doubles(dweight), db = as_doubles(dbias);
    for (int r = 0; r < s.rows; ++r) {
      const double m = centred ? mean[static_cast<std::size_t>(r)] : 0.0, scale = rstd[static_cast<std::size_t>(r)];
      double sum_e = 0, sum_eh = 0;
      for (int j = 0; j < s.cols; ++j) {
        const double h = (at(x, r, j) - m) * scale, d = at(dy, r, j), e = d * weight[static_cast<std::size_t>(j)];
        sum_e += e, sum_eh += e * h;
        dw[static_cast<std::size_t>(j)] += d * h, db[static_cast<std::size_t>(j)] += d;
      }
      for (int j = 0; j < s.cols; ++j) {
        const double h = (at(x, r, j) - m) * scale, e = at(dy, r, j) * weight[static_cast<std::size_t>(j)];
        out[static_cast<std::size_t>(r) * static_cast<std::size_t>(s.cols) + static_cast<std::size_t>(j)] =
            (add_dx ? at(dx, r, j) : 0) + scale * (e - (centred ? sum_e / s.cols : 0) - h * sum_eh / s.cols);
      }
    }
    append_to(out, dw);
    if (centred) append_to(out, db);
    return out;
  }

  std::vector<float> run_forward(Backend& b, Operands& o, bool in_place) const {
    float* in = o.put(x);
    const float *w = o.put(weight), *c = o.put(bias);
    float* y = in_place ? in : o.put(std::vector<float>(s.size(), 99.0f));
    float *m = o.put(mean), *scale = o.put(std::vector<float>(rstd.size()));
    if (centred) {
      b.layer_norm(s.rows, s.cols, in, w, c, kEps, y, m, scale);
    } else {
      b.rms_norm(s.rows, s.cols, in, w, kEps, y, scale);
    }
    std::vector<float> out = o.get(y, s.size());
    append_to(out, o.get(scale, rstd.size()));
    if (centred) append_to(out, o.get(m, mean.size()));
    return out;
  }
  std::vector<float> run_backward(Backend& b, Operands& o, bool add_dx, bool in_place) const {
    const float *in = o.put(x), *w = o.put(weight), *m = o.put(mean), *scale = o.put(rstd);
    float* d = o.put(dy);
    float* out_dx = in_place ? d : o.put(dx);
    float *dw = o.put(dweight), *db = o.put(dbias);
    if (centred) {
      b.layer_norm_backward(s.rows, s.cols, in, w, m, scale, d, out_dx, add_dx, dw, db);
    } else {
      b.rms_norm_backward(s.rows, s.cols, in, w, scale, d, out_dx, add_dx, dw);
    }
    std::vector<float> out = o.get(out_dx, s.size());
    append_to(out, o.get(dw, dweight.size()));
    if (centred) append_to(out, o.get(db, dbias.size()));
    return out;
  }
};

TEST(gpu_norm_forward) {
  double worst = 0;
  for (const bool centred : {true, false}) {
    for (const Shape& s : kShapes) {
      const Context at(std::string(centred ? "layer " : "rms ") + name(s));
      const Problem p(s, centred);
      const auto compute = [&](Backend& b, Operands& o) { return p.run_forward(b, o, s.cols % 2 == 0); };
      worst = std::max(worst, check_in_all_orders(compute, p.forward(), 1e-6));
    }
  }
  std::printf("norm forward: worst error %.2g\n", worst);
}

TEST(gpu_norm_backward) {
  double worst = 0;
  for (const bool centred : {true, false}) {
    for (const Shape& s : kShapes) {
      for (const bool add : {false, true}) {
        const Context at(std::string(centred ? "layer " : "rms ") + name(s) + (add ? " add" : ""));
        const Problem p(s, centred);
        const auto compute = [&](Backend& b, Operands& o) {
          return p.run_backward(b, o, add, !add && s.cols % 2 == 0);
        };
        worst = std::max(worst, check_in_all_orders(compute, p.backward(add), 1e-5));
      }
    }
  }
  std::printf("norm backward: worst error %.2g\n", worst);
}

TEST(gpu_norm_without_saved_statistics) {
  const Problem p({3, 40}, true), q({3, 1030}, false);
  std::vector<double> expected = p.forward();
  expected.resize(p.s.size());
  check_in_all_orders(
      [&](Backend& b, Operands& o) {
        float* y = o.put(std::vector<float>(p.s.size()));
        b.layer_norm(p.s.rows, p.s.cols, o.put(p.x), o.put(p.weight), o.put(p.bias), kEps, y, nullptr, nullptr);
        return o.get(y, p.s.size());
      },
      expected, 1e-6);
  expected = q.forward();
  expected.resize(q.s.size());
  check_in_all_orders(
      [&](Backend& b, Operands& o) {
        float* y = o.put(std::vector<float>(q.s.size()));
        b.rms_norm(q.s.rows, q.s.cols, o.put(q.x), o.put(q.weight), kEps, y, nullptr);
        return o.get(y, q.s.size());
      },
      expected, 1e-6);
}

TEST(gpu_norm_rows_do_not_depend_on_the_batch) {
  for (const int cols : {37, 256, 2048}) {
    const Problem p({9, cols}, true);
    const std::unique_ptr<Backend> backend = simt::make_backend({});
    Operands o(*backend, 0);
    const float *x = o.put(p.x), *w = o.put(p.weight), *c = o.put(p.bias);
    float *all = o.put(p.x), *one = o.put(p.x);
    backend->layer_norm(9, cols, x, w, c, kEps, all, nullptr, nullptr);
    for (int r = 0; r < 9; ++r)
      backend->layer_norm(1, cols, x + r * cols, w, c, kEps, one + r * cols, nullptr, nullptr);
    CHECK_SAME_BITS(o.get(one, p.s.size()).data(), o.get(all, p.s.size()).data(), p.s.size());
    check_no_reports();
  }
}

TEST(gpu_norm_refuses_rows_that_are_too_wide) {
  const std::unique_ptr<Backend> backend = simt::make_backend({});
  Operands o(*backend, 0);
  float* x = o.put(std::vector<float>(8193));
  CHECK_THROWS(backend->rms_norm(1, 8193, x, x, kEps, x, nullptr), Error);
  CHECK_THROWS(backend->layer_norm(1, 8193, x, x, x, kEps, x, nullptr, nullptr), Error);
}

TEST(gpu_norm_of_no_rows_does_nothing) {
  const std::unique_ptr<Backend> backend = simt::make_backend({});
  Operands o(*backend, 0);
  float* x = o.put(std::vector<float>(8, 3.0f));
  backend->layer_norm(0, 8, x, x, x, kEps, x, nullptr, nullptr);
  backend->rms_norm_backward(0, 8, x, x, x, x, x, false, x);
  CHECK_EQ(o.get(x, 8)[7], 3.0f);
}

}  // namespace
}  // namespace wam::test
