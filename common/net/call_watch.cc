#include "common/net/call_watch.h"

namespace lvrpo {

CallWatch::CallWatch(const Options& options, Clock& clock) : options_(options), clock_(clock) {
  if (options_.every <= absl::ZeroDuration()) return;
  thread_ = std::thread([this] {
    while (true) {
      {
        absl::MutexLock lock(&mutex_);
        if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), options_.every)) return;
      }
      CancelLate();
    }
  });
}

CallWatch::~CallWatch() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

std::unique_ptr<CallWatch::Call> CallWatch::Begin(std::function<void()> cancel) {
  absl::MutexLock lock(&mutex_);
  if (static_cast<int>(calls_.size()) >= options_.most) return nullptr;
  const absl::Time now = clock_.Now();
  calls_[next_] = {.cancel = std::move(cancel), .begun = now, .heard = now};
  return std::unique_ptr<Call>(new Call(*this, next_++));
}

int CallWatch::CancelLate() {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  int cancelled = 0;
  for (auto& [id, call] : calls_) {
    if (call.cancelled || (now - call.begun <= options_.longest && now - call.heard <= options_.silent))
      continue;
    call.cancelled = true;
    call.cancel();
    ++cancelled;
  }
  return cancelled;
}

int CallWatch::open() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(calls_.size());
}

bool CallWatch::AwaitOpen(int streams, absl::Duration timeout) const {
  const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return static_cast<int>(calls_.size()) == streams;
  };
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&reached), timeout);
}

CallWatch::Call::~Call() {
  absl::MutexLock lock(&watch_.mutex_);
  watch_.calls_.erase(id_);
}

void CallWatch::Call::Heard() {
  absl::MutexLock lock(&watch_.mutex_);
  watch_.calls_.at(id_).heard = watch_.clock_.Now();
}

}  // namespace lvrpo
