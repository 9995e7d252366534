#include "common/config/reward_config.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config/choices.h"
#include "common/net/host_port.h"

namespace lvrpo {
namespace {

constexpr absl::string_view kGuards[] = {"artefacts", "one_patch", "disagreement", "written_text"};
constexpr absl::string_view kLoggable[] = {"grounding", "instruction", "knowledge", "pooled"};
constexpr absl::string_view kExternalTasks[] = {"image", "text", "both"};

void CheckUrl(const std::string& field, const std::string& url, ConfigProblems& p) {
  if (absl::Status status = CheckUrlHost(url); !status.ok()) p.Add(field, std::string(status.message()));
}

void CheckExternal(const v1::RewardConfig& reward, ConfigProblems& p) {
  // Names of components and of guards, which share their metrics.
  std::set<std::string> taken = {"exact_match", "none", "reward"};
  for (const absl::string_view name : kLoggable) taken.emplace(name);
  for (const absl::string_view name : kGuards) taken.emplace(name);
  for (int i = 0; i < reward.external_size(); ++i) {
    const v1::ExternalScorerConfig& external = reward.external(i);
    const std::string field = absl::StrCat("reward.external[", i, "]");
    const bool plain = std::all_of(external.name().begin(), external.name().end(), [](unsigned char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (external.name().empty() || !plain) {
      p.Add(field + ".name", absl::StrCat("'", external.name(), "': use lower-case letters, digits and '_'"));
    } else if (!taken.insert(external.name()).second) {
      p.Add(field + ".name", absl::StrCat("'", external.name(), "' is taken: choose another name"));
    }
    if (IsHttpAddress(external.address())) {
      CheckUrl(field + ".address", external.address(), p);
    } else if (absl::Status status = ParseHostPort(external.address(), AddressUse::kDial).status();
               !status.ok()) {
      p.Add(field + ".address",
            absl::StrCat("'", external.address(),
                         "' is neither host:port nor an http(s) address: ", status.message()));
    }
    p.Range(field + ".weight", external.weight(), 0, 1e6);
    p.OneOf(field + ".task", external.task(), kExternalTasks);
    p.Range(field + ".timeout_seconds", external.timeout_seconds(), 0, 1e6);
  }
}

void CheckVqaEndpoint(const v1::VqaEndpointConfig& endpoint, ConfigProblems& p) {
  const std::string field = "reward.vqa_endpoint";
  if (!endpoint.url().empty()) {
    if (IsHttpAddress(endpoint.url())) {
      CheckUrl(field + ".url", endpoint.url(), p);
    } else {
      p.Add(field + ".url", absl::StrCat("'", endpoint.url(), "' is no http(s) address"));
    }
    if (endpoint.model().empty())
      p.Add(field + ".model", "is empty: name the model that the endpoint serves");
  }
  p.Positive(field + ".timeout_seconds", endpoint.timeout_seconds());
  p.Range(field + ".concurrency", endpoint.concurrency(), 1, 1000);
  p.Range(field + ".retries", endpoint.retries(), 0, 100);
  p.Range(field + ".top_logprobs", endpoint.top_logprobs(), 2, 20);
  p.Range(field + ".cached_answers", endpoint.cached_answers(), 0, 1e8);
  p.Range(field + ".input_price", endpoint.input_price(), 0, 1e6);
  p.Range(field + ".output_price", endpoint.output_price(), 0, 1e6);
}

void CheckSchedule(const v1::RewardConfig& reward, ConfigProblems& p) {
  const std::map<std::string, double> weights = ComponentWeights(reward);
  std::set<std::pair<std::string, int>> points;
  std::map<std::string, double> most;
  for (int i = 0; i < reward.schedule_size(); ++i) {
    const v1::RewardWeightConfig& point = reward.schedule(i);
    const std::string field = absl::StrCat("reward.schedule[", i, "]");
    p.Range(field + ".step", point.step(), 0, 1e9);
    p.Range(field + ".weight", point.weight(), 0, 1e6);
    if (!weights.contains(point.component()) || point.component() == "exact_match") {
      p.Add(field + ".component", absl::StrCat("'", point.component(),
                                               "' is not scored as a part of R for images: name a component "
                                               "whose weight in the section reward is above 0"));
    } else if (!points.emplace(point.component(), point.step()).second) {
      p.Add(field + ".step",
            absl::StrCat("'", point.component(), "' has two weights at step ", point.step()));
    }
    most[point.component()] = std::max(most[point.component()], point.weight());
  }
  const bool all_zero = !most.empty() && std::all_of(weights.begin(), weights.end(), [&](const auto& entry) {
    const auto scheduled = most.find(entry.first);
    return entry.first == "exact_match" || (scheduled != most.end() && scheduled->second == 0);
  });
  if (all_zero)
    p.Add("reward.schedule", "all weights are 0 in every step: there would be nothing to learn from");
}

}  // namespace

bool IsHttpAddress(const std::string& address) {
  return absl::StartsWithIgnoreCase(address, "http://") || absl::StartsWithIgnoreCase(address, "https://");
}

bool AppliesToTask(const v1::ExternalScorerConfig& external, v1::TaskKind task) {
  return external.task() == "both" || external.task() == (task == v1::TASK_KIND_TEXT ? "text" : "image");
}

std::map<std::string, double> ComponentWeights(const v1::RewardConfig& config) {
  std::map<std::string, double> weights = {{"grounding", config.grounding_weight()},
                                           {"instruction", config.instruction_weight()},
                                           {"knowledge", config.knowledge_weight()},
                                           {"exact_match", 1.0}};
  for (const v1::ExternalScorerConfig& external : config.external())
    weights[external.name()] = external.weight();
  std::erase_if(weights, [](const auto& entry) { return entry.second == 0; });
  return weights;
}

std::map<std::string, double> ScheduledWeights(const v1::RewardConfig& config, int64_t steps) {
  std::map<std::string, double> weights = ComponentWeights(config);
  std::map<std::string, std::map<int64_t, double>> points;
  for (const v1::RewardWeightConfig& point : config.schedule())
    points[point.component()][point.step()] = point.weight();
  for (const auto& [component, line] : points) {
    const auto after = line.lower_bound(steps);
    double& weight = weights[component];
    if (after == line.end()) {
      weight = line.rbegin()->second;
    } else if (after == line.begin()) {
      weight = after->second;
    } else {
      const auto before = std::prev(after);
      const double share =
          static_cast<double>(steps - before->first) / static_cast<double>(after->first - before->first);
      weight = before->second + share * (after->second - before->second);
    }
  }
  return weights;
}

std::set<std::string> LoggedNames(const v1::RewardConfig& config) {
  std::set<std::string> names(config.guards().begin(), config.guards().end());
  names.insert(config.logged().begin(), config.logged().end());
  for (const v1::ExternalScorerConfig& external : config.external()) {
    if (external.weight() == 0) names.insert(external.name());
  }
  for (const auto& [name, weight] : ComponentWeights(config)) names.erase(name);
  return names;
}

void CheckReward(const v1::RewardConfig& reward, ConfigProblems& p) {
  for (const auto& [field, weight] : {std::pair{"reward.grounding_weight", reward.grounding_weight()},
                                      {"reward.instruction_weight", reward.instruction_weight()},
                                      {"reward.knowledge_weight", reward.knowledge_weight()}}) {
    p.Range(field, weight, 0, 1e6);
  }
  double weights = reward.grounding_weight() + reward.instruction_weight() + reward.knowledge_weight();
  for (const v1::ExternalScorerConfig& external : reward.external()) weights += external.weight();
  if (weights <= 0) p.Add("reward", "all weights are 0: there would be nothing to learn from");
  p.OneOf("reward.grounding_form", reward.grounding_form(), kGroundingForms);
  p.OneOf("reward.grounding_dense", reward.grounding_dense(), kGroundingDense);
  if (reward.grounding_dense() == "box" && reward.grounding_form() != "count_aware") {
    p.Add("reward.grounding_dense", "box needs regions: set reward.grounding_form to count_aware");
  }
  p.Range("reward.grounding_top_k", reward.grounding_top_k(), 1, 100000);
  p.OneOf("reward.grounding_regions", reward.grounding_regions(), kGroundingRegions);
  p.OneOf("reward.grounding_calibration", reward.grounding_calibration(), kGroundingCalibrations);
  p.Range("reward.grounding_max_patches", reward.grounding_max_patches(), 1, 100000);
  p.OneOf("reward.instruction_form", reward.instruction_form(), kInstructionForms);
  p.Range("reward.queue_limit", reward.queue_limit(), 1, 1000000);
  p.Positive("reward.deadline_seconds", reward.deadline_seconds());
  p.Positive("reward.queue_deadline_seconds", reward.queue_deadline_seconds());
  p.Positive("reward.compute_deadline_seconds", reward.compute_deadline_seconds());
  p.Range("reward.batch_samples", reward.batch_samples(), 1, 1e6);
  p.Range("reward.batch_delay_seconds", reward.batch_delay_seconds(), 0, 60);
  p.Range("reward.cached_scores", reward.cached_scores(), 0, 1e8);
  p.Positive("reward.verify_seconds", reward.verify_seconds());
  if (IsHttpAddress(reward.detector())) {
    CheckUrl("reward.detector", reward.detector(), p);
  } else if (!reward.detector().empty()) {
    p.Exists("reward.detector", reward.detector());
  }
  p.OneOf("reward.image_transport", reward.image_transport(), kImageTransports);
  for (const std::string& guard : reward.guards()) p.OneOf("reward.guards", guard, kGuards);
  for (const std::string& name : reward.logged()) {
    if (ComponentWeights(reward).contains(name))
      p.Add("reward.logged", absl::StrCat("'", name, "' has a weight: it is a part of R already"));
    p.OneOf("reward.logged", name, kLoggable);
  }
  CheckExternal(reward, p);
  CheckSchedule(reward, p);
  CheckVqaEndpoint(reward.vqa_endpoint(), p);
}

}  // namespace lvrpo
