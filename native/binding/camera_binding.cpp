#include "binding/camera_binding.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "binding/camera_renderer.h"
#include "binding/fields.h"
#include "binding/function.h"
#include "binding/handle.h"

namespace wam::binding {
namespace {

// Columns of the packed forms (lib/native-camera.ts).
constexpr std::size_t kFrameColumns = 14, kBodyColumns = 12, kLineColumns = 4;
constexpr double kLargest = 1e8;  // metres
constexpr int kMostPixels = 2048, kMostFrames = 1 << 20;
constexpr std::size_t kMostBytes = std::size_t{1} << 30;

struct GroundMapHandle {
  static constexpr const char* kHandleName = "ground map";
  static constexpr napi_type_tag kHandleTag{0x77616d2d666c6f77, 20};
  std::shared_ptr<const camera::GroundMap> map;
};

std::span<const camera::Point> read_points(const Fields& fields, const char* name) {
  const std::span<double> values = fields.array_of<double>(name);
  if (values.size() % 2 != 0) throw Error("ERR_SHAPE", fields.path(name) + ": expected pairs of numbers");
  static_assert(sizeof(camera::Point) == 2 * sizeof(double));
  return {reinterpret_cast<const camera::Point*>(values.data()), values.size() / 2};
}

/// Where each list of points begins: ascending numbers from 0 to `total`.
std::span<const std::int32_t> read_starts(const Fields& fields, const char* name, std::size_t total) {
  const std::span<std::int32_t> starts = fields.array_of<std::int32_t>(name);
  if (starts.empty() || starts[0] != 0 || !std::is_sorted(starts.begin(), starts.end()) ||
      static_cast<std::size_t>(starts.back()) != total) {
    throw Error("ERR_SHAPE", fields.path(name) + ": expected ascending numbers from 0 to " + std::to_string(total));
  }
  return starts;
}

/// createGroundMap(map)
Napi::Value create_ground_map(const Napi::CallbackInfo& info) {
  const Fields fields(info[0], "map");
  const auto ring_points = read_points(fields, "ringPoints"), line_points = read_points(fields, "linePoints");
  const auto ring_starts = read_starts(fields, "ringStarts", ring_points.size());
  const auto line_starts = read_starts(fields, "lineStarts", line_points.size());
  const std::span<std::int32_t> holes = fields.array_of<std::int32_t>("ringHoles");
  const std::span<double> styles = fields.array_of<double>("lineStyles");
  if (holes.size() + 1 != ring_starts.size()) {
    throw Error("ERR_SHAPE", "map.ringHoles: expected " + std::to_string(ring_starts.size() - 1) + " numbers");
  }
  if (styles.size() != (line_starts.size() - 1) * kLineColumns) {
    throw Error("ERR_SHAPE", "map.lineStyles: expected 4 numbers a line");
  }
  std::vector<camera::GroundRing> rings(holes.size());
  for (std::size_t i = 0; i < rings.size(); ++i) {
    const auto first = static_cast<std::size_t>(ring_starts[i]);
    rings[i] = {first, static_cast<std::size_t>(ring_starts[i + 1]) - first, holes[i] != 0};
  }
  std::vector<camera::PaintedLine> lines(line_starts.size() - 1);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const double* style = &styles[i * kLineColumns];
    const auto first = static_cast<std::size_t>(line_starts[i]);
    const bool yellow = style[3] == 1;
    lines[i] = {first,    static_cast<std::size_t>(line_starts[i + 1]) - first, style[0], style[1],
                style[2], yellow ? camera::Layer::yellow : camera::Layer::white};
  }
  auto map =
      std::make_shared<const camera::GroundMap>(ring_points, rings, line_points, lines, fields.number("sidewalk"));
  return {info.Env(), make_handle(info.Env(), std::make_shared<GroundMapHandle>(GroundMapHandle{std::move(map)}))};
}

/// createCamera(threads)
Napi::Value create_camera(const Napi::CallbackInfo& info) {
  const auto threads = static_cast<int>(integer_value(info[0], "threads", 1, 256));
  return {info.Env(),
          make_handle(info.Env(), std::make_shared<CameraRenderer>(Environment::shared(info.Env()), threads))};
}

void require(bool good, const std::string& what, const char* expected, double received) {
  if (good) return;
  const char* code = std::isfinite(received) ? "ERR_RANGE" : "ERR_NOT_FINITE";
  throw Error(code, what + ": expected " + expected + ", received " + std::to_string(received));
}

int whole(double value, const std::string& what, double low, double high) {
  require(value >= low && value <= high && value == std::floor(value), what, "an integer in range", value);
  return static_cast<int>(value);
}

std::uint64_t seed_of(double low, double high, const std::string& what) {
  constexpr double kWord = 4294967295.0;
  for (const double word : {low, high})
    require(word >= 0 && word <= kWord && word == std::floor(word), what, "32-bit words", word);
  return static_cast<std::uint64_t>(high) << 32 | static_cast<std::uint64_t>(low);
}

camera::Body read_body(const double* row, std::size_t i) {
  const std::string what = "bodies[" + std::to_string(i) + "]";
  camera::Body body;
  body.kind =
      static_cast<camera::BodyKind>(whole(row[0], what + ".kind", 0, static_cast<int>(camera::BodyKind::kinds) - 1));
  for (const int k : {1, 2}) require(std::abs(row[k]) <= kLargest, what, "a place within 1e8 m", row[k]);
  require(std::abs(row[3]) <= 1000, what + ".z", "-1000 to 1000 m", row[3]);
  require(std::abs(row[4]) <= 1000, what + ".heading", "radians", row[4]);
  for (const int k : {5, 6, 7}) require(row[k] >= 0.01 && row[k] <= 200, what, "sizes of 0.01 to 200 m", row[k]);
  require(row[8] >= 0 && row[8] <= 4294967295.0, what + ".tint", "a 32-bit word", row[8]);
  require(std::abs(row[10]) <= 1e6, what + ".phase", "radians", row[10]);
  body.x = row[1], body.y = row[2], body.z = row[3], body.heading = row[4];
  body.length = row[5], body.width = row[6], body.height = row[7];
  body.tint = static_cast<std::uint32_t>(row[8]);
  body.lamps = whole(row[9], what + ".lamps", 0, 31);
  body.phase = row[10];
  body.id = whole(row[11], what + ".id", -2147483648.0, 2147483647.0);
  return body;
}

/// renderFrames(camera, maps, frames, bodies, width, height, wants, job)
napi_value render_frames(napi_env env, napi_callback_info info) {
  napi_value value[8];
  std::size_t size = std::size(value);
  if (napi_get_cb_info(env, info, &size, value, nullptr, nullptr) != napi_ok) {
    throw Error("ERR_INTERNAL", "napi_get_cb_info failed");
  }
  const auto& renderer = from_handle<CameraRenderer>(env, value[0]);
  std::unique_ptr<CameraWork> work = renderer->new_work();
  if (!Napi::Value(env, value[1]).IsArray()) throw Error("ERR_ARGUMENT", "maps: expected an array");
  const Napi::Array maps(env, value[1]);
  for (std::uint32_t i = 0; i < maps.Length(); ++i) {
    work->maps.push_back(from_handle<GroundMapHandle>(env, maps.Get(i))->map);
  }
  const std::span<double> frames = typed_array<double>(env, value[2], "frames");
  const std::span<double> bodies = typed_array<double>(env, value[3], "bodies");
  if (frames.size() % kFrameColumns != 0) throw Error("ERR_SHAPE", "frames: expected rows of 14 numbers");
  if (bodies.size() % kBodyColumns != 0) throw Error("ERR_SHAPE", "bodies: expected rows of 12 numbers");
  work->width = static_cast<int>(integer_value({env, value[4]}, "width", 1, kMostPixels));
  work->height = static_cast<int>(integer_value({env, value[5]}, "height", 1, kMostPixels));
  const auto wants = static_cast<int>(integer_value({env, value[6]}, "wants", 0, 7));
  work->wants_depth = (wants & 1) != 0;
  work->wants_ids = (wants & 2) != 0;
  work->wants_sights = (wants & 4) != 0;
  const std::size_t n = frames.size() / kFrameColumns, count = bodies.size() / kBodyColumns;
  const std::size_t bytes = n * static_cast<std::size_t>(work->width) * static_cast<std::size_t>(work->height) *
                            (3 + (work->wants_depth ? 4u : 0u) + (work->wants_ids ? 4u : 0u));
  if (n > kMostFrames || bytes > kMostBytes) {
    throw Error("ERR_RANGE",
                "frames: expected at most 1 GiB of pictures a call, received " + std::to_string(n) + " frames");
  }
  for (std::size_t i = 0; i < count; ++i) work->bodies.push_back(read_body(&bodies[i * kBodyColumns], i));
  std::size_t next = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double* row = &frames[i * kFrameColumns];
    const std::string what = "frames[" + std::to_string(i) + "]";
    camera::FrameInput frame;
    const int map = whole(row[0], what + ".map", -1, static_cast<double>(work->maps.size()) - 1);
    if (map >= 0) frame.map = work->maps[static_cast<std::size_t>(map)].get();
    for (const int k : {1, 2}) require(std::abs(row[k]) <= kLargest, what, "a place within 1e8 m", row[k]);
    require(row[3] >= 0.2 && row[3] <= 50, what + ".height", "0.2 to 50 m", row[3]);
    require(std::abs(row[4]) <= 1000, what + ".heading", "radians", row[4]);
    require(std::abs(row[5]) <= std::numbers::pi / 3, what + ".pitch", "at most pi / 3", row[5]);
    require(row[6] >= 1 && row[6] <= 1e5, what + ".focal", "1 to 1e5 pixels", row[6]);
    frame.pose = {row[1], row[2], row[3], row[4], row[5], row[6], work->width, work->height};
    frame.seed = seed_of(row[7], row[8], what + ".seed");
    frame.noise_seed = seed_of(row[9], row[10], what + ".noiseSeed");
    frame.varied = row[11] != 0;
    // Each body belongs to one frame: what is seen of it has a place of its own.
    const auto first = static_cast<std::size_t>(whole(row[12], what + ".firstBody", 0, static_cast<double>(count)));
    const auto its = static_cast<std::size_t>(whole(row[13], what + ".bodies", 0, static_cast<double>(count - first)));
    if (first != next) throw Error("ERR_SHAPE", what + ".firstBody: expected " + std::to_string(next));
    next = first + its;
    frame.bodies = std::span<const camera::Body>(work->bodies).subspan(first, its);
    work->frames.push_back(frame);
  }
  return renderer->render(env, std::move(work), number_value({env, value[7]}, "job"));
}

/// abortFrames(camera, job)
Napi::Value abort_frames(const Napi::CallbackInfo& info) {
  from_handle<CameraRenderer>(info.Env(), info[0])->abort(info.Env(), number_value(info[1], "job"));
  return info.Env().Undefined();
}

/// closeCamera(camera)
Napi::Value close_camera(const Napi::CallbackInfo& info) {
  return {info.Env(), from_handle<CameraRenderer>(info.Env(), info[0])->close(info.Env())};
}

}  // namespace

void register_camera(Napi::Object exports) {
  define<&create_ground_map>(exports, "createGroundMap");
  define<&create_camera>(exports, "createCamera");
  define_raw<&render_frames>(exports, "renderFrames");
  define<&abort_frames>(exports, "abortFrames");
  define<&close_camera>(exports, "closeCamera");
}

}  // namespace wam::binding
