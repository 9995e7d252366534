#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "collectives/nccl_collectives.h"
#include "collectives/nccl_communicator.h"
#include "collectives/nccl_library.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/host_device.h"

namespace lvrpo {

// The NCCL double (nccl_double/control.h), loaded as the product loads NCCL.
struct NcclDouble {
  // The newest version, and one that can neither shrink, revoke nor grow.
  static NcclDouble& Newest();
  static NcclDouble& Bare();

  NcclLibrary library;
  int (*fault)(const char* fault) = nullptr;
  void (*release)() = nullptr;
  const char* (*breaches)() = nullptr;
  int (*communicators)() = nullptr;
};

// Time that stands still, so that nothing is ever late, until it flies, and whatever still waits is late at
// once. Thread-safe.
class TimeOnDemand {
 public:
  void Fly() { flies_ = true; }
  void Stand() { flies_ = false; }
  FakeClock& clock() { return clock_; }
  NcclLimits Limits() {
    return {.operation = absl::Seconds(7),
            .making = absl::Seconds(8),
            .stopping = absl::Minutes(10),
            .waiting = {.clock = &clock_, .sleep = [this](absl::Duration pause) {
                          absl::SleepFor(pause);  // lets other threads run
                          if (flies_) clock_.Advance(absl::Seconds(1));
                        }}};
  }

 private:
  FakeClock clock_;
  std::atomic<bool> flies_ = false;
};

// Ranks in this process over the double. At its end no rule may be broken and nothing be left: a test that
// breaks one takes its breach before.
class NcclWorld {
 public:
  explicit NcclWorld(NcclDouble& nccl = NcclDouble::Newest()) : nccl(nccl), before_(nccl.communicators()) {}
  ~NcclWorld();

  NcclPlace Place(const NcclLimits& limits = {}) {
    return {.library = &nccl.library, .device = &device, .limits = limits};
  }
  // Calls `make` for each rank in a separate thread, and gives the results by rank.
  using Made = absl::StatusOr<std::unique_ptr<NcclCommunicator>>;
  static std::vector<Made> OnEach(int size, const std::function<Made(int rank)>& make);
  // A whole communicator that must get made, and one of collectives.
  std::vector<std::unique_ptr<NcclCommunicator>> MakeAll(int size, const NcclLimits& limits = {});
  std::vector<std::unique_ptr<NcclCollectives>> CollectivesOfAll(int size, const NcclLimits& limits = {});
  // Each rank adds rank + 1 to a sum, all in their own threads; what they get, or the error.
  static std::vector<absl::StatusOr<float>> SumOfAll(
      const std::vector<std::unique_ptr<NcclCollectives>>& ranks);

  NcclDouble& nccl;
  HostDevice device;
  // Communicators that this test makes NCCL keep for ever.
  int given_up = 0;

 private:
  const int before_;
};

}  // namespace lvrpo
