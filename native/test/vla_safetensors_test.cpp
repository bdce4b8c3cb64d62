// Containers are laid out by hand here; 16-bit formats are compared with their definition in double.

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "test/test.h"
#include "test/vla_files.h"
#include "vla/checkpoint_files.h"
#include "vla/json_reader.h"
#include "vla/name_list.h"
#include "vla/safetensors.h"

namespace wam::test {
namespace {

using vla::CheckpointFiles;
using vla::DType;
using vla::TensorView;

std::string json_error(const std::string& text) {
  return error_of([&] {
    vla::JsonReader json(text, "text");
    json.skip();
    json.end();
  });
}

/// What is wrong with a header before `data_bytes` bytes of data.
std::string header_error(const std::string& json, std::uint64_t data_bytes) {
  return error_of([&] { vla::parse_safetensors_header(json, data_bytes, "file"); });
}

std::string entry(const char* dtype, const char* shape, int begin, int end) {
  return std::string("{\"dtype\":\"") + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":[" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

std::string open_error(const TemporaryFolder& folder) {
  return error_of([&] { vla::open_checkpoint(folder.path()); });
}

bool corrupt(const std::string& error, const std::string& text) {
  const bool fits = says(error, "ERR_CHECKPOINT_CORRUPT", text);
  if (!fits) std::printf("got \"%s\", expected \"...%s...\"\n", error.c_str(), text.c_str());
  return fits;
}

/// A view of 16-bit patterns.
TensorView view_of(DType dtype, const std::vector<std::uint16_t>& bits) {
  return {dtype, {static_cast<std::int64_t>(bits.size())}, reinterpret_cast<const std::byte*>(bits.data())};
}

std::vector<std::uint16_t> all_patterns() {
  std::vector<std::uint16_t> bits(65536);
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::uint16_t>(i);
  return bits;
}

/// The number of a 16-bit format with `fraction_bits`, by its definition. NaN for NaN.
double number_of(unsigned bits, int fraction_bits) {
  const int exponent_bits = 15 - fraction_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
  const int fraction = static_cast<int>(bits) & ((1 << fraction_bits) - 1);
  const double sign = (bits & 0x8000u) != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
}

TEST(vla_sixteen_bit_formats_widen_exactly) {
  const std::vector<std::uint16_t> bits = all_patterns();
  struct Format {
    DType dtype;
    int fraction_bits;
  };
  for (const Format format : {Format{DType::f16, 10}, Format{DType::bf16, 7}}) {
    const Context context(vla::dtype_name(format.dtype));
    std::vector<float> wide(bits.size());
    vla::read_f32(view_of(format.dtype, bits), 0, 65536, wide.data());
    long wrong = 0;
    for (unsigned i = 0; i < 65536; ++i) {
      const double expected = number_of(i, format.fraction_bits);
      const auto word = std::bit_cast<std::uint32_t>(wide[i]);
      // Bits, not values: subnormal floats are flushed in comparisons on this thread.
      const bool same = std::isnan(expected)
                            ? (word & 0x7f800000u) == 0x7f800000u && (word & 0x7fffffu) != 0 && word >> 31 == i >> 15
                            : word == std::bit_cast<std::uint32_t>(static_cast<float>(expected)) ||
                                  (format.dtype == DType::bf16 && word == i << 16);
      wrong += !same;
    }
    CHECK_EQ(wrong, 0);
  }
  // Payloads of NaN stay: quiet and signalling.
  float nan[2];
  vla::read_f32(view_of(DType::f16, {0x7e01, 0xfc03}), 0, 2, nan);
  CHECK_EQ(std::bit_cast<std::uint32_t>(nan[0]), 0x7fc02000u);
  CHECK_EQ(std::bit_cast<std::uint32_t>(nan[1]), 0xff806000u);
}

TEST(vla_values_are_read_from_any_alignment) {
  const float numbers[] = {1.5f, -0.0f, 3e-40f, std::numeric_limits<float>::quiet_NaN(), 7};
  for (std::size_t shift = 0; shift < 4; ++shift) {
    std::vector<std::byte> memory(shift + sizeof numbers);
    std::memcpy(memory.data() + shift, numbers, sizeof numbers);
    const TensorView tensor{DType::f32, {5}, memory.data() + shift};
    float out[3];
    vla::read_f32(tensor, 1, 3, out);
    CHECK_SAME_BITS(out, numbers + 1, 3);
  }
}

TEST(vla_read_f32_keeps_to_the_tensor) {
  const std::vector<std::uint16_t> bits(6);
  const TensorView tensor = view_of(DType::bf16, bits);
  float out[6];
  constexpr std::int64_t kBig = std::numeric_limits<std::int64_t>::max();
  for (const auto& [begin, count] : {std::pair<std::int64_t, std::int64_t>{-1, 1},
                                     {0, 7},
                                     {6, 1},
                                     {7, 0},
                                     {2, -1},
                                     {1, kBig},
                                     {kBig, kBig},
                                     {kBig, 0}}) {
    CHECK(says(error_of([&] { vla::read_f32(tensor, begin, count, out); }), "ERR_RANGE", "the tensor has 6"));
  }
  vla::read_f32(tensor, 6, 0, out);
  const TensorView integers{DType::i64, {1}, reinterpret_cast<const std::byte*>(bits.data())};
  CHECK(corrupt(error_of([&] { vla::read_f32(integers, 0, 1, out); }), "received I64"));
}

TEST(vla_json_is_read_strictly) {
  for (const char* valid : {"{}", "[]", " {\"a\" : [1, -0.5e+3, true, false, null, \"\\u00e9\\n\"]}\n", "0", "-0",
                            "\"\"", "\"\xf0\x9f\x98\x80\\ud83d\\ude00\"", "[[[[]]]]"}) {
    const Context context(valid);
    CHECK_EQ(json_error(valid), "");
  }
  const std::string nul("{\"a\":1}\0", 8), nul_inside("[\0]", 3);
  for (const std::string& invalid : {std::string(""),
                                     std::string("{"),
                                     std::string("{]"),
                                     std::string("[1,]"),
                                     std::string("{\"a\":1,}"),
                                     std::string("{a:1}"),
                                     std::string("'a'"),
                                     std::string("01"),
                                     std::string("+1"),
                                     std::string(".5"),
                                     std::string("1."),
                                     std::string("1e"),
                                     std::string("--1"),
                                     std::string("NaN"),
                                     std::string("Infinity"),
                                     std::string("tru"),
                                     std::string("nul"),
                                     std::string("1 2"),
                                     std::string("{} {}"),
                                     std::string("// a\n1"),
                                     std::string("\"a"),
                                     std::string("\"\t\""),
                                     std::string("\"\\x41\""),
                                     std::string("\"\\u12g4\""),
                                     std::string("\"\\u12"),
                                     std::string("\"\\ud800\""),
                                     std::string("\"\\udc00\""),
                                     std::string("\"\\ud800\\u0041\""),
                                     std::string("\xef\xbb\xbf{}"),
                                     std::string("\"\xff\""),
                                     std::string("\"\xc0\xaf\""),
                                     std::string("\"\xed\xa0\x80\""),
                                     std::string("\"\xf4\x90\x80\x80\""),
                                     std::string("\"\xe2\x82\""),
                                     std::string("{\"a\":1,\"a\":2}"),
                                     std::string("{\"a\":1,\"\\u0061\":2}"),
                                     std::string(10000, '['),
                                     std::string("{\"a\":") + std::string(50, '['),
                                     nul,
                                     nul_inside}) {
    const Context context(vla::in_quotes(invalid));
    CHECK(json_error(invalid).starts_with("ERR_CHECKPOINT_CORRUPT: text: "));
  }
  vla::JsonReader escapes("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u20ac\\ud83d\\ude00\"", "text");
  CHECK_EQ(escapes.string(), "\"\\/\b\f\n\r\t\xe2\x82\xac\xf0\x9f\x98\x80");
}

TEST(vla_whole_numbers_end_at_2_to_53) {
  CHECK_EQ(vla::JsonReader("9007199254740991", "t").integer(), 9007199254740991);
  CHECK_EQ(vla::JsonReader(" 0", "t").integer(), 0);
  for (const char* wrong : {"9007199254740992", "18446744073709551616", "99999999999999999999999999", "-1", "1.0",
                            "1e3", "true", "\"1\""}) {
    const Context context(wrong);
    CHECK(error_of([&] { vla::JsonReader(wrong, "t").integer(); }).starts_with("ERR_CHECKPOINT_CORRUPT"));
  }
}

TEST(vla_messages_hold_no_control_characters) {
  CHECK_EQ(vla::in_quotes("a\"b\\\x1b[31m\xff\xc3\xa9"), "\"a\\\"b\\\\\\x1b[31m\\xff\xc3\xa9\"");
  CHECK(vla::in_quotes(std::string(5000, 'x')).size() < 100);
}

TEST(vla_headers_are_believed_nothing) {
  const std::string a = "\"a\":" + entry("F32", "[2]", 0, 8), b = "\"b\":" + entry("F32", "[1]", 8, 12);
  CHECK_EQ(header_error("{}", 0), "");
  CHECK_EQ(header_error("{" + a + "," + b + "}   ", 12), "");
  CHECK_EQ(header_error("{" + b + "," + a + "}", 12), "");  // any order
  CHECK_EQ(header_error("{\"__metadata__\":{\"format\":\"pt\"}," + a + "}", 8), "");
  CHECK_EQ(header_error("{\"e\":" + entry("F32", "[0,3]", 0, 0) + "," + a + "}", 8), "");
  CHECK_EQ(header_error("{\"s\":" + entry("I64", "[]", 0, 8) + "}", 8), "");

  CHECK(corrupt(header_error("{" + a + "}", 7), "it was cut off"));
  CHECK(corrupt(header_error("{" + a + "}", 9), "describes 8 bytes of data, the file holds 9"));
  CHECK(corrupt(header_error("{" + a + "," + a + "}", 8), "stands twice"));
  CHECK(corrupt(header_error("{\"a\":" + entry("F32", "[2]", 4, 12) + "}", 12), "leaves a hole"));
  CHECK(corrupt(header_error("{" + a + ",\"b\":" + entry("F32", "[1]", 12, 16) + "}", 16), "leaves a hole"));
  CHECK(corrupt(header_error("{" + a + ",\"b\":" + entry("F32", "[1]", 4, 8) + "}", 8), "overlaps"));
  CHECK(corrupt(header_error("{" + a + ",\"b\":" + entry("F32", "[2]", 0, 8) + "}", 8), "overlaps"));
  CHECK(corrupt(header_error("{\"a\":" + entry("F32", "[3]", 0, 8) + "}", 8), "needs 12 bytes"));
  CHECK(corrupt(header_error("{\"a\":" + entry("F32", "[2]", 8, 0) + "}", 8), "data_offsets are [8, 0]"));
  CHECK(corrupt(header_error("{\"a\":" + entry("F64", "[1]", 0, 8) + "}", 8), "expected one of F32, BF16, F16"));
  CHECK(corrupt(header_error("{\"a\":" + entry("f32", "[2]", 0, 8) + "}", 8), "has dtype \"f32\""));
  CHECK(corrupt(header_error("{\"a\":" + entry("F32", "[4294967296,4294967296,4294967296]", 0, 0) + "}", 0),
                "more bytes"));
  CHECK(corrupt(header_error("{\"a\":" + entry("F32", "[9007199254740991,1025]", 0, 0) + "}", 0), "more bytes"));
  CHECK(corrupt(header_error("{\"a\":" + entry("U8", "[9007199254740991,1025,0]", 0, 0) + "}", 0), "more bytes"));
  CHECK(corrupt(header_error("{\"a\":" + entry("F32", "[-2]", 0, 8) + "}", 8), "whole number"));
  CHECK(corrupt(header_error("{\"a\":" + entry("F32", "[2.0]", 0, 8) + "}", 8), "whole number"));
  CHECK(corrupt(header_error("{\"a\":" + entry("F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", 0, 8) + "}", 8),
                "more than 16 numbers"));
  CHECK(corrupt(header_error("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", 8), "more than 2"));
  CHECK(corrupt(header_error("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8), "two data_offsets"));
  CHECK(corrupt(header_error("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8), "needs dtype"));
  CHECK(corrupt(header_error("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8),
                "unknown key"));
  CHECK(corrupt(header_error("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8),
                "stands twice"));
  CHECK(corrupt(header_error("{\"\":" + entry("F32", "[2]", 0, 8) + "}", 8), "1 to 1024 bytes"));
  CHECK(
      corrupt(header_error("{\"" + std::string(2000, 'n') + "\":" + entry("F32", "[2]", 0, 8) + "}", 8), "1 to 1024"));
  CHECK(corrupt(header_error("{\"a\\u0000b\":" + entry("F32", "[2]", 0, 8) + "}", 8), "without control characters"));
  CHECK(corrupt(header_error("{\"__metadata__\":{\"a\":1}}", 0), "expected \""));
  CHECK(corrupt(header_error("[]", 0), "expected {"));
  CHECK(corrupt(header_error("", 0), "expected {"));
}

TEST(vla_a_file_cut_off_anywhere_is_refused) {
  const TemporaryFolder folder;
  const std::string whole = safetensors(
      "{\"a\":" + entry("F32", "[2]", 0, 8) + ",\"b\":" + entry("BF16", "[3]", 8, 14) + "}  ", std::string(14, '\1'));
  folder.write("model.safetensors", whole);
  CHECK_EQ(open_error(folder), "");
  long accepted = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    folder.write("model.safetensors", whole.substr(0, size));
    accepted += !open_error(folder).starts_with("ERR_CHECKPOINT_CORRUPT: ");
  }
  CHECK_EQ(accepted, 0);
  folder.write("model.safetensors", whole + "x");
  CHECK(corrupt(open_error(folder), "describes 14 bytes of data, the file holds 15"));
}

TEST(vla_files_of_other_kinds_are_named) {
  const TemporaryFolder folder;
  const auto with = [&](const std::string& content) {
    folder.write("model.safetensors", content);
    return open_error(folder);
  };
  CHECK(corrupt(with("PK\x03\x04 a zip file of torch.save ..."), "pickle of Python"));
  CHECK(corrupt(with("\x80\x02}q\x01(X\x05 ......."), "pickle of Python"));
  CHECK(corrupt(with("version https://git-lfs.github.com/spec/v1\n"), "Git LFS"));
  CHECK(corrupt(with("<!DOCTYPE html><html>"), "web page"));
  CHECK(corrupt(with(std::string(8, '\xff') + "{}"), "18446744073709551615 bytes"));
  CHECK(corrupt(with(std::string("\x01\xe1\xf5\x05\0\0\0\0", 8) + std::string(100, ' ')), "100000001 bytes"));
  folder.remove("model.safetensors");
  std::filesystem::create_directory(folder.at("model.safetensors"));
  CHECK(corrupt(open_error(folder), "not a regular file"));
}

TEST(vla_nothing_to_open_is_said_so) {
  const TemporaryFolder folder;
  constexpr const char* kCode = "ERR_CHECKPOINT_NOT_FOUND";
  CHECK(says(open_error(folder), kCode, "neither model.safetensors nor model.safetensors.index.json"));
  folder.write("weights.pt", "");
  CHECK(says(open_error(folder), kCode, "weights.pt holds pickled weights"));
  folder.write("pytorch_model.bin", "");
  CHECK(says(open_error(folder), kCode, "pytorch_model.bin holds pickled weights"));
  CHECK(says(error_of([&] { vla::open_checkpoint(folder.at("no")); }), kCode, "no such folder"));
  CHECK(says(error_of([&] { vla::open_checkpoint(folder.at("weights.pt")); }), kCode, "not a folder"));
  CHECK(says(error_of([&] { vla::open_checkpoint(""); }), "ERR_ARGUMENT", "directory"));
}

TEST(vla_tensors_are_found_where_they_lie) {
  const TemporaryFolder folder;
  const float a[] = {1, -2};
  const std::uint16_t b[] = {0x3f80, 0xc000, 0x7f80};
  std::string data(14, '\0');
  std::memcpy(data.data(), a, 8);
  std::memcpy(data.data() + 8, b, 6);
  folder.write(
      "model.safetensors",
      safetensors("{\"b\":" + entry("BF16", "[3,1]", 8, 14) + ",\"a\":" + entry("F32", "[2]", 0, 8) + "}", data));
  const CheckpointFiles files(folder.path());
  CHECK(files.names() == std::vector<std::string>({"a", "b"}));
  CHECK(files.find("c") == nullptr);
  const TensorView& found = *files.find("b");
  CHECK(found.shape == std::vector<std::int64_t>({3, 1}));
  CHECK_EQ(found.bytes(), std::size_t{6});
  for (int again = 0; again < 2; ++again) {  // after the pages were given back too
    float out[3];
    vla::read_f32(found, 0, 3, out);
    CHECK_EQ(out[0], 1.0f);
    CHECK_EQ(out[1], -2.0f);
    CHECK_EQ(out[2], std::numeric_limits<float>::infinity());
    files.release("b", 0, 3);
    for (const auto& [begin, count] : {std::pair{-1, 3}, {0, -1}, {3, 9}, {1, 9}}) files.release("b", begin, count);
    files.release("c", 0, 1);
  }
  CHECK_EQ(error_of([&] { files.check_unchanged(); }), "");
  folder.write("model.safetensors", std::string(1000, 'x'));
  CHECK(corrupt(error_of([&] { files.check_unchanged(); }), "changed while it was read"));
}

TEST(vla_files_of_a_commit_under_way_count) {
  const TemporaryFolder folder;
  const auto of = [](const char* name) {
    return safetensors(std::string("{\"") + name + "\":" + entry("U8", "[1]", 0, 1) + "}", "x");
  };
  folder.write("model.safetensors", of("old"));
  std::filesystem::create_directory(folder.at(".committed"));
  folder.write(".committed/model.safetensors", of("new"));
  CHECK(CheckpointFiles(folder.path()).find("new") != nullptr);
  folder.write(".committed/model.safetensors", "");  // the new set has no such file
  CHECK(says(open_error(folder), "ERR_CHECKPOINT_NOT_FOUND", "neither"));
}

/// Two shards, a and b in the first, c in the second.
struct Shards {
  TemporaryFolder folder;
  Shards() {
    folder.write("1.safetensors",
                 safetensors("{\"a\":" + entry("U8", "[1]", 0, 1) + ",\"b\":" + entry("U8", "[2]", 1, 3) + "}", "abb"));
    folder.write("2.safetensors", safetensors("{\"c\":" + entry("U8", "[1]", 0, 1) + "}", "c"));
  }
  std::string with(const std::string& index) const {
    folder.write("model.safetensors.index.json", index);
    return open_error(folder);
  }
  std::string map(const std::string& weights, const std::string& metadata = "{}") const {
    return with("{\"metadata\":" + metadata + ",\"weight_map\":{" + weights + "}}");
  }
};

TEST(vla_shards_are_one_source) {
  const Shards shards;
  CHECK_EQ(shards.map("\"a\":\"1.safetensors\",\"b\":\"1.safetensors\",\"c\":\"2.safetensors\"", "{\"total_size\":4}"),
           "");
  const CheckpointFiles files(shards.folder.path());
  CHECK(files.names() == std::vector<std::string>({"a", "b", "c"}));
  CHECK_EQ(static_cast<char>(*files.find("c")->data), 'c');
  CHECK_EQ(static_cast<char>(files.find("b")->data[1]), 'b');
  CHECK_EQ(files.files()[files.file_of("c")].name, "2.safetensors");
  CHECK(files.warnings().empty());
}

TEST(vla_an_index_that_lies_is_refused) {
  const Shards shards;
  const std::string a = "\"a\":\"1.safetensors\",", b = "\"b\":\"1.safetensors\",", c = "\"c\":\"2.safetensors\"";
  CHECK(corrupt(shards.map(a + b + "\"x\":\"1.safetensors\"," + c), "not in it (1): x"));
  CHECK(corrupt(shards.map(a + b + "\"c\":\"1.safetensors\""), "not in it (1): c"));
  CHECK(corrupt(shards.map(a + c), "in it, but not listed for it (1): b"));
  CHECK(corrupt(shards.map(a + "\"b\":\"2.safetensors\"," + c), "but not listed for it (1): b"));
  CHECK(corrupt(shards.map(a + b + "\"c\":\"3.safetensors\""), "there is no such file"));
  for (const char* name :
       {"../1.safetensors", "/etc/1.safetensors", "x/1.safetensors", "..\\\\1.safetensors", "C:1.safetensors",
        ".safetensors", "", "1.safetensors/", "1.bin", "..", "a\\u00001.safetensors"}) {
    const Context context(name);
    CHECK(corrupt(shards.map(a + b + "\"c\":\"" + name + "\""), "expected a file of its own folder"));
  }
  CHECK(corrupt(shards.map(a + a + b + c), "stands twice"));
  CHECK(corrupt(shards.map(""), "weight_map is empty"));
  CHECK(corrupt(shards.with("{\"metadata\":{}}"), "no weight_map"));
  CHECK(corrupt(shards.with("{\"weight_map\":[]}"), "expected {"));
  CHECK(corrupt(shards.with("{\"weight_map\":{\"a\":1}}"), "expected \""));
  CHECK(corrupt(shards.with(""), "expected {"));
  CHECK(corrupt(shards.map(a + b + c, "{\"total_size\":\"4\"}"), "expected a number"));

  // Wrong totals are common and harmless.
  for (const char* total : {"5", "4.5", "-1", "1e99", "123456789012345678901234567890"}) {
    CHECK_EQ(shards.map(a + b + c, std::string("{\"total_size\":") + total + "}"), "");
    CHECK_EQ(CheckpointFiles(shards.folder.path()).warnings().size(), std::size_t{1});
  }
  // A single file is read instead, as other readers do.
  shards.folder.write("model.safetensors", safetensors("{}", ""));
  CHECK_EQ(shards.map(a), "");
  CHECK(CheckpointFiles(shards.folder.path()).names().empty());
  CHECK_EQ(CheckpointFiles(shards.folder.path()).warnings().size(), std::size_t{1});
  shards.folder.remove("model.safetensors");
  // A shard that is cut off.
  shards.map(a + b + c);
  std::filesystem::resize_file(shards.folder.at("1.safetensors"),
                               std::filesystem::file_size(shards.folder.at("1.safetensors")) - 1);
  CHECK(corrupt(open_error(shards.folder), "1.safetensors: the header describes 3 bytes of data, the file holds 2"));
}

TEST(vla_name_lists_are_complete_and_short) {
  CHECK_EQ(vla::name_list({}), "");
  CHECK_EQ(vla::name_list({"m.layers.0.w", "m.layers.1.w", "m.layers.2.w", "m.layers.4.w", "m.layers.5.w", "m.norm"}),
           "m.layers.{0..2,4,5}.w, m.norm");
  CHECK_EQ(vla::name_list({"m.7.w", "m.7.b", "8"}), "m.7.w, m.7.b, 8");
  CHECK_EQ(vla::name_list({"a\x1b"}), "\"a\\x1b\"");
  std::vector<std::string> many;
  for (int i = 0; i < 60; ++i) many.push_back("x" + std::to_string(i));
  CHECK(vla::name_list(many).ends_with(", x49, and 10 more"));
  CHECK_EQ(vla::name_list({"a.99999999999999999999.b", "a.1.b", "a..b"}), "a.99999999999999999999.b, a.1.b, a..b");
}

}  // namespace
}  // namespace wam::test
