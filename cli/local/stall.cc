#include "cli/local/stall.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/local/progress.h"
#include "common/words/words.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kFirst = absl::Seconds(15), kEvery = absl::Seconds(60), kNews = absl::Seconds(5);
// A run that accepts groups at least this often is slow, not stalled.
constexpr double kRecentSeconds = 15;

}  // namespace

std::string ReasonInWords(const std::string& reason) {
  static const auto& words = *new std::map<std::string, std::string>{
      {Word(v1::RETIRE_ZERO_VARIANCE),
       "all rewards of a group were equal, so there is nothing to learn from"},
      {Word(v1::RETIRE_BAD_PROMPT), "the prompt cannot be sampled or scored"},
      {Word(v1::RETIRE_NO_REWARD), "no component scores such a prompt"},
      {Word(v1::RETIRE_REWARD_FAILED), "a scorer failed each time"},
      {Word(v1::RETIRE_REWARD_NOT_FINITE), "rewards were not finite"},
      {Word(v1::RETIRE_LOG_PROBS_NOT_FINITE), "log-probabilities were not finite"},
      {Word(v1::RETIRE_TRAJECTORY_LOST), "the learner lost its trajectories each time"},
      {Word(v1::RETIRE_UNTRAINABLE), "the learner could not train on it"},
  };
  const auto found = words.find(reason);
  return found == words.end() ? reason : absl::StrCat(reason, ": ", found->second);
}

std::string FormatStall(const StallFacts& facts) {
  std::vector<std::string> parts;
  if (!facts.waiting_for.empty()) parts.push_back(absl::StrCat("waiting for ", facts.waiting_for));
  if (!facts.disk.empty()) parts.push_back(facts.disk);
  for (const auto& [reason, count] : facts.retired)
    parts.push_back(absl::StrCat(count, count == 1 ? " group was" : " groups were", " retired (",
                                 ReasonInWords(reason), ")"));
  for (const std::string& complaint : facts.complaints) parts.push_back(complaint);
  return absl::StrCat("no step for ", FormatSeconds(absl::ToDoubleSeconds(facts.since_step)),
                      parts.empty() ? "" : ": ", absl::StrJoin(parts, "; "));
}

bool StallWatch::Look(const v1::GetStatusResponse& status, absl::Time now) {
  retired_now_ = {status.groups_retired_by_reason().begin(), status.groups_retired_by_reason().end()};
  const bool first = !step_.has_value(), changed = step_ != status.step();
  moved_ = changed && !first;
  if (changed) {
    if (!first) last_step_ = now;
    step_ = status.step();
    retired_then_ = retired_now_;
    spoke_ = absl::InfinitePast();
    told_.clear();
  }
  waiting_for_ = status.waiting_for();
  return status.seconds_since_progress() >= kRecentSeconds && Due(now);
}

bool StallWatch::LookAtSilence(absl::Time now) {
  moved_ = false;
  waiting_for_ = "the coordinator, which does not answer";
  return Due(now);
}

bool StallWatch::HasNews() const {
  const std::map<std::string, int64_t> retired = Facts(last_step_).retired;
  return std::any_of(retired.begin(), retired.end(),
                     [this](const auto& r) { return !told_.contains(r.first); });
}

bool StallWatch::Due(absl::Time now) {
  if (now - last_step_ < kFirst || now - spoke_ < (HasNews() ? kNews : kEvery)) return false;
  spoke_ = now;
  for (const auto& [reason, count] : Facts(now).retired) told_.insert(reason);
  return true;
}

StallFacts StallWatch::Facts(absl::Time now) const {
  StallFacts facts;
  facts.since_step = now - last_step_;
  facts.waiting_for = waiting_for_;
  for (const auto& [reason, count] : retired_now_) {
    const auto before = retired_then_.find(reason);
    const int64_t more = count - (before == retired_then_.end() ? 0 : before->second);
    if (more > 0) facts.retired[reason] = more;
  }
  return facts;
}

}  // namespace lvrpo
