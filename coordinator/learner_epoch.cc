#include "coordinator/learner_epoch.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/hash.h"

namespace lvrpo {
namespace {

constexpr size_t kProcessDigest = 16;  // digits: tells the processes of one rank apart
constexpr int kNamed = 3;              // ranks that a message names

// "ranks 1, 2, 3 and 4 more are not".
std::string AreNotThere(const std::vector<int>& missing) {
  std::string words = missing.size() == 1 ? "rank " : "ranks ";
  for (int i = 0; i < std::min<int>(kNamed, static_cast<int>(missing.size())); ++i)
    absl::StrAppend(&words, i == 0 ? "" : ", ", missing[static_cast<size_t>(i)]);
  if (missing.size() > kNamed) absl::StrAppend(&words, " and ", missing.size() - kNamed, " more");
  return absl::StrCat(words, missing.size() == 1 ? " is not" : " are not");
}

}  // namespace

v1::LearnerEpoch LearnerEpochOf(const std::vector<LearnerProcessFacts>& processes) {
  v1::LearnerEpoch epoch;
  std::map<int, const LearnerProcessFacts*> by_rank;
  for (const LearnerProcessFacts& process : processes) by_rank.emplace(process.place.rank(), &process);
  if (by_rank.empty()) return epoch;
  epoch.set_ranks(by_rank.begin()->second->place.ranks());
  Sha256 tokens;
  bool heard = true;  // those that have joined none
  for (const auto& [rank, process] : by_rank) {
    const std::string digest = Sha256Hex(process->process);
    tokens.Update(digest);
    v1::LearnerRank& present = *epoch.add_present();
    present.set_rank(rank);
    present.set_member_id(process->member);
    present.set_address(process->address);
    present.set_process(digest.substr(0, kProcessDigest));
    present.set_learner_epoch(process->place.learner_epoch());
    heard = heard && (process->heard || !process->place.learner_epoch().empty());
    if (rank == 0) epoch.set_rendezvous(process->place.rendezvous());
  }
  if (epoch.present_size() < epoch.ranks()) return epoch;
  epoch.set_id(tokens.FinishHex());
  epoch.set_complete(
      heard && std::all_of(epoch.present().begin(), epoch.present().end(), [&](const v1::LearnerRank& rank) {
        return rank.learner_epoch().empty() || rank.learner_epoch() == epoch.id();
      }));
  return epoch;
}

RanksThere LookAtRanks(const v1::LearnerEpoch& epoch) {
  RanksThere there = {.have = epoch.present_size(), .total = epoch.ranks(), .missing = ""};
  if (epoch.complete()) return there;
  std::vector<int> missing;
  for (int rank = 0, next = 0; rank < epoch.ranks(); ++rank) {
    if (next < epoch.present_size() && epoch.present(next).rank() == rank) {
      ++next;
    } else {
      missing.push_back(rank);
    }
  }
  if (!missing.empty()) {
    there.missing = AreNotThere(missing);
    return there;
  }
  for (const v1::LearnerRank& rank : epoch.present()) {
    if (rank.learner_epoch().empty()) continue;
    --there.have;
    if (there.missing.empty())
      there.missing = absl::StrCat(rank.member_id(), " trained with other processes and has to start again");
  }
  if (there.missing.empty() && there.have > 0) there.missing = "one was not heard since the others came";
  return there;
}

absl::Status CheckLearnerEpoch(absl::string_view named, const v1::LearnerEpoch& now) {
  if (now.complete() && named == now.id()) return absl::OkStatus();
  if (!now.id().empty() && named != now.id()) {
    return absl::AbortedError(
        "the ranks that trained together are not those that are there now: the learner starts again");
  }
  return absl::UnavailableError(
      absl::StrCat("the learner's ranks are not complete: ", LookAtRanks(now).missing));
}

std::string RankConflict(const LearnerProcessFacts& joins, const std::vector<LearnerProcessFacts>& there) {
  for (const LearnerProcessFacts& other : there) {
    if (other.member == joins.member) continue;
    if (other.place.ranks() != joins.place.ranks()) {
      return absl::StrCat(joins.member, " is one of ", joins.place.ranks(), " learner ranks, and ",
                          other.member, " one of ", other.place.ranks(),
                          ": start all with the same --ranks, once the others have left");
    }
    if (other.place.rank() == joins.place.rank()) {
      return absl::StrCat(other.member, " is rank ", other.place.rank(), " of the learner of this run; ",
                          joins.member, " may join when it has left");
    }
  }
  return "";
}

}  // namespace lvrpo
