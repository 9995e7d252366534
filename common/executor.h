#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace lvrpo {

// Runs tasks elsewhere, one after the other in the order given.
class Executor {
 public:
  using Task = std::function<void()>;
  virtual ~Executor() = default;
  // Returns at once. Thread-safe.
  virtual void Run(Task task) = 0;
};

// On a dedicated thread. Thread-safe.
class ThreadExecutor final : public Executor {
 public:
  ThreadExecutor();
  ~ThreadExecutor() override { Finish(); }

  void Run(Task task) override;
  // Waits for the task in progress and drops those that have not begun, and all later ones.
  void Finish();

 private:
  void Work();

  absl::Mutex mutex_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace lvrpo
