#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// Facts about a run that takes no step.
struct StallFacts {
  absl::Duration since_step;
  std::string waiting_for;                 // as the coordinator says; empty: nothing
  std::map<std::string, int64_t> retired;  // groups since the last step, by reason
  std::vector<std::string> complaints;     // of roles' logs since then: "reward-0: ..."
  std::string disk;                        // what is wrong with the run's disk
};

// One line with the cause: "no step for 31 s: waiting for rollout-0; 40 groups were retired because ...".
// Pure.
std::string FormatStall(const StallFacts& facts);

// A retirement reason in words; the reason itself where there are none.
std::string ReasonInWords(const std::string& reason);

// Decides when to report a run that takes no step: 15 s after its last step or its start if no group was
// accepted for as long either, then every minute; groups retired for a reason that was not reported yet are
// reported after 5 s. Pure; not thread-safe.
class StallWatch {
 public:
  explicit StallWatch(absl::Time start) : last_step_(start) {}

  // Takes the newest status. True when the caller should print a report now, from `Facts`.
  bool Look(const v1::GetStatusResponse& status, absl::Time now);
  // The coordinator does not answer.
  bool LookAtSilence(absl::Time now);
  // A step was taken since the last call: earlier complaints are outdated.
  bool moved() const { return moved_; }
  // Without complaints and disk.
  StallFacts Facts(absl::Time now) const;

 private:
  bool Due(absl::Time now);
  // Whether groups were retired for a reason that was not reported since the last step.
  bool HasNews() const;

  absl::Time last_step_, spoke_ = absl::InfinitePast();
  std::optional<int64_t> step_;
  bool moved_ = false;
  std::string waiting_for_;
  std::map<std::string, int64_t> retired_then_, retired_now_;
  std::set<std::string> told_;
};

}  // namespace lvrpo
