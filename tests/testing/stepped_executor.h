#pragma once

#include <deque>
#include <utility>

#include "common/executor.h"

namespace lvrpo {

// Keeps tasks until a test runs them. For one thread.
class SteppedExecutor final : public Executor {
 public:
  void Run(Task task) override { tasks_.push_back(std::move(task)); }
  // Runs the oldest task, which may give further ones; false when there is none.
  bool Step() {
    if (tasks_.empty()) return false;
    const Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
    return true;
  }
  void StepAll() {
    while (Step()) {
    }
  }

 private:
  std::deque<Task> tasks_;
};

// Runs each task at once, before Run() returns.
class InlineExecutor final : public Executor {
 public:
  void Run(Task task) override { task(); }
};

}  // namespace lvrpo
