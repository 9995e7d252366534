#include "coordinator/state/blocker.h"

#include "absl/strings/str_cat.h"
#include "common/words/words.h"
#include "coordinator/state/versions.h"

namespace lvrpo {
namespace {

std::string FlatRewards(const Blocker& blocker) {
  return absl::StrCat(
      "groups whose samples differ in reward: ", blocker.count,
      " were retired since the last step, and of the newest ", blocker.total, " groups ", blocker.have,
      " had the same reward for all samples (", Word(v1::RETIRE_ZERO_VARIANCE),
      "): nothing can be learned from these; is the task too easy or too hard, or the reward constant?");
}

}  // namespace

Blocker RanksBlocker(const RanksThere& ranks) {
  return {.kind = Blocker::Kind::kRanks, .detail = ranks.missing, .have = ranks.have, .total = ranks.total};
}

std::string InWords(const Blocker& blocker) {
  using Kind = Blocker::Kind;
  const std::string groups = absl::StrCat(blocker.have, " of ", blocker.total, " groups)");
  switch (blocker.kind) {
    case Kind::kNothing:
      return "";
    case Kind::kFinished:
      return "nothing: the run has finished";
    case Kind::kDraining:
      return "nothing: the run is draining";
    case Kind::kCoordinator:
      return absl::StrCat("the coordinator: ", blocker.detail);
    case Kind::kJoin:
      return absl::StrCat("a ", RoleName(blocker.role), " to join");
    case Kind::kRanks:
      return absl::StrCat("learner ranks: ", blocker.have, " of ", blocker.total, " are there, ",
                          blocker.detail);
    case Kind::kStart:
      return "the learner to load its weights";
    case Kind::kWeights:
      return absl::StrCat("weights of version ", Describe(blocker.wanted), " at ", blocker.member,
                          ", which holds ", Describe(blocker.held));
    case Kind::kLate:
      return absl::StrCat(blocker.member, " held a group for ", absl::FormatDuration(blocker.limit),
                          " without delivering it: others go first");
    case Kind::kStep:
      return absl::StrCat("step ", blocker.step, " of the learner");
    case Kind::kLastCheckpoint:
      return "the learner to save the last checkpoint";
    case Kind::kComplaint:
      return absl::StrCat(blocker.member, ": ", blocker.detail);
    case Kind::kUnscorable:
      return absl::StrCat("scores: ", blocker.count,
                          " groups in a row could not be scored: ", blocker.detail);
    case Kind::kFlatRewards:
      return FlatRewards(blocker);
    case Kind::kRetired:
      return absl::StrCat("groups that can be trained on: ", blocker.count,
                          " were retired since the last step (see groups retired by reason)");
    case Kind::kLease:
      return absl::StrCat(blocker.member, " (ordinal ", blocker.ordinal, "; ", groups);
    case Kind::kGroups:
      return absl::StrCat("rollout workers (", groups);
  }
  return "";
}

std::string InWords(const Blocker& blocker, absl::Time now) {
  const std::string words = InWords(blocker);
  if (words.empty() || blocker.since == absl::InfinitePast()) return words;
  return absl::StrCat(words, ", for ",
                      absl::FormatDuration(absl::Trunc(now - blocker.since, absl::Seconds(1))), " now");
}

}  // namespace lvrpo
