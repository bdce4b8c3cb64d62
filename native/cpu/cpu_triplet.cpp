// The triplet margin of the CPU backend. Every table row is summed by one task in triplet order, whatever the number of
// threads.

#include <algorithm>
#include <cstdint>

#include "cpu/cpu_backend_impl.h"
#include "cpu/flow_kernels.h"
#include "cpu/scratch.h"

namespace wam::cpu {
namespace {

/// Memory of a call, from `memory` or, for its size, from null. Rows that several triplets pull at, or that are
/// normalised, get a slot: there are `most` of them at most.
struct TripletMemory {
  TripletMemory(char* memory, std::size_t count, std::size_t vocab, std::size_t most, std::size_t dim) {
    char* const start = memory;
    distances = take<TripletDistances>(memory, count);
    slot = take<std::int32_t>(memory, vocab), uses = take<std::uint8_t>(memory, vocab);
    next = take<std::int32_t>(memory, 3 * count);
    first = take<std::int32_t>(memory, most), token = take<std::int32_t>(memory, most);
    row = take<TripletRow>(memory, most), z = take<double>(memory, most * dim);
    bytes = static_cast<std::size_t>(memory - start);
  }
  TripletDistances* distances;  // [count]
  std::int32_t* slot;           // [vocab], -1: none
  std::uint8_t* uses;           // [vocab] 0, 1, or 2 for more
  std::int32_t* next;           // [count, 3] lists of places, 3 i + role
  std::int32_t *first, *token;  // [slots] of the list; of the table
  TripletRow* row;              // [slots]
  double* z;                    // [slots, dim]
  std::size_t bytes;
};

}  // namespace

double CpuBackend::triplet_margin(int count, int vocab, int dim, const real* table, const std::int32_t* anchor,
                                  const std::int32_t* positive, const std::int32_t* negative, const real* margin,
                                  bool normalise, real* dtable, double scale, bool add) {
  const std::int64_t width = dim;
  if (count <= 0) {
    if (dtable != nullptr && !add) fill(vocab * width, 0, dtable);
    return 0;
  }
  const double eps = normalise ? 0 : 1e-6, share = scale / count;
  const std::int32_t* id[3] = {anchor, positive, negative};
  const auto triplets = static_cast<std::size_t>(count), tokens = static_cast<std::size_t>(vocab);
  const std::size_t most = std::min(3 * triplets, tokens), depth = static_cast<std::size_t>(dim);
  const TripletMemory m(call_scratch<char>(TripletMemory(nullptr, triplets, tokens, most, depth).bytes), triplets,
                        tokens, most, depth);

  std::fill_n(m.uses, vocab, std::uint8_t{0});
  std::fill_n(m.slot, vocab, -1);
  for (const std::int32_t* list : id)
    for (std::int64_t i = 0; i < count; ++i) m.uses[list[i]] = m.uses[list[i]] == 0 ? 1 : 2;
  // A triplet whose rows are its own is done in one go.
  const auto alone = [&](std::int64_t i) {
    return !normalise && (m.uses[anchor[i]] | m.uses[positive[i]] | m.uses[negative[i]]) == 1;
  };
  std::int32_t slots = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (alone(i)) continue;
    for (const std::int32_t* list : id) {
      if (m.slot[list[i]] >= 0) continue;
      m.token[slots] = list[i];
      m.slot[list[i]] = slots++;
    }
  }
  parallel_ranges(slots, 16, 4.0 * dim, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t s = begin; s < end; ++s)
      m.row[s] = flow_.spread_row(dim, table + m.token[s] * width, normalise, m.z + s * width);
  });
  const auto z_of = [&](std::int32_t token) { return m.z + m.slot[token] * width; };
  parallel_ranges(count, 16, 8.0 * dim, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t a = anchor[i], p = positive[i], n = negative[i];
      if (!alone(i)) {
        m.distances[i] = flow_.triplet_distances(dim, z_of(anchor[i]), z_of(positive[i]), z_of(negative[i]), eps);
        continue;
      }
      const auto gradient = [&](std::int64_t token) { return dtable == nullptr ? nullptr : dtable + token * width; };
      m.distances[i] = flow_.whole_triplet(dim, table + a * width, table + p * width, table + n * width, eps, margin[i],
                                           share, add, gradient(a), gradient(p), gradient(n));
    }
  });
  const auto hinge = [&](std::int64_t i) { return m.distances[i].positive - m.distances[i].negative + margin[i]; };
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += std::max(0.0, hinge(i));
  const double loss = scale * sum / count;
  if (dtable == nullptr) return loss;

  if (!add) {
    parallel_ranges(vocab, 64, dim, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t v = begin; v < end; ++v)
        if (m.uses[v] == 0) std::fill_n(dtable + v * width, dim, real{0});
    });
  }
  // The triplets that pull at each slot, as lists in triplet order.
  std::fill_n(m.first, slots, -1);
  for (std::int32_t i = count - 1; slots > 0 && i >= 0; --i) {
    if (!(hinge(i) > 0) || alone(i)) continue;
    for (int role = 2; role >= 0; --role) {
      std::int32_t& head = m.first[m.slot[id[role][i]]];
      m.next[3 * i + role] = head;
      head = 3 * i + role;
    }
  }
  const double cost_of_slot = slots == 0 ? 0 : 4.0 * dim * (1 + 3.0 * count / slots);
  parallel_ranges(slots, 1, cost_of_slot, [&](std::int64_t begin, std::int64_t end, int worker) {
    double* gradient = worker_scratch<double>(worker, depth);
    for (std::int64_t s = begin; s < end; ++s) {
      if (add && m.first[s] < 0) continue;
      std::fill_n(gradient, dim, 0.0);
      for (std::int32_t place = m.first[s]; place >= 0; place = m.next[place]) {
        const int i = place / 3, role = place % 3;
        const TripletDistances& t = m.distances[i];
        // d|x|/dx = x/|x|, and 0 at 0
        const double to_positive = t.positive > 0 ? share / t.positive : 0;
        const double to_negative = t.negative > 0 ? -share / t.negative : 0;
        const double *a = z_of(anchor[i]), *p = z_of(positive[i]), *n = z_of(negative[i]);
        if (role == 0) {
          flow_.add_triplet_gradient(dim, a, p, n, eps, to_positive, to_negative, gradient);
        } else if (role == 1) {  // the difference with its sign turned
          flow_.add_triplet_gradient(dim, p, a, nullptr, -eps, to_positive, 0, gradient);
        } else {
          flow_.add_triplet_gradient(dim, n, nullptr, a, -eps, 0, to_negative, gradient);
        }
      }
      flow_.finish_triplet_row(dim, m.z + s * width, m.row[s], gradient, add, dtable + m.token[s] * width);
    }
  });
  return loss;
}

}  // namespace wam::cpu
