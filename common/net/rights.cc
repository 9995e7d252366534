#include "common/net/rights.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace lvrpo {

const std::vector<MethodRight>& MethodRights() {
  using enum PeerRole;
  constexpr int64_t kMiB = 1 << 20;
  static const auto* rights = new std::vector<MethodRight>{
      {"/lvrpo.v1.Coordinator/Register", {kLearner, kRollout, kReward, kEvaluation}, kMiB},
      {"/lvrpo.v1.Coordinator/Heartbeat", {kLearner, kRollout, kReward, kEvaluation}, kMiB},
      {"/lvrpo.v1.Coordinator/Leave", {kLearner, kRollout, kReward, kEvaluation}, kMiB},
      {"/lvrpo.v1.Coordinator/LeaseGroup", {kRollout}, kMiB},
      {"/lvrpo.v1.Coordinator/ReturnLease", {kRollout}, kMiB},
      {"/lvrpo.v1.Coordinator/SubmitGroup", {kRollout}, 16 * kMiB},
      {"/lvrpo.v1.Coordinator/AcknowledgeVersion", {kRollout, kEvaluation}, kMiB},
      {"/lvrpo.v1.Coordinator/StartTraining", {kLearner}, kMiB},
      {"/lvrpo.v1.Coordinator/AssignStep", {kLearner}, kMiB},
      {"/lvrpo.v1.Coordinator/CommitStep", {kLearner}, 4 * kMiB},
      {"/lvrpo.v1.Coordinator/RecordCheckpoint", {kLearner}, kMiB},
      {"/lvrpo.v1.Coordinator/ReportLostGroups", {kLearner}, 4 * kMiB},
      {"/lvrpo.v1.Coordinator/ReportEvaluation", {kEvaluation}, kMiB},
      {"/lvrpo.v1.Coordinator/GetStatus", AllPeerRoles(), kMiB},
      {"/lvrpo.v1.Coordinator/Drain", {kOperator, kCoordinator}, kMiB},
      {"/lvrpo.v1.WeightSource/GetManifest", {kLearner, kRollout, kEvaluation}, kMiB},
      {"/lvrpo.v1.WeightSource/StreamWeights", {kLearner, kRollout, kEvaluation}, kMiB},
      {"/lvrpo.v1.WeightGang/Ask", {kRollout}, kMiB},
      {"/lvrpo.v1.TrajectoryInbox/Upload", {kRollout}, 0},
      {"/lvrpo.v1.Reward/Score", {kRollout, kEvaluation, kOperator}, 0},
      {"/lvrpo.v1.Reward/GetInfo", AllPeerRoles(), kMiB},
      {"/lvrpo.v1.ExternalScorer/Describe", {kReward, kOperator}, kMiB},
      {"/lvrpo.v1.ExternalScorer/ScoreSamples", {kReward, kOperator}, 0},
      {"/externalscaler.ExternalScaler/IsActive", {kScaler, kOperator}, kMiB},
      {"/externalscaler.ExternalScaler/StreamIsActive", {kScaler, kOperator}, kMiB},
      {"/externalscaler.ExternalScaler/GetMetricSpec", {kScaler, kOperator}, kMiB},
      {"/externalscaler.ExternalScaler/GetMetrics", {kScaler, kOperator}, kMiB},
  };
  return *rights;
}

const MethodRight* FindRight(absl::string_view method) {
  const std::vector<MethodRight>& rights = MethodRights();
  const auto found = std::find_if(rights.begin(), rights.end(),
                                  [&](const MethodRight& right) { return method == right.method; });
  return found == rights.end() ? nullptr : &*found;
}

bool MayCall(PeerRole role, absl::string_view method) {
  const MethodRight* right = FindRight(method);
  return right != nullptr && std::count(right->roles.begin(), right->roles.end(), role) > 0;
}

std::string InWords(const std::vector<PeerRole>& roles) {
  std::string words;
  for (size_t i = 0; i < roles.size(); ++i)
    absl::StrAppend(&words, i == 0 ? "" : i + 1 == roles.size() ? " or " : ", ", Word(roles[i]));
  return words;
}

}  // namespace lvrpo
