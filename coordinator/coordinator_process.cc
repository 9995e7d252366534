#include "coordinator/coordinator_process.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/config/config.h"
#include "common/files/file.h"
#include "common/files/file_lock.h"
#include "common/files/filesystem.h"
#include "common/files/identity.h"
#include "common/json/json_text.h"
#include "common/net/host_port.h"
#include "common/net/listen_socket.h"
#include "common/run_folder/run_folder.h"
#include "common/telemetry/logging.h"
#include "coordinator/page/run_page.h"
#include "coordinator/page/sample_events.h"
#include "coordinator/scaling/scaler_service.h"
#include "coordinator/service.h"
#include "coordinator/state/departure.h"
#include "nlohmann/json.hpp"
#include "role/role_process.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

// The run's name is its folder's.
CoordinatorService::Options OptionsOf(const v1::RunConfig& config, std::string run_dir) {
  CoordinatorService::Options options;
  while (run_dir.size() > 1 && run_dir.back() == '/') run_dir.pop_back();
  options.run_id = run_dir.substr(run_dir.rfind('/') + 1);
  options.run_dir = std::move(run_dir);
  options.config_digest = ConfigDigest(config);
  options.rules.total_steps = config.train().steps();
  options.rules.group_size = config.rollout().group_size();
  options.rules.groups_per_step = config.train().groups_per_step();
  options.rules.max_staleness = config.train().max_staleness();
  options.rules.filter_zero_variance = config.train().filter_zero_variance();
  options.rules.lease = absl::Seconds(config.rollout().lease_seconds());
  options.rules.lease_limit = absl::Seconds(config.rollout().lease_limit_seconds());
  options.heartbeat = absl::Seconds(config.coordinator().heartbeat_seconds());
  options.member_timeout = absl::Seconds(config.coordinator().member_timeout_seconds());
  options.watchdog = absl::Seconds(config.coordinator().watchdog_seconds());
  options.drain_grace = absl::Seconds(config.coordinator().drain_grace_seconds());
  options.max_unscorable_groups = config.coordinator().max_unscorable_groups();
  return options;
}

// coordinator.json in the run folder: where the run is coordinated.
absl::Status WriteWhere(const CoordinatorService::Options& options, const CoordinatorService& service,
                        const RoleProcess& process) {
  const nlohmann::json where = {{"address", process.address()},
                                {"metrics", BesideAddress(process.metrics_address(), process.address())},
                                {"pid", getpid()},
                                {"run_id", options.run_id},
                                {"run_epoch", service.starts()}};
  const absl::Status status =
      WriteFileAtomic(JoinPath(options.run_dir, "coordinator.json"), JsonText(where) + "\n");
  if (status.ok() || service.trouble().empty()) return status;
  spdlog::warn("{}", std::string(status.message()));  // the disk is full: only people read this file
  return absl::OkStatus();
}

constexpr absl::Duration kBetweenLooks = absl::Seconds(15);

// Only people look at these: a run goes on without them.
void UpdateSamples(SampleEvents& samples, const CoordinatorService& service) {
  const absl::Status status = samples.Update(service.StepCurves().value("steps", int64_t{0}),
                                             absl::ToDoubleSeconds(RealClock().Now() - absl::UnixEpoch()));
  if (!status.ok()) spdlog::warn("tensorboard/samples is behind: {}", std::string(status.message()));
}

// Whether the process stays, goes or ends, at one look after another.
class Departure {
 public:
  Departure(const CoordinatorService& service, const CoordinatorService::Options& options, bool stays,
            const ShutdownSignal& shutdown)
      : service_(service), options_(options), stays_(stays), shutdown_(shutdown) {}

  NextStep Look() {
    const CoordinatorService::Standing run = service_.standing();
    const absl::Time now = RealClock().Now();
    if (shutdown_.requested()) told_at_ = std::min(told_at_, now);
    const NextStep next = NextStepOf({.told = shutdown_.requested(),
                                      .told_for = now - std::min(told_at_, now),
                                      .orphaned = shutdown_.orphaned(),
                                      .draining = run.draining,
                                      .finished = run.finished,
                                      .alone = run.alone,
                                      .overdue = run.overdue,
                                      .grace = options_.drain_grace,
                                      .learner_leaves = run.learner_leaves,
                                      .hearing = 2 * options_.heartbeat,
                                      .stays = stays_});
    if (next == NextStep::kEnd && run.overdue)
      spdlog::warn("the drain took longer than {}: leaving", absl::FormatDuration(options_.drain_grace));
    if (next == NextStep::kRest && !rests_) spdlog::info("the run has finished; waiting for SIGTERM");
    rests_ = next == NextStep::kRest;
    return next;
  }

 private:
  const CoordinatorService& service_;
  const CoordinatorService::Options& options_;
  const bool stays_;
  const ShutdownSignal& shutdown_;
  absl::Time told_at_ = absl::InfiniteFuture();
  bool rests_ = false;
};

// Until the run is over; Aborted when it goes on with another coordinator, other errors when it cannot go on.
absl::Status Watch(CoordinatorService& service, const CoordinatorService::Options& options, bool stays,
                   const ShutdownSignal& shutdown) {
  const std::string& run_dir = options.run_dir;
  const std::string folder = IdentityOf(run_dir);
  Departure departure(service, options, stays, shutdown);
  SampleEvents samples(run_dir);
  absl::Time next_look = RealClock().Now();
  while (true) {
    service.Tick();
    if (RealClock().Now() >= next_look) {
      next_look = RealClock().Now() + kBetweenLooks;
      UpdateSamples(samples, service);
    }
    if (absl::Status fatal = service.fatal(); !fatal.ok()) return fatal;
    if (IsGone(run_dir, folder))
      return absl::NotFoundError(absl::StrCat("the run's folder ", run_dir, " is gone: the run ends"));
    const NextStep next = departure.Look();
    if (next == NextStep::kEnd) {
      UpdateSamples(samples, service);
      return absl::OkStatus();
    }
    if (next == NextStep::kLeave)
      return absl::AbortedError("stopped by a signal; the run goes on when a coordinator is back");
    if (next == NextStep::kDrain) service.StartDraining("its parent process has ended");
    if (shutdown.requested()) {
      absl::SleepFor(absl::Milliseconds(50));
    } else {
      shutdown.WaitFor(absl::Milliseconds(100));
    }
  }
}

// Serves the records until the run is over. `health` shows how it stands.
absl::Status Serve(const RoleFlags& flags, const v1::RunConfig& config,
                   const CoordinatorService::Options& options, std::unique_ptr<Store> store,
                   const ShutdownSignal& shutdown, RoleHealth& health) {
  const absl::StatusOr<std::unique_ptr<CoordinatorService>> service =
      CoordinatorService::Create(options, std::move(store), RealClock(), health.metrics());
  if (!service.ok()) return service.status();
  RunPage page({.run_dir = options.run_dir,
                .insecure = flags.insecure,
                .status = [&] { return (*service)->LiveStatus(); },
                .curves = [&] { return (*service)->StepCurves(); }});
  ScalerService scaler([&] { return (*service)->WantedSizes(); });
  const absl::StatusOr<std::unique_ptr<RoleProcess>> process =
      RoleProcess::Start(flags, config, health, {.services = {service->get(), &scaler}});
  if (!process.ok()) return process.status();
  health.metrics().SetRun(options.run_id);
  health.metrics().WatchDisk("run", options.run_dir);
  health.SetPages([&page](const PageRequest& request) { return page.Answer(request); });
  const absl::Cleanup no_pages = [&health] { health.SetPages(nullptr); };
  health.state().SetTrouble([&s = **service] { return s.trouble(); });
  health.state().Follow([&s = **service] {
    const CoordinatorService::Standing run = s.standing();
    return RoleState::Sight{.draining = run.draining, .finished = run.finished};
  });
  // After its ports are bound: this raises the run epoch.
  if (absl::Status status = (*service)->Start(); !status.ok()) return status;
  if (absl::Status status = WriteWhere(options, **service, **process); !status.ok()) return status;
  if (absl::Status status = (*process)->Announce(); !status.ok()) return status;
  const absl::Status status = Watch(**service, options, flags.stay, shutdown);
  (*service)->Tick();
  scaler.End();
  (*process)->End("", absl::Seconds(1));
  return status;
}

}  // namespace

absl::Status CoordinateRun(const RoleFlags& flags, const LoadedConfig& loaded, ShutdownSignal& shutdown) {
  const v1::RunConfig& config = loaded.config;
  if (absl::Status status = MakeFolder(flags.run_dir); !status.ok()) return status;
  const CoordinatorService::Options options = OptionsOf(config, flags.run_dir);
  SetLogRun(options.run_id);
  const absl::StatusOr<std::unique_ptr<RoleHealth>> health =
      RoleHealth::Start(flags.metrics_listen, "coordinator", shutdown);
  if (!health.ok()) return health.status();
  (*health)->state().SetJoins(false);
  (*health)->state().ServeToTheEnd();
  (*health)->state().SetLoading("the records, once no other coordinator has them");
  const absl::StatusOr<FileLock> lock = FileLock::Take(
      JoinPath(options.run_dir, "coordinator.lock"), absl::Seconds(30), [&] { return shutdown.requested(); });
  if (absl::IsCancelled(lock.status()))
    return absl::AbortedError("stopped by a signal before it had the run folder");
  if (!lock.ok()) return lock.status();
  // Only a process that can serve opens or creates the records.
  if (absl::Status status = CheckCanListen(flags.listen); !status.ok()) return status;
  if (absl::Status status = CheckRunConfig(options.run_dir, loaded); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<Store>> store =
      Store::Open(JoinPath(options.run_dir, "coordinator.sqlite"), options.run_id, options.config_digest);
  if (!store.ok()) return store.status();
  if (absl::Status status = CompleteRunFolder(options.run_dir, loaded); !status.ok())
    spdlog::warn("{}", std::string(status.message()));  // the run goes on without; the next start writes it
  return Serve(flags, config, options, *std::move(store), shutdown, **health);
}

}  // namespace lvrpo
