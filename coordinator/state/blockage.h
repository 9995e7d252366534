#pragma once

#include <string>

#include "absl/time/time.h"
#include "coordinator/state/blocker.h"

namespace lvrpo {

// What holds a run up, over time: since when, and what to log about it. Pure; not thread-safe.
class Blockage {
 public:
  // Notes what it is now. Returns a line for the log, mostly empty: once something that passes by itself in a
  // run that works has lasted for 5 s, and when that is over. What is part of ordinary work (a group on its
  // way, the learner that loads) is the watchdog's business.
  std::string Note(const Blocker& blocker, absl::Time now);
  // LabelOf() it, and for how long it has lasted.
  const std::string& label() const { return label_; }
  absl::Duration Lasted(absl::Time now) const;

 private:
  std::string label_, who_, words_;
  absl::Time since_ = absl::InfiniteFuture();
  bool spoke_ = false;
};

}  // namespace lvrpo
