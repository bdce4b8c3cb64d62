#pragma once
// The workloads by subject. Each asks the harness which of its workloads are wanted.

#include "bench/cpu/harness.h"
#include "core/thread_pool.h"

namespace wam::bench {

void planner_cases(const Harness& harness, Backend& backend, ThreadPool& pool);  // W1
void attention_cases(const Harness& harness, Backend& backend);                  // W2
void gemm_cases(const Harness& harness, Backend& backend);                       // W3
void path_cases(const Harness& harness, Backend& backend);                       // W4
void token_cases(const Harness& harness, Backend& backend);                      // W5
void training_cases(const Harness& harness, ThreadPool& pool);                   // W6

}  // namespace wam::bench
