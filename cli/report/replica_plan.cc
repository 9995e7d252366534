#include "cli/report/replica_plan.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/report/run_summary.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"

namespace lvrpo {
namespace {

// As coordinator/scaling/pool_sizer.h: the rest is for work that comes unevenly.
constexpr double kFullRollout = .8, kFullReward = .7;
constexpr size_t kFirst = 5, kMost = 100;  // steps

double Figure(const nlohmann::json& step, const char* name) {
  const auto found = step.find(name);
  return found != step.end() && found->is_number() ? found->get<double>() : 0;
}

int64_t Members(double busy_seconds, double learner_seconds, double full_load) {
  return std::max<int64_t>(
      1, static_cast<int64_t>(std::ceil(busy_seconds / learner_seconds / full_load - 1e-9)));
}

}  // namespace

absl::StatusOr<ReplicaPlan> PlanReplicas(const std::vector<nlohmann::json>& steps) {
  ReplicaPlan plan;
  const size_t begin =
      steps.size() > kFirst + kMost ? steps.size() - kMost : std::min(kFirst, steps.size() / 2);
  for (size_t i = begin; i < steps.size(); ++i) {
    const nlohmann::json& step = steps[i];
    if (!step.is_object() || Figure(step, "seconds_rollout_busy") <= 0 || Figure(step, "seconds_update") <= 0)
      continue;
    ++plan.steps;
    plan.waited_seconds += Figure(step, "seconds_wait");
    plan.rollout_seconds += Figure(step, "seconds_rollout_busy");
    plan.reward_seconds += Figure(step, "seconds_reward_busy");
    for (const char* phase : {"seconds_load", "seconds_update", "seconds_publish", "seconds_copy"})
      plan.learner_seconds += Figure(step, phase);
  }
  if (plan.steps == 0)
    return absl::NotFoundError("no step of this run has measured what the pools did (seconds_rollout_busy)");
  for (double* sum :
       {&plan.learner_seconds, &plan.waited_seconds, &plan.rollout_seconds, &plan.reward_seconds})
    *sum /= static_cast<double>(plan.steps);
  plan.rollout = Members(plan.rollout_seconds, plan.learner_seconds, kFullRollout);
  plan.reward = Members(plan.reward_seconds, plan.learner_seconds, kFullReward);
  return plan;
}

nlohmann::json ReplicaPlanJson(const ReplicaPlan& plan) {
  return {{"steps", plan.steps},
          {"learner_seconds", plan.learner_seconds},
          {"waited_seconds", plan.waited_seconds},
          {"rollout_seconds", plan.rollout_seconds},
          {"reward_seconds", plan.reward_seconds},
          {"rollout_workers", plan.rollout},
          {"reward_servers", plan.reward}};
}

std::string FormatReplicaPlan(const ReplicaPlan& plan) {
  return absl::StrFormat(
      "of %d steps, means:\n"
      "  the learner worked  %10.2f s, and waited %.2f s for groups\n"
      "  workers sampled     %10.2f s for a step's groups, all together\n"
      "  reward servers had  %10.2f s of groups\n"
      "to keep this learner busy (workers %.0f %% busy, reward servers %.0f %%):\n"
      "  rollout workers     %10d\n"
      "  reward servers      %10d\n",
      plan.steps, plan.learner_seconds, plan.waited_seconds, plan.rollout_seconds, plan.reward_seconds,
      100 * kFullRollout, 100 * kFullReward, plan.rollout, plan.reward);
}

absl::Status ShowReplicas(const std::string& run_dir, bool json) {
  const std::string path = JoinPath(run_dir, "metrics.jsonl");
  if (!IsFile(path))
    return absl::NotFoundError(absl::StrCat(run_dir, " is not a run folder: it has no metrics.jsonl"));
  const absl::StatusOr<ReplicaPlan> plan = PlanReplicas(ReadJsonLines(path));
  if (!plan.ok()) return plan.status();
  std::fputs(json ? (JsonText(ReplicaPlanJson(*plan), 1) + "\n").c_str() : FormatReplicaPlan(*plan).c_str(),
             stdout);
  return absl::OkStatus();
}

}  // namespace lvrpo
