#include "reward_server/reward_process.h"

#include <cstdlib>
#include <string>
#include <utility>

#include "common/clock.h"
#include "common/exit_code.h"
#include "common/stopwatch.h"
#include "reward_server/warm_up.h"
#include "spdlog/spdlog.h"

namespace lvrpo {

absl::Status WarmUpScorers(const v1::RunConfig& config, ScorerSet& scorers) {
  const Stopwatch watch;
  const WarmUpReport warm = WarmUp(scorers, WarmUpPrompts(config.data(), scorers), config.rollout());
  for (const std::string& problem : warm.problems) spdlog::warn("warm-up: {}", problem);
  if (warm.refused.ok()) spdlog::info("warm after {:.2f} s", watch.Seconds());
  return warm.refused;
}

RewardProcess::RewardProcess(const RoleFlags& flags, const v1::RunConfig& config, ScorerSet& scorers,
                             ShutdownSignal& shutdown, RoleHealth& health)
    : flags_(flags),
      config_(config),
      shutdown_(shutdown),
      health_(health),
      pool_(scorers, ToPoolOptions(config.reward()), RealClock(), health.metrics()),
      service_(scorers, pool_, absl::Seconds(config.reward().deadline_seconds()), RealClock(),
               health.metrics()) {}

absl::Status RewardProcess::Join() {
  absl::StatusOr<std::unique_ptr<RoleProcess>> process =
      RoleProcess::Start(flags_, config_, health_, {.services = {&service_}});
  if (!process.ok()) return process.status();
  health_.state().SetTrouble([this] { return pool_.broken(); });
  process_ = *std::move(process);
  if (absl::Status status = process_->Announce(); !status.ok()) return status;
  if (flags_.coordinator.empty()) return absl::OkStatus();
  return process_->Join({.role = v1::ROLE_REWARD_SERVER,
                         .report =
                             [this] {
                               MemberSession::Report report;
                               report.load = static_cast<double>(pool_.load());
                               if (shutdown_.requested()) report.state = kLeaving;
                               return report;
                             }},
                        shutdown_);
}

// While a run drains, what is queued is still answered; workers return the leases of what comes too late.
absl::Status RewardProcess::Serve() {
  while (!shutdown_.WaitFor(absl::Milliseconds(200))) {
    pool_.Report();
    if (const std::string broken = pool_.broken(); !broken.empty()) return absl::DataLossError(broken);
    if (flags_.coordinator.empty()) continue;
    const v1::PoolView view = process_->session().view();
    if (view.finished() || (view.draining() && pool_.load() == 0)) break;
    if (absl::Status lost = process_->session().lost(); !lost.ok()) return lost;
  }
  return absl::OkStatus();
}

absl::Status RewardProcess::Run() {
  if (absl::Status status = Join(); !status.ok())
    return absl::IsCancelled(status) ? absl::OkStatus() : status;
  const absl::Status lost = Serve();
  pool_.Drain();
  process_->End(lost.ok() ? "done" : "lost", absl::Seconds(2));
  if (const std::string hanging = pool_.hanging(); !hanging.empty()) {
    spdlog::error("scorer '{}' hangs and will not be waited for", hanging);
    std::_Exit(lost.ok() ? kExitDone : kExitRetry);
  }
  return lost;
}

}  // namespace lvrpo
