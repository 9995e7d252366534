#include "reward_server/scoring_queue.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace lvrpo {

ScoringQueue::ScoringQueue(ScoreFunction score, size_t limit, Clock& clock)
    : score_(std::move(score)), limit_(limit), clock_(clock), thread_([this] { Run(); }) {}

ScoringQueue::~ScoringQueue() {
  {
    absl::MutexLock lock(&mutex_);
    draining_ = true;
    stopping_ = true;
  }
  thread_.join();
}

absl::StatusOr<v1::ScoreResponse> ScoringQueue::Score(ScoringBatch batch, absl::Time deadline) {
  auto task = std::make_shared<Task>();
  task->batch = std::move(batch);
  task->deadline = deadline;
  task->enqueued = clock_.Now();
  absl::MutexLock lock(&mutex_);
  if (draining_) return absl::UnavailableError("this reward server is draining: ask another");
  if (tasks_.size() >= limit_) {
    return absl::ResourceExhaustedError(
        absl::StrCat(tasks_.size(), " requests wait here already, the limit: ask another server, or later"));
  }
  tasks_.push_back(task);
  // The compute thread answers every task, those past their deadline too, so this wait always ends.
  const auto done = [&task]() { return task->done; };
  mutex_.Await(absl::Condition(&done));
  return std::move(task->answer);
}

void ScoringQueue::Drain() {
  absl::MutexLock lock(&mutex_);
  draining_ = true;
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return tasks_.empty() && !computing_; };
  mutex_.Await(absl::Condition(&idle));
}

size_t ScoringQueue::load() const {
  absl::MutexLock lock(&mutex_);
  return tasks_.size() + (computing_ ? 1 : 0);
}

void ScoringQueue::Run() {
  while (true) {
    std::shared_ptr<Task> task;
    {
      absl::MutexLock lock(&mutex_);
      const auto work = [this]()
                            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !tasks_.empty(); };
      mutex_.Await(absl::Condition(&work));
      if (tasks_.empty()) return;
      task = tasks_.front();
      tasks_.pop_front();
      computing_ = true;
    }
    const absl::Time started = clock_.Now();
    absl::StatusOr<v1::ScoreResponse> answer =
        absl::DeadlineExceededError("the request's deadline passed while it waited in the queue");
    if (started < task->deadline) {
      answer = score_(task->batch);
      answer->set_queue_seconds(absl::ToDoubleSeconds(started - task->enqueued));
      answer->set_compute_seconds(absl::ToDoubleSeconds(clock_.Now() - started));
    }
    absl::MutexLock lock(&mutex_);
    task->answer = std::move(answer);
    task->done = true;
    computing_ = false;
  }
}

}  // namespace lvrpo
