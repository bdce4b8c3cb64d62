#include "core/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <vector>

#include "test/test.h"

using wam::ThreadPool;

namespace {

/// Whether every task in [0, tasks) runs once, on a thread of the team.
bool runs_each_once(ThreadPool& pool, int tasks) {
  std::vector<int> runs(static_cast<std::size_t>(tasks)), worker_of(static_cast<std::size_t>(tasks), -1);
  pool.run(tasks, [&](int task, int worker) {
    ++runs[static_cast<std::size_t>(task)];
    worker_of[static_cast<std::size_t>(task)] = worker;
  });
  return std::all_of(runs.begin(), runs.end(), [](int n) { return n == 1; }) &&
         std::all_of(worker_of.begin(), worker_of.end(), [&](int w) { return w >= 0 && w < pool.threads(); });
}

}  // namespace

TEST(pool_runs_every_task_once_whatever_the_team) {
  for (const bool spin : {true, false}) {
    for (const int threads : {1, 2, 3, 8}) {
      ThreadPool pool(threads, {.spin = spin, .cores = 8});
      CHECK_EQ(pool.threads(), threads);
      for (int tasks = 0; tasks < 40; ++tasks) CHECK(runs_each_once(pool, tasks));
      for (int plan = 0; plan < 20; ++plan) {
        const ThreadPool::Burst burst(&pool);
        for (int tasks = 0; tasks < 40; tasks += 3) CHECK(runs_each_once(pool, tasks));
      }
    }
  }
}

TEST(pool_runs_more_tasks_than_one_region_holds) {
  ThreadPool pool(3, {.cores = 3});
  CHECK(runs_each_once(pool, 0xFFFF));
  CHECK(runs_each_once(pool, 200'001));
}

TEST(pool_has_no_more_threads_than_cores) {
  CHECK_EQ(ThreadPool(4, {.cores = 2}).threads(), 2);
  CHECK_EQ(ThreadPool(4, {.cores = 1}).threads(), 1);
  CHECK_EQ(ThreadPool(1, {.cores = 2}).threads(), 1);
}

TEST(pool_may_be_woken_by_any_thread_at_any_time) {
  ThreadPool pool(3, {.cores = 3});
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop.load()) pool.wake();
  });
  bool once = true;
  for (int plan = 0; plan < 200; ++plan) {
    const ThreadPool::Burst burst(plan % 2 == 0 ? &pool : nullptr);
    for (int tasks = 1; tasks < 12; ++tasks) once = once && runs_each_once(pool, tasks);
  }
  stop.store(true);
  other.join();
  CHECK(once);
}

TEST(pool_gives_each_thread_a_block_of_neighbouring_tasks) {
  // Two tasks a thread; nobody is done early, since the first task of each waits for that of the other.
  ThreadPool pool(2, {.cores = 2});
  std::atomic<int> arrived{0};
  int worker_of[4];
  pool.run(4, [&](int task, int worker) {
    worker_of[task] = worker;
    if (++arrived > 2) return;
    while (arrived.load() < 2) std::this_thread::yield();
  });
  CHECK(worker_of[0] == 0);
  CHECK(worker_of[2] == 1 || worker_of[3] == 1);
}

TEST(pool_wakes_sleeping_workers) {
  // Two tasks that wait for each other end only if two threads run them; sleeping in between lets the worker park.
  ThreadPool pool(2, {.cores = 2});
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(round % 4 == 0 ? 2 : 0));
    std::atomic<int> arrived{0};
    pool.run(2, [&](int, int) {
      ++arrived;
      while (arrived.load() < 2) std::this_thread::yield();
    });
    CHECK_EQ(arrived.load(), 2);
  }
}

TEST(pool_rethrows_the_exception_of_a_task_and_stays_usable) {
  for (const int threads : {1, 2, 4}) {
    ThreadPool pool(threads, {.cores = 4});
    for (int round = 0; round < 10; ++round) {
      CHECK_THROWS(pool.run(16,
                            [](int task, int) {
                              if (task == 3) throw std::runtime_error("task 3");
                            }),
                   std::runtime_error);
      std::atomic<int> done{0};
      pool.run(16, [&](int, int) { ++done; });
      CHECK_EQ(done.load(), 16);
    }
  }
}

TEST(pool_can_be_destroyed_right_after_construction_and_after_work) {
  for (int round = 0; round < 50; ++round) {
    ThreadPool idle(3, {.cores = 3});
    ThreadPool busy(3, {.cores = 3});
    std::atomic<int> done{0};
    busy.run(5, [&](int, int) { ++done; });
    CHECK_EQ(done.load(), 5);
  }
}

#if defined(__x86_64__)
TEST(denormals_are_flushed_in_scope_and_in_every_worker) {
  volatile float tiny = std::numeric_limits<float>::min();
  const auto halved = [&] { return tiny * 0.5f; };
  {
    const wam::FlushDenormals flush;
    CHECK_EQ(halved(), 0.0f);
  }
  ThreadPool pool(2, {.cores = 2});
  std::atomic<int> arrived{0};
  float worker_result = -1;
  pool.run(2, [&](int, int worker) {
    ++arrived;
    while (arrived.load() < 2) std::this_thread::yield();
    if (worker == 1) worker_result = halved();
  });
  CHECK_EQ(worker_result, 0.0f);
}
#endif
