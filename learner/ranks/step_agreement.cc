#include "learner/ranks/step_agreement.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/hash.h"

namespace lvrpo {
namespace {

constexpr int64_t kMostTold = int64_t{1} << 24;  // bytes: rank 0's words are short

absl::Status Finish(std::unique_ptr<Pending> pending) {
  const absl::Status status = pending->Wait();
  return status.ok() ? status : RanksAreLost(status);
}

}  // namespace

absl::Status RanksAreLost(const absl::Status& error) {
  return absl::AbortedError(absl::StrCat(
      "the ranks of the learner no longer work together: ", error.message(), "; the learner starts again"));
}

absl::StatusOr<StepAgreement::Verdict> StepAgreement::Agree(const Word& word) {
  // The largest of each over ranks. An assignment and its complement show whether all have the same.
  enum { kDraining, kStopping, kUnusable, kUnassigned, kLargest, kSmallest, kWords };
  std::array<int64_t, kWords> words = {};
  words[kDraining] = word.draining;
  words[kStopping] = word.stopping;
  words[kUnusable] = word.unusable;
  words[kUnassigned] = !word.assigned;
  words[kLargest] = word.assignment;
  words[kSmallest] = std::numeric_limits<int64_t>::max() - word.assignment;
  if (ranks_ != nullptr) {
    const absl::Status status =
        Finish(ranks_->AllReduce({words.data(), kWords, Element::kInt64}, Reduction::kMax));
    if (!status.ok()) return status;
  }
  if (words[kDraining] != 0) return Verdict::kDrain;
  if (words[kStopping] != 0) return Verdict::kStop;
  const bool same = words[kLargest] == std::numeric_limits<int64_t>::max() - words[kSmallest];
  return words[kUnusable] != 0 || words[kUnassigned] != 0 || !same ? Verdict::kAskAgain : Verdict::kTrain;
}

absl::StatusOr<std::string> StepAgreement::Tell(absl::string_view words) {
  if (ranks_ == nullptr) return std::string(words);
  auto size = static_cast<int64_t>(words.size());
  if (absl::Status status = Finish(ranks_->Broadcast({&size, 1, Element::kInt64}, /*root=*/0)); !status.ok())
    return status;
  if (size < 0 || size > kMostTold) return absl::InternalError(absl::StrCat("rank 0 says ", size, " bytes"));
  std::string told(words);
  told.resize(static_cast<size_t>(size));
  if (size == 0) return told;
  if (absl::Status status = Finish(ranks_->Broadcast({told.data(), size, Element::kByte}, /*root=*/0));
      !status.ok()) {
    return status;
  }
  return told;
}

absl::StatusOr<std::vector<std::string>> StepAgreement::Gather(absl::string_view words) {
  if (ranks_ == nullptr) return std::vector<std::string>{std::string(words)};
  const auto own = static_cast<int64_t>(words.size());
  std::vector<int64_t> sizes(static_cast<size_t>(size()));
  if (absl::Status status = Finish(
          ranks_->AllGather(ConstSpan(&own, 1, Element::kInt64), {sizes.data(), size(), Element::kInt64}));
      !status.ok())
    return status;
  const int64_t longest = *std::max_element(sizes.begin(), sizes.end());
  if (*std::min_element(sizes.begin(), sizes.end()) < 0 || longest > kMostTold)
    return absl::InternalError(absl::StrCat("a rank says ", longest, " bytes"));
  std::string padded(words), all(static_cast<size_t>(longest * size()), '\0');
  padded.resize(static_cast<size_t>(longest));
  if (absl::Status status = Finish(ranks_->AllGather(ConstSpan(padded.data(), longest, Element::kByte),
                                                     {all.data(), longest * size(), Element::kByte}));
      !status.ok())
    return status;
  std::vector<std::string> said;
  for (size_t rank = 0; rank < sizes.size(); ++rank)
    said.push_back(all.substr(rank * static_cast<size_t>(longest), static_cast<size_t>(sizes[rank])));
  return said;
}

absl::Status StepAgreement::AgreeOn(const absl::Status& status) {
  int64_t failed = status.ok() ? -1 : rank();
  if (ranks_ != nullptr) {
    const absl::Status agreed = Finish(ranks_->AllReduce({&failed, 1, Element::kInt64}, Reduction::kMax));
    if (!agreed.ok() && status.ok()) return agreed;
  }
  if (!status.ok() || failed < 0) return status;
  return absl::AbortedError(absl::StrCat("rank ", failed, " of the learner cannot go on: its log says why"));
}

int64_t FingerprintOf(int64_t step, const v1::AssignStepResponse& assignment) {
  std::string text = absl::StrCat(step);
  for (const v1::AssignedGroup& group : assignment.groups()) {
    absl::StrAppend(&text, "\n", group.ordinal(), " ", group.attempt(), " ", group.rank(), " ",
                    group.trajectory_digest());
  }
  return static_cast<int64_t>(StableHash64(text) >> 1);
}

absl::Status CheckOwnEpoch(const v1::LearnerEpoch& own, const v1::LearnerEpoch& now) {
  if (own.id().empty() || now.present().empty() || now.id() == own.id()) return absl::OkStatus();
  const auto over = [](const std::string& why) {
    return absl::AbortedError(absl::StrCat(why, ": the learner starts again"));
  };
  if (now.ranks() != own.ranks())
    return over(absl::StrCat("the learner has ", now.ranks(), " ranks now, and not ", own.ranks()));
  for (const v1::LearnerRank& rank : now.present()) {
    for (const v1::LearnerRank& mine : own.present()) {
      if (mine.rank() == rank.rank() && mine.process() != rank.process())
        return over(absl::StrCat("rank ", rank.rank(), " (", rank.member_id(), ") is another process now"));
    }
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
