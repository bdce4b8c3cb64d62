#include "vla/vla_weights.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "vla/read_real.h"

namespace wam::vla {
namespace {

// Rows of the head that are packed at a time: bounds the floats that exist while loading.
constexpr int kHeadRows = 8192;
constexpr std::size_t kRowsBeforeRelease = 128;
constexpr std::int64_t kChunk = 1 << 20;  // numbers read at a time where nothing is packed

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::int64_t size_of(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t dim : shape) count *= dim;
  return count;
}

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16; }

}  // namespace

void check_tensors(const VlaNetwork& network, const TensorSource& source) {
  std::string problems;
  const auto report = [&](const std::string& text) { problems += (problems.empty() ? "" : "; ") + text; };
  for (const Part& part : network.tensors()) {
    const TensorView* view = source.find(part.name);
    if (view == nullptr) {
      report("missing tensor " + part.name);
    } else if (view->shape != part.shape) {
      report(part.name + ": expected shape " + shape_text(part.shape) + ", received " + shape_text(view->shape));
    } else if (!is_float(view->dtype)) {
      report(part.name + ": expected F32, BF16 or F16, received " + dtype_name(view->dtype));
    }
  }
  if (!problems.empty()) throw Error("ERR_CHECKPOINT_CORRUPT", problems);
}

/// Brings stored tensors to the backend, a bounded number of floats at a time.
class VlaWeights::Loader {
 public:
  Loader(const TensorSource& source, Backend& backend, std::int64_t largest) : source_(source), backend_(backend) {
    host_.resize(static_cast<std::size_t>(largest));
    if (!backend.unified()) device_ = static_cast<real*>(backend.allocate(host_.size() * sizeof(real)));
  }
  ~Loader() {
    if (device_ != nullptr) backend_.release(device_);
  }
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Rows [first, first + count) of a tensor behind what was read since the last `begin`.
  void begin() { filled_ = 0; }
  void read(const Part& part, std::int64_t first, std::int64_t count) {
    const std::int64_t columns = size_of(part.shape) / part.rows();
    real* to = host_.data() + filled_;
    read_real(*source_.find(part.name), first * columns, count * columns, to);
    require_finite(part.name, first * columns, to, count * columns);
    source_.release(part.name, first * columns, count * columns);
    filled_ += count * columns;
  }
  /// What was read as a weight of k columns.
  std::unique_ptr<PackedWeight> pack(int k) {
    const real* b = host_.data();
    if (device_ != nullptr) {
      backend_.upload(device_, b, static_cast<std::size_t>(filled_) * sizeof(real));
      b = device_;
    }
    return backend_.pack(b, k, true, k, static_cast<int>(filled_ / k));
  }
  void upload(real* to) { backend_.upload(to, host_.data(), static_cast<std::size_t>(filled_) * sizeof(real)); }

 private:
  const TensorSource& source_;
  Backend& backend_;
  std::vector<real> host_;
  real* device_ = nullptr;
  std::int64_t filled_ = 0;
};

VlaWeights::VlaWeights(const VlaConfig& config, std::shared_ptr<const TensorSource> source, Backend& backend,
                       TokenRange numeric)
    : config_(config), network_(config, Residency::packed), source_(std::move(source)), backend_(backend) {
  check_tensors(network_, *source_);
  embedding_ = source_->find(network_.embedding.name);
  const int hidden = config.language.hidden, vocab = config.language.vocab;
  std::int64_t largest = std::max<std::int64_t>(kChunk, std::int64_t{std::min(kHeadRows, vocab)} * hidden);
  for (const Matrix& matrix : network_.matrices)
    largest = std::max(largest, std::int64_t{matrix.linear.in} * matrix.linear.out);
  for (const model::TensorSpec& spec : network_.layout.tensors()) largest = std::max(largest, spec.count);
  Loader loader(*source_, backend, largest);

  // In the order in which a call reads them.
  packed_.resize(network_.matrices.size());
  for (std::size_t i = 0; i < packed_.size(); ++i) {
    const Matrix& matrix = network_.matrices[i];
    loader.begin();
    for (const Part& part : matrix.parts) loader.read(part, 0, part.rows());
    packed_[i] = loader.pack(matrix.linear.in);
  }
  for (int first = 0; first < vocab;) {
    int end = std::min(first + kHeadRows, vocab);
    for (const int cut : {numeric.begin, numeric.end}) {
      if (first < cut && cut < end) end = cut;
    }
    loader.begin();
    loader.read(network_.head, first, end - first);
    head_.push_back({{first, end}, loader.pack(hidden)});
    first = end;
  }
  // Looked through here, so that no call ever meets a number that is not finite.
  for (std::int64_t first = 0, rows = std::max<std::int64_t>(1, kChunk / hidden); first < vocab; first += rows) {
    loader.begin();
    loader.read(network_.embedding, first, std::min<std::int64_t>(rows, vocab - first));
  }
  block_ = static_cast<real*>(backend.allocate(static_cast<std::size_t>(network_.layout.size()) * sizeof(real)));
  try {
    for (const model::TensorSpec& spec : network_.layout.tensors()) {
      loader.begin();
      loader.read({spec.name, spec.shape}, 0, spec.shape[0]);
      loader.upload(block_ + spec.offset);
    }
  } catch (...) {
    backend.release(block_);
    throw;
  }
}

VlaWeights::~VlaWeights() { backend_.release(block_); }

void VlaWeights::embed(std::span<const std::int32_t> ids, real* rows) const {
  const std::int64_t hidden = config_.language.hidden;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    read_real(*embedding_, ids[i] * hidden, hidden, rows);
    rows += hidden;
    // A page that was read brings its neighbours with it, which nobody may want.
    if ((i + 1) % kRowsBeforeRelease == 0 || i + 1 == ids.size()) release_embedding(0, config_.language.vocab);
  }
}

void VlaWeights::release_embedding(std::int64_t first_row, std::int64_t rows) const {
  const std::int64_t hidden = config_.language.hidden;
  source_->release(network_.embedding.name, first_row * hidden, rows * hidden);
}

TokenRange VlaWeights::head_range(TokenRange wanted) const {
  TokenRange range = wanted;
  for (const HeadPart& part : head_) {
    if (part.range.end <= wanted.begin || part.range.begin >= wanted.end) continue;
    range.begin = std::min(range.begin, part.range.begin), range.end = std::max(range.end, part.range.end);
  }
  return range;
}

void VlaWeights::head(int rows, const real* x, TokenRange range, real* logits) const {
  for (const HeadPart& part : head_) {
    if (part.range.begin < range.begin || part.range.end > range.end) continue;
    Gemm g;
    g.m = rows, g.n = part.range.count(), g.k = config_.language.hidden;
    g.a = x, g.lda = g.k;
    g.packed = part.packed.get();
    g.c = logits + (part.range.begin - range.begin), g.ldc = range.count();
    backend_.gemm(g);
  }
}

}  // namespace wam::vla
