#pragma once

#include <functional>
#include <string>
#include <thread>

#include "common/bounded_queue.h"
#include "rollout_worker/backoff.h"
#include "rollout_worker/generated_group.h"

namespace lvrpo {

// Delivers groups one after the other on a dedicated thread, while the next is sampled. One group may wait
// after the one that is delivered. HandOver() and Finish() are called by one thread.
class DeliveryThread {
 public:
  // `deliver` says what became of a group (Delivery::Deliver), which `backoff` is told. Both must outlive it.
  DeliveryThread(std::function<std::string(GeneratedGroup)> deliver, Backoff& backoff);
  ~DeliveryThread();

  // Blocks while another group waits. Nothing after Finish().
  void HandOver(GeneratedGroup group);
  // Returns when everything handed over is delivered; the thread has ended then.
  void Finish();

 private:
  const std::function<std::string(GeneratedGroup)> deliver_;
  Backoff& backoff_;
  BoundedQueue<GeneratedGroup> waiting_{1};
  std::thread thread_;
};

}  // namespace lvrpo
