#include "rollout_worker/delivery_thread.h"

#include <utility>

namespace lvrpo {

DeliveryThread::DeliveryThread(std::function<std::string(GeneratedGroup)> deliver, Backoff& backoff)
    : deliver_(std::move(deliver)), backoff_(backoff), thread_([this] {
        while (true) {
          absl::StatusOr<GeneratedGroup> group = waiting_.Pop(absl::InfiniteDuration());
          if (!group.ok()) return;
          backoff_.Note(deliver_(*std::move(group)));
        }
      }) {}

DeliveryThread::~DeliveryThread() { Finish(); }

void DeliveryThread::HandOver(GeneratedGroup group) {
  (void)waiting_.Push(std::move(group), absl::InfiniteDuration());
}

void DeliveryThread::Finish() {
  waiting_.Close();
  if (thread_.joinable()) thread_.join();
}

}  // namespace lvrpo
