#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/shutdown.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// Follows a run's status for `lvrpo status --watch`. One thread.
class StatusWatch {
 public:
  enum class Form { kScreen, kLines, kJson };
  explicit StatusWatch(Form form) : form_(form) {}

  // What to print for the newest look: all of it on a screen; elsewhere one line when the state, the step,
  // what the run waits for or the held-out score changed since the last one, else nothing.
  std::string Look(const absl::StatusOr<nlohmann::json>& status);
  // Whether there is nothing to wait for: the run has finished, or nobody has worked on it for a while.
  bool ended() const { return ended_; }

 private:
  const Form form_;
  std::string shown_;  // what the newest line says
  int stopped_ = 0;    // looks in a row at which nobody worked on it
  bool ended_ = false;
};

// Prints the status every `every` until the run ends or `shutdown` comes. Errors of the first look.
absl::Status WatchStatus(const std::string& run_dir, const std::string& coordinator, bool json,
                         const ShutdownSignal& shutdown, absl::Duration every = absl::Seconds(1));

}  // namespace lvrpo
