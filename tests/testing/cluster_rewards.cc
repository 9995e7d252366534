#include "tests/testing/cluster_rewards.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "reward_server/decode_request.h"
#include "tests/testing/fake_policy.h"

namespace lvrpo {
namespace {

constexpr char kName[] = "exact_match";

class DigestScorer : public Scorer {
 public:
  std::string name() const override { return kName; }
  std::string digest() const override { return "1"; }
  bool AppliesTo(const v1::PromptRecord&) const override { return true; }
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) override {
    std::vector<SampleScore> scores;
    for (const std::string& sample : group.texts)
      scores.push_back({.value = RewardOf(sample), .detail = "", .maps = {}});
    return scores;
  }
};

std::vector<std::unique_ptr<Scorer>> Scorers() {
  std::vector<std::unique_ptr<Scorer>> scorers;
  scorers.push_back(std::make_unique<DigestScorer>());
  return scorers;
}

}  // namespace

ClusterRewards::ClusterRewards(ClusterWorld& world, const ClusterProcess& process)
    : world_(world),
      scorers_(Scorers(), {{kName, 1.0}}),
      pool_(scorers_, {}, world.clock, metrics_),
      member_(world,
              {.role = v1::ROLE_REWARD_SERVER, .process = process, .report = [](v1::HeartbeatRequest&) {}}) {
  world_.rewards = this;
}

ClusterRewards::~ClusterRewards() { world_.rewards = nullptr; }

absl::StatusOr<v1::ScoreResponse> ClusterRewards::Score(const v1::ScoreRequest& request) {
  absl::StatusOr<ScoringGroup> group = DecodeRequest(request);
  if (!group.ok()) return group.status();
  return pool_.Score(*std::move(group), absl::InfiniteFuture());
}

absl::Status ClusterRewards::Run() {
  if (absl::Status status = member_.Join(); !status.ok()) return status;
  while (!member_.view().finished() && !member_.view().draining()) {
    if (!member_.lost().ok()) return member_.lost();
    world_.turns.Sleep(absl::Milliseconds(100));
  }
  pool_.Drain();
  member_.Leave();
  return absl::OkStatus();
}

}  // namespace lvrpo
