#include "cli/local/silence.h"

#include <algorithm>

namespace lvrpo {
namespace {

// Looks are about a second apart, and take two at most. After a longer gap `lvrpo run` itself was stopped.
constexpr absl::Duration kGap = absl::Seconds(10);
// Half of MemberSession::Options::patience.
constexpr absl::Duration kMostOfCoordinator = absl::Seconds(30);

}  // namespace

void SilenceWatch::Look(const absl::StatusOr<v1::GetStatusResponse>& status, absl::Time asked,
                        absl::Time now) {
  if (now - now_ > kGap) looking_since_ = answered_since_ = now;
  now_ = now;
  // Any other error is an answer, but it lists nobody.
  if (!absl::IsUnavailable(status.status()) && !absl::IsDeadlineExceeded(status.status()))
    heard_[kCoordinatorRole] = asked;
  if (!status.ok() || status->run_epoch() != run_epoch_) answered_since_ = now;
  if (!status.ok()) return;
  run_epoch_ = status->run_epoch();
  for (const v1::Member& member : status->members())
    heard_[member.member_id()] = asked - absl::Seconds(member.seconds_since_heartbeat());
}

std::optional<absl::Duration> SilenceWatch::TooLong(const std::string& role, absl::Time started) const {
  const auto heard = heard_.find(role);
  if (limit_ <= absl::ZeroDuration() || heard == heard_.end() || heard->second < started) return std::nullopt;
  const bool is_coordinator = role == kCoordinatorRole;
  const absl::Time since = std::max(heard->second, is_coordinator ? looking_since_ : answered_since_);
  const absl::Duration limit = is_coordinator ? std::min(limit_, kMostOfCoordinator) : limit_;
  return now_ - since < limit ? std::nullopt : std::optional(now_ - since);
}

}  // namespace lvrpo
