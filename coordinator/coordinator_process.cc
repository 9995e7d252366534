#include "coordinator/coordinator_process.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

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
#include "common/telemetry/metrics.h"
#include "coordinator/page/run_page.h"
#include "coordinator/page/sample_events.h"
#include "coordinator/scaling/scaler_service.h"
#include "coordinator/service.h"
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

// Until the run is done; an error when it cannot go on.
absl::Status Watch(CoordinatorService& service, const CoordinatorService::Options& options,
                   const ShutdownSignal& shutdown) {
  const std::string& run_dir = options.run_dir;
  const std::string folder = IdentityOf(run_dir);
  SampleEvents samples(run_dir);
  absl::Time next_look = RealClock().Now();
  while (!service.Done()) {
    service.Tick();
    if (RealClock().Now() >= next_look) {
      next_look = RealClock().Now() + kBetweenLooks;
      UpdateSamples(samples, service);
    }
    if (absl::Status fatal = service.fatal(); !fatal.ok()) return fatal;
    if (IsGone(run_dir, folder))
      return absl::NotFoundError(absl::StrCat("the run's folder ", run_dir, " is gone: the run ends"));
    if (shutdown.requested()) service.StartDraining("signal");
    if (service.DrainIsOverdue()) {
      spdlog::warn("the drain took longer than {}: leaving", absl::FormatDuration(options.drain_grace));
      break;
    }
    if (shutdown.requested()) {
      absl::SleepFor(absl::Milliseconds(50));
    } else {
      shutdown.WaitFor(absl::Milliseconds(100));
    }
  }
  service.Tick();
  UpdateSamples(samples, service);
  return absl::OkStatus();
}

}  // namespace

absl::Status CoordinateRun(const RoleFlags& flags, const v1::RunConfig& config, ShutdownSignal& shutdown) {
  if (absl::Status status = MakeFolder(flags.run_dir); !status.ok()) return status;
  const CoordinatorService::Options options = OptionsOf(config, flags.run_dir);
  const absl::StatusOr<FileLock> lock = FileLock::Take(
      JoinPath(options.run_dir, "coordinator.lock"), absl::Seconds(30), [&] { return shutdown.requested(); });
  if (absl::IsCancelled(lock.status())) return absl::OkStatus();
  if (!lock.ok()) return lock.status();
  // Only a process that can serve opens or creates the records.
  if (absl::Status status = CheckCanListen(flags.listen); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<Store>> store =
      Store::Open(JoinPath(options.run_dir, "coordinator.sqlite"), options.run_id, options.config_digest);
  if (!store.ok()) return store.status();
  Metrics metrics("coordinator");
  const absl::StatusOr<std::unique_ptr<CoordinatorService>> service =
      CoordinatorService::Create(options, *std::move(store), RealClock(), metrics);
  if (!service.ok()) return service.status();
  RunPage page({.run_dir = options.run_dir,
                .insecure = flags.insecure,
                .status = [&] { return (*service)->LiveStatus(); },
                .curves = [&] { return (*service)->StepCurves(); }});
  ScalerService scaler([&] { return (*service)->WantedSizes(); });
  const absl::StatusOr<std::unique_ptr<RoleProcess>> process =
      RoleProcess::Start(flags, config, metrics,
                         {.services = {service->get(), &scaler},
                          .readiness = [&] { return (*service)->trouble(); },
                          .pages = [&](const HttpRequest& request) { return page.Answer(request); }});
  if (!process.ok()) return process.status();
  // After its ports are bound: this raises the run epoch.
  if (absl::Status status = (*service)->Start(); !status.ok()) return status;
  if (absl::Status status = WriteWhere(options, **service, **process); !status.ok()) return status;
  if (absl::Status status = (*process)->Announce(); !status.ok()) return status;
  if (absl::Status status = Watch(**service, options, shutdown); !status.ok()) return status;
  scaler.End();
  (*process)->End("", absl::Seconds(1));
  return absl::OkStatus();
}

}  // namespace lvrpo
