// Deadlines, by a clock that the test owns: it goes on by one millisecond at each look, and the engine looks at it between
// all layers of a step. So time passes as if every layer took a millisecond, however fast the machine is.

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "core/thread_pool.h"
#include "cpu/cpu_backend.h"
#include "test/small_planner.h"
#include "test/test.h"

namespace wam::test {
namespace {

using Time = std::chrono::steady_clock::time_point;
constexpr auto kTick = std::chrono::milliseconds(1);

struct Looks {
  int count = 0;
  std::function<int(int look)> extra = [](int) { return 0; };  // ticks that this look finds to have passed as well
  Time now{};
  Time operator()() {
    now += kTick * (1 + extra(count));
    ++count;
    return now;
  }
};

struct Setup {
  std::shared_ptr<scene::Dataset> data = bent_dataset(4, 90);
  std::shared_ptr<const Model> model = random_model(small_planner(MaskKind::prefix), 12);
  std::unique_ptr<Backend> backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  Looks looks;
  PlanEngine engine{model, *backend, {8, 64}, [this] { return looks(); }};
  scene::Observation observation = observed(*data, 5);

  /// A plan of many steps with a deadline so many ticks after the call; the time that is left at the end, in ticks.
  double plan(int ticks, PlanOutput& out, int samples = 2) {
    PlanOptions o = sampled(30, samples, 9);
    looks.count = 0;
    o.deadline = ticks < 0 ? Time::max() : looks.now + ticks * kTick;
    engine.plan(observation, o, out);
    return std::chrono::duration<double>(o.deadline - looks.now) / kTick;
  }
};

bool is_beginning_of(const std::vector<float>& part, const std::vector<float>& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

}  // namespace

TEST(a_plan_is_there_by_its_deadline_with_the_steps_that_fit) {
  Setup s;
  PlanOutput whole, out;
  s.plan(-1, whole);
  CHECK_EQ(whole.steps_run, 30);
  int before = 0;
  for (int ticks = 0; ticks < 250; ++ticks) {
    const double left = s.plan(ticks, out);
    const Context at("ticks=" + std::to_string(ticks));
    CHECK(out.steps_run >= 1);
    CHECK(left >= -1 || out.steps_run == 1);  // the look that takes the time of the result comes after it
    CHECK(out.steps_run >= before - 1);       // estimates move, by less than a step
    // Steps that were left out change nothing of those that ran.
    CHECK(is_beginning_of(out.refinements, whole.refinements));
    CHECK_EQ(out.refinements.size(), static_cast<std::size_t>(24 * out.steps_run));
    CHECK_SAME_BITS(out.trajectory.data(), &out.refinements[static_cast<std::size_t>(24 * (out.steps_run - 1))], 24);
    before = std::max(before, out.steps_run);
  }
  CHECK(before > 20);
}

TEST(a_step_that_turns_out_too_slow_is_given_up_between_layers) {
  Setup s;
  PlanOutput whole, out;
  s.plan(-1, whole);
  s.plan(400, out);  // what a step takes is known from here on
  const int steps = out.steps_run;
  CHECK(steps > 5);
  for (int slow = 12; slow < 60; ++slow) {
    // At one look 20 ticks have passed, three times what a step takes.
    s.looks.extra = [slow](int look) { return look == slow ? 20 : 0; };
    const double left = s.plan(50, out);
    const Context at("look=" + std::to_string(slow));
    CHECK(out.steps_run >= 1);
    // It cannot know before; afterwards it does no more than to decode what it has.
    CHECK(left >= -24);
    CHECK(s.looks.count <= 52);
    CHECK(is_beginning_of(out.refinements, whole.refinements));
    CHECK(!out.aborted);
  }
}

TEST(a_slow_step_gives_up_at_the_next_layer_once_the_deadline_is_out_of_reach) {
  Setup s;
  PlanOutput out;
  s.plan(400, out);
  // From the look on, all is ten times as slow. The plan ends well before a step would at that pace.
  for (int slow = 10; slow < 40; ++slow) {
    s.looks.extra = [slow](int look) { return look >= slow ? 9 : 0; };
    s.plan(60, out);
    const Context at("look=" + std::to_string(slow));
    CHECK(s.looks.count <= std::max(slow, 12) + 7);
  }
}

TEST(a_prefix_that_takes_all_the_time_still_gives_one_step) {
  Setup s;
  PlanOutput out;
  s.looks.extra = [](int look) { return look == 2 ? 1000 : 0; };
  s.plan(100, out);
  CHECK_EQ(out.steps_run, 1);
  CHECK_EQ(out.tokens.size(), 48u);
}

TEST(one_slow_step_does_not_keep_later_plans_short) {
  Setup s;
  PlanOutput out;
  s.plan(120, out);
  const int steps = out.steps_run;
  s.looks.extra = [](int look) { return look == 20 ? 300 : 0; };
  s.plan(-1, out);
  s.looks.extra = [](int) { return 0; };
  int runs = 0;
  do s.plan(120, out);
  while (out.steps_run < steps - 1 && ++runs < 100);
  CHECK(runs < 100);
}

TEST(the_first_step_of_several_samples_says_little_about_the_next) {
  // The first step feeds the mask tokens of one sample. How long one of eight takes is not known in the first plan: the
  // estimate is careful, and wears down until it is known.
  Setup s;
  PlanOutput out;
  int longest = 0;
  for (int call = 0; call < 100; ++call) {
    const double left = s.plan(60, out, 8);
    CHECK(left >= -1);
    longest = std::max(longest, out.steps_run);
  }
  CHECK(longest > 4);
}

TEST(an_abort_stops_between_layers) {
  Setup s;
  std::atomic<bool> abort{false};
  PlanOutput out;
  s.looks.extra = [&](int look) {
    if (look == 21) abort.store(true);
    return 0;
  };
  PlanOptions o = sampled(30, 2, 9);
  o.abort = &abort;
  o.deadline = s.looks.now + 10000 * kTick;
  s.engine.plan(s.observation, o, out);
  CHECK(out.aborted);
  CHECK(out.steps_run < 6);
  CHECK(s.looks.count <= 24);
}

}  // namespace wam::test
