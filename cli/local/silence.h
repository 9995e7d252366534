#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// Name of the coordinator among the roles.
inline constexpr char kCoordinatorRole[] = "coordinator";

// Which roles have been silent for too long, so that their processes hang: the coordinator has heard nothing
// from a member that had joined, or does not answer itself. A member's silence counts only while the
// coordinator answers without a gap, and any silence only while this watch looks without one. Pure; not
// thread-safe.
class SilenceWatch {
 public:
  // `limit`: how long a role may be silent; zero: for ever. The coordinator is given half of the time that
  // its members wait for it, if that is less.
  explicit SilenceWatch(absl::Duration limit) : limit_(limit) {}

  // Takes the coordinator's answer to a status request that was sent at `asked` and has ended `now`.
  void Look(const absl::StatusOr<v1::GetStatusResponse>& status, absl::Time asked, absl::Time now);

  // How long a role has been silent, if that is too long. nullopt also for one of which nothing was heard
  // since its process started: it is loading.
  std::optional<absl::Duration> TooLong(const std::string& role, absl::Time started) const;

 private:
  const absl::Duration limit_;
  std::map<std::string, absl::Time> heard_;  // by role: when, or a little before
  absl::Time now_ = absl::InfinitePast();    // of the newest look
  absl::Time looking_since_ = absl::InfinitePast(), answered_since_ = absl::InfinitePast();
  int64_t run_epoch_ = 0;
};

}  // namespace lvrpo
