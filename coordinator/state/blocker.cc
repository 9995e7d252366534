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

std::string NoneOf(v1::Role role) { return absl::StrCat("no_", Word(role)); }

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
      return absl::StrCat("the learner to save the last checkpoint", blocker.detail.empty() ? "" : ": ",
                          blocker.detail);
    case Kind::kTraining:
      return absl::StrCat("the learner to finish step ", blocker.step, ", whose groups it has");
    case Kind::kSlowRank:
      return blocker.member.empty()
                 ? std::string("learner ranks: all of them wait for each other")
                 : absl::StrCat(blocker.member, ", a rank of the learner that ", blocker.have, " other",
                                blocker.have == 1 ? " waits for" : "s wait for");
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

std::string LabelOf(const Blocker& blocker) {
  using Kind = Blocker::Kind;
  switch (blocker.kind) {
    case Kind::kNothing:
    case Kind::kFinished:
    case Kind::kDraining:
      return "";
    case Kind::kCoordinator:
      return "coordinator";
    case Kind::kJoin:
      return NoneOf(blocker.role);
    case Kind::kRanks:
      return "learner_ranks";
    case Kind::kStart:
      return "learner_loads";
    case Kind::kLastCheckpoint:
      return "last_checkpoint";
    case Kind::kTraining:
    case Kind::kStep:
      return "training";
    case Kind::kSlowRank:
      return "slow_rank";
    case Kind::kComplaint:
      return blocker.obstacle == v1::OBSTACLE_UNSPECIFIED ? "member" : Word(blocker.obstacle);
    case Kind::kUnscorable:
      return "unscorable";
    case Kind::kFlatRewards:
      return "flat_rewards";
    case Kind::kRetired:
      return "retired";
    case Kind::kWeights:
      return Word(v1::OBSTACLE_WEIGHTS);
    case Kind::kLate:
    case Kind::kLease:
      return "lease";
    case Kind::kGroups:
      return "groups";
  }
  return "";
}

std::vector<std::string> BlockerLabels() {
  std::vector<std::string> labels = {"coordinator",  "learner_ranks", "learner_loads", "last_checkpoint",
                                     "training",     "slow_rank",     "member",        "unscorable",
                                     "flat_rewards", "retired",       "lease",         "groups"};
  for (const v1::Role role : kRoles) labels.push_back(NoneOf(role));
  for (int obstacle = 1; v1::Obstacle_IsValid(obstacle); ++obstacle) {
    if (obstacle != v1::OBSTACLE_RANKS) labels.push_back(Word(static_cast<v1::Obstacle>(obstacle)));
  }
  return labels;
}

std::string InWords(const Blocker& blocker, absl::Time now) {
  const std::string words = InWords(blocker);
  if (words.empty() || blocker.since == absl::InfinitePast()) return words;
  return absl::StrCat(words, ", for ",
                      absl::FormatDuration(absl::Trunc(now - blocker.since, absl::Seconds(1))), " now");
}

}  // namespace lvrpo
