#include "common/executor.h"

#include <utility>

namespace lvrpo {

ThreadExecutor::ThreadExecutor() : thread_([this] { Work(); }) {}

void ThreadExecutor::Run(Task task) {
  absl::MutexLock lock(&mutex_);
  if (!finished_) tasks_.push_back(std::move(task));
}

void ThreadExecutor::Finish() {
  {
    absl::MutexLock lock(&mutex_);
    finished_ = true;
    tasks_.clear();
  }
  if (thread_.joinable()) thread_.join();
}

void ThreadExecutor::Work() {
  while (true) {
    Task task;
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [this]()
                             ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return finished_ || !tasks_.empty(); };
      mutex_.Await(absl::Condition(&ready));
      if (finished_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace lvrpo
