#pragma once
// Which tensors a Janus checkpoint must hold, by its configuration, and how that compares with what it does hold.
// Names and shapes are those of the original repositories (Janus-1.3B, FUDOKI, WAM-Flow); weights are [out, in].

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vla/tensor_source.h"

namespace wam::vla {

/// The sizes that decide names and shapes. Every number is at least 1.
struct JanusShape {
  // language_model
  std::int64_t vocab = 0;  // what the configuration says; the embedding table's rows count instead where there is one
  std::int64_t hidden = 0, mlp_hidden = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0;
  bool attention_bias = false, mlp_bias = false;  // on all linear layers of the block
  bool tied_head = false;                         // lm_head.weight may be absent: the embedding table stands for it
  // vision_model.vision_tower
  std::int64_t vision_width = 0, vision_mlp_hidden = 0, vision_layers = 0, patch = 0;
  std::int64_t image_tokens = 0;  // patches of one image
  // aligner: linear layers with GELU between them
  std::int64_t aligner_depth = 0;
};

enum class TensorPart { language, vision, aligner, generation, other };

/// By the first word of a tensor's name.
TensorPart part_of(std::string_view name);

/// Whether planning never reads the tensor and a checkpoint may hold it all the same: the generation side, the tower's
/// pooling head, stored rotary frequencies, a number head.
bool is_unused(std::string_view name);

struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
};

/// All tensors that planning needs, in the order of the network. Throws Error(ERR_CONFIG) when a size is less than 1 or
/// more than 2^31-1.
std::vector<TensorSpec> expected_tensors(const JanusShape& shape);

/// A configuration against a source.
struct Comparison {
  std::int64_t vocab = 0;  // rows of the embedding table, or as configured where there is none
  std::vector<std::string> missing;
  std::vector<std::string> mis_shaped;  // a sentence each
  std::vector<std::string> unknown;     // neither needed nor known to be unused
};

Comparison compare_manifest(const TensorSource& source, const JanusShape& shape);

/// Throws one Error(ERR_CHECKPOINT_CORRUPT), beginning with `where`, that lists all that is missing and mis-shaped, and
/// what is unknown beside it; unknown names alone are no error.
void check_manifest(const Comparison& comparison, const std::string& where);

/// The first element of a float tensor in [begin, begin + count) that is NaN or infinite, or -1. Tensors of integers
/// have none.
std::int64_t first_non_finite(const TensorView& tensor, std::int64_t begin, std::int64_t count);

/// Reads the tensors from front to back, gives their pages back, and throws Error(ERR_CHECKPOINT_CORRUPT) at the first
/// weight that is not finite, with its tensor, place and value. Returns early, without a verdict, when `stop` is set.
void check_finite(const TensorSource& source, const std::vector<std::string>& names, const std::atomic<bool>& stop);

}  // namespace wam::vla
