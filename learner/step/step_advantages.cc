#include "learner/step/step_advantages.h"

#include <cmath>
#include <map>
#include <string>

#include "common/config/choices.h"
#include "common/config/reward_config.h"

namespace lvrpo {
namespace {

void AddRewards(const v1::SampleSummary& sample, StepSums& sums) {
  sums.rewards["reward"].Add(sample.reward());
  for (const v1::ComponentScore& score : sample.scores()) sums.rewards[score.name()].Add(score.score());
  for (const v1::ComponentScore& score : sample.logged()) {
    if (score.outcome() == v1::ComponentScore::OK) sums.logged[score.name()].Add(score.score());
  }
}

// The components of all samples by name, in the order in which they come up.
std::map<std::string, int64_t> ComponentPlaces(const std::vector<const TrainingGroup*>& groups) {
  std::map<std::string, int64_t> places;
  for (const TrainingGroup* group : groups) {
    for (const v1::SampleSummary& sample : group->samples) {
      for (const v1::ComponentScore& score : sample.scores())
        places.emplace(score.name(), static_cast<int64_t>(places.size()));
    }
  }
  return places;
}

// What has no configured weight is no part of the reward.
torch::Tensor WeightsOf(const std::map<std::string, int64_t>& places, const v1::RewardConfig& reward,
                        int64_t steps) {
  torch::Tensor weights = torch::zeros({static_cast<int64_t>(places.size())}, torch::kFloat64);
  const std::map<std::string, double> configured = ScheduledWeights(reward, steps);
  for (const auto& [name, place] : places) {
    if (const auto weight = configured.find(name); weight != configured.end())
      weights[place] = weight->second;
  }
  return weights;
}

// The weighted mean of a sample's known components, as reward servers combine them: [P, G, K], [K] -> [P, G].
torch::Tensor Combined(const torch::Tensor& components, const torch::Tensor& weights) {
  const torch::Tensor known = components.isnan().logical_not().to(torch::kFloat64);
  return (components * weights).nansum(2) / (known * weights).sum(2);  // 0 / 0: nothing counts
}

}  // namespace

absl::StatusOr<AdvantageOptions> AdvantageOptionsOf(const v1::TrainConfig& train) {
  const absl::StatusOr<RewardAggregation> aggregation =
      Choose(kRewardAggregations, "train.advantage_aggregation", train.advantage_aggregation());
  if (!aggregation.ok()) return aggregation.status();
  const absl::StatusOr<AdvantageScale> scale =
      Choose(kAdvantageScales, "train.advantage_scale", train.advantage_scale());
  if (!scale.ok()) return scale.status();
  AdvantageOptions options;
  options.scale = *scale;
  options.eps = train.advantage_eps();
  options.clamp = train.advantage_clamp();
  options.aggregation = *aggregation;
  return options;
}

std::vector<torch::Tensor> StepAdvantages(const std::vector<const TrainingGroup*>& groups,
                                          const AdvantageOptions& options, const v1::RewardConfig& reward,
                                          int64_t steps, StepSums& sums) {
  if (groups.empty()) return {};
  const auto count = static_cast<int64_t>(groups.size()),
             size = static_cast<int64_t>(groups[0]->samples.size());
  const std::map<std::string, int64_t> places = ComponentPlaces(groups);
  torch::Tensor rewards = torch::empty({count, size}, torch::kFloat64);
  torch::Tensor components =
      torch::full({count, size, static_cast<int64_t>(places.size())}, NAN, torch::kFloat64);
  for (int64_t p = 0; p < count; ++p) {
    for (int64_t g = 0; g < size; ++g) {
      const v1::SampleSummary& sample = groups[static_cast<size_t>(p)]->samples[static_cast<size_t>(g)];
      AddRewards(sample, sums);
      rewards[p][g] = static_cast<double>(sample.reward());
      for (const v1::ComponentScore& score : sample.scores())
        components[p][g][places.at(score.name())] = static_cast<double>(score.score());
    }
    sums.reward_std.Add(rewards[p].std().item<double>());
  }
  const torch::Tensor weights = WeightsOf(places, reward, steps);
  const bool by_component = options.aggregation == RewardAggregation::kGdpo;
  if (!by_component && reward.schedule_size() > 0) rewards = Combined(components, weights);
  const torch::Tensor advantages = by_component ? GroupAdvantages(components, weights, options).advantages
                                                : GroupAdvantages(rewards, {}, options).advantages;
  sums.advantage.Add(advantages.abs().mean().item<double>());
  sums.squared_advantage.Add(advantages.square().mean().item<double>());
  return advantages.unbind(0);
}

}  // namespace lvrpo
