// What autoscalers are told of the pools' sizes, and what the live page shows.

#include <algorithm>
#include <set>
#include <string>

#include "coordinator/page/run_page.h"
#include "coordinator/service.h"

namespace lvrpo {

RunNow CoordinatorService::Now() const {
  RunNow run;
  run.now = clock_.Now();
  run.learner_is_here = members_.Count(v1::ROLE_LEARNER) > 0;
  run.ends = draining_ || state_.finished() || !fatal_.ok();
  run.held = !degraded_.ok() || !started_;
  run.waits_for = Waiting().kind;
  run.step = state_.committed_steps();
  std::set<std::string> busy;
  for (const auto& [ordinal, group] : state_.open_groups()) {
    if (group->state() != v1::LEASED) continue;
    ++run.leased;
    busy.insert(group->member_id());
  }
  const RunRules& rules = state_.rules();
  const int64_t most =
      MostOpenGroups(rules.max_staleness, rules.groups_per_step, rules.total_steps - run.step);
  const auto open = static_cast<int64_t>(state_.open_groups().size());
  run.groups_wanted = state_.Count(v1::PLANNED) + std::max<int64_t>(0, most - open);
  run.workers = members_.Count(v1::ROLE_ROLLOUT_WORKER);
  run.busy_workers = static_cast<int64_t>(busy.size());
  run.reward_servers = members_.Count(v1::ROLE_REWARD_SERVER);
  run.scoring = members_.Load(v1::ROLE_REWARD_SERVER);
  return run;
}

void CoordinatorService::SizePools() {
  const RunNow run = Now();
  sizes_ = sizer_.Update(run);
  use_.Add(run);
  metrics_.Gauge("lvrpo_coordinator_groups_wanted")
      .Set(static_cast<double>(run.ends ? 0 : run.groups_wanted));
  const auto set = [&](const char* pool, double in_flight, int64_t wanted) {
    metrics_.Gauge("lvrpo_coordinator_pool_in_flight", {{"pool", pool}}).Set(in_flight);
    metrics_.Gauge("lvrpo_coordinator_pool_replicas_wanted", {{"pool", pool}})
        .Set(static_cast<double>(wanted));
  };
  set("rollout", static_cast<double>(run.leased), sizes_.rollout);
  set("reward", run.scoring, sizes_.reward);
}

nlohmann::json CoordinatorService::LiveStatus() {
  v1::GetStatusResponse status;
  (void)GetStatus(nullptr, nullptr, &status);
  nlohmann::json json = StatusJson(status);
  absl::MutexLock lock(&mutex_);
  const RunNow run = Now();
  const absl::Status& trouble = fatal_.ok() ? degraded_ : fatal_;
  json["trouble"] = std::string(trouble.message());
  json["groups_wanted"] = run.ends ? 0 : run.groups_wanted;
  json["pools"] = {{"rollout", {{"wanted", sizes_.rollout}, {"in_flight", run.leased}}},
                   {"reward", {{"wanted", sizes_.reward}, {"in_flight", run.scoring}}}};
  return json;
}

nlohmann::json CoordinatorService::StepCurves() const {
  absl::MutexLock lock(&mutex_);
  return curves_.ToJson();
}

absl::StatusOr<PoolSizes> CoordinatorService::WantedSizes() const {
  absl::MutexLock lock(&mutex_);
  if (!started_) return absl::UnavailableError("the coordinator is starting");
  return sizes_;
}

}  // namespace lvrpo
