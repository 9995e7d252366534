#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "common/telemetry/event_file.h"

namespace lvrpo {

// Shows the evaluations of a run folder in TensorBoard: their first samples as one grid, and how their
// rewards are spread. An event file of its own, RUN/tensorboard/samples, which is written anew at each start.
// One thread.
class SampleEvents {
 public:
  explicit SampleEvents(std::string run_dir) : run_dir_(std::move(run_dir)) {}

  // Adds evaluations that have become complete. `steps`: committed ones.
  absl::Status Update(int64_t steps, double unix_seconds);

 private:
  absl::Status Add(const std::string& evaluation, int64_t step, double unix_seconds);

  const std::string run_dir_;
  std::unique_ptr<EventFile> events_;
  std::set<std::string> added_;
};

}  // namespace lvrpo
