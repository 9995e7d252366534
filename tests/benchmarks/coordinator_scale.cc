// Measures time and memory of a coordinator's start in a run of many groups: writes the records of such a run
// as a coordinator does, starts one on them, then describes and audits the run.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/files/filesystem.h"
#include "common/flags/run_main.h"
#include "common/hash.h"
#include "common/stopwatch.h"
#include "coordinator/records/audit.h"
#include "coordinator/records/describe.h"
#include "coordinator/service.h"
#include "coordinator/state/versions.h"
#include "tests/benchmarks/heartbeats.h"

namespace lvrpo {
namespace {

constexpr int kGroupSize = 8, kGroupsPerStep = 8, kFigures = 40, kStepsPerTransaction = 500;
constexpr char kConfig[] = "config";

RunRules Rules(int64_t steps) {
  RunRules rules;
  rules.total_steps = steps + 1000;
  rules.group_size = kGroupSize;
  rules.groups_per_step = kGroupsPerStep;
  return rules;
}

v1::SubmitGroupRequest Submit(const v1::GroupRecord& group) {
  v1::SubmitGroupRequest submit;
  submit.mutable_fence()->set_member_id(group.member_id());
  *submit.mutable_lease() = MakeLeaseId(group.ordinal(), group.attempt());
  submit.set_kind("two_objects");
  *submit.mutable_version() = group.version();
  submit.set_trajectory_digest(std::string(64, 'a'));
  submit.set_log_probs_finite(true);
  for (int slot = 0; slot < kGroupSize; ++slot) {
    v1::SampleSummary& sample = *submit.add_samples();
    sample.set_slot(slot);
    sample.set_reward(static_cast<float>(slot) / kGroupSize);
    for (const char* name : {"grounding", "instruction", "knowledge"}) {
      v1::ComponentScore& score = *sample.add_scores();
      score.set_name(name);
      score.set_outcome(v1::ComponentScore::OK);
      score.set_score(sample.reward());
      score.set_scorer_digest(std::string(64, 'b'));
    }
  }
  return submit;
}

absl::Status MakeRun(const std::string& folder, int64_t steps) {
  if (absl::Status status = MakeFolder(folder); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<Store>> store =
      Store::Open(JoinPath(folder, "coordinator.sqlite"), "bench", kConfig);
  if (!store.ok()) return store.status();
  RunState state(Rules(steps));
  v1::PolicyVersion version;
  version.set_digest(Sha256Hex("base"));
  if (absl::Status status = state.StartTraining(version, {}); !status.ok()) return status;
  const auto take_step = [&](int64_t step) -> absl::Status {
    v1::CommitStepRequest commit;
    commit.set_step(step);
    for (int i = 0; i < kFigures; ++i) (*commit.mutable_metrics())[absl::StrCat("figure_", i)] = 0.5;
    for (int group = 0; group < kGroupsPerStep; ++group) {
      const RunState::LeaseDecision lease =
          state.Lease({.member = "rollout-0", .incarnation = 1, .version = version}, absl::UnixEpoch());
      if (lease.group == nullptr) return absl::InternalError(InWords(lease.blocker));
      commit.add_ordinals(lease.group->ordinal());
      if (auto answer = state.Submit(Submit(*lease.group)); !answer.ok()) return answer.status();
    }
    if (auto assigned = state.Assign(step); !assigned.ok()) return assigned.status();
    if (absl::Status status = (*store)->PutAcknowledgement({"rollout-0", 1, version}); !status.ok())
      return status;
    version.set_number(step + 1);
    version.set_digest(Sha256Hex(absl::StrCat(step)));
    *commit.mutable_new_version() = version;
    if (absl::Status status = state.Commit(commit, 0); !status.ok()) return status;
    return (*store)->Put(state.TakeChanges());
  };
  // As a coordinator's first start does.
  for (const auto& [key, value] : {std::pair<const char*, int64_t>{"total_steps", state.rules().total_steps},
                                   {"group_size", kGroupSize},
                                   {"groups_per_step", kGroupsPerStep},
                                   {"max_staleness", 0},
                                   {"filter_zero_variance", 1}}) {
    if (absl::Status status =
            (*store)->Transaction([&, key = key, value = value] { return (*store)->SetNumber(key, value); });
        !status.ok())
      return status;
  }
  const absl::StatusOr<RunIdentity> identity = (*store)->Identity();
  if (!identity.ok()) return identity.status();
  state.RestoreChain(IdentityDigest(*identity));
  for (int64_t step = 0; step < steps;) {
    const absl::Status status = (*store)->Transaction([&]() -> absl::Status {
      for (int i = 0; i < kStepsPerTransaction && step < steps; ++i, ++step) {
        if (absl::Status taken = take_step(step); !taken.ok()) return taken;
      }
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status StartService(const std::string& folder, int64_t steps) {
  absl::StatusOr<std::unique_ptr<Store>> store =
      Store::Open(JoinPath(folder, "coordinator.sqlite"), "bench", kConfig);
  if (!store.ok()) return store.status();
  CoordinatorService::Options options;
  options.run_id = "bench";
  options.run_dir = folder;
  options.config_digest = kConfig;
  options.rules = Rules(steps);
  Metrics metrics;
  auto service = CoordinatorService::Create(options, *std::move(store), RealClock(), metrics);
  if (!service.ok()) return service.status();
  return (*service)->Start();
}

absl::Status Audit(const std::string& folder) {
  const absl::StatusOr<std::vector<Proof>> proofs = AuditRun(folder);
  if (!proofs.ok()) return proofs.status();
  for (const Proof& proof : *proofs) {
    if (!proof.holds) return absl::InternalError(proof.sentence);
  }
  return absl::OkStatus();
}

// In a separate process, to measure its memory alone.
bool Measure(const char* what, const std::function<absl::Status()>& work) {
  std::fflush(stdout);
  const Stopwatch watch;
  const pid_t child = fork();
  if (child == 0) {
    const absl::Status status = work();
    if (!status.ok()) std::fprintf(stderr, "%s: %s\n", what, std::string(status.message()).c_str());
    std::fflush(stderr);
    _exit(status.ok() ? 0 : 1);
  }
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  std::printf("| %s | %.2f s | %ld MiB |\n", what, watch.Seconds(), usage.ru_maxrss / 1024);
  return status == 0;
}

int Main(int argc, char** argv) {
  CLI::App app("How long a coordinator takes to start in a run of many groups, and how much memory.");
  int64_t groups = 1000000;
  std::string folder;
  app.add_option("--groups", groups, "groups of the run");
  int heartbeats = 0;
  auto* folder_option = app.add_option("--folder", folder, "where its records are made, and left");
  app.add_option("--heartbeats", heartbeats,
                 "instead: heartbeats a second of so many members, in plain text and over TLS")
      ->excludes(folder_option);
  CLI11_PARSE(app, argc, argv);
  if (heartbeats > 0) return BenchHeartbeats(heartbeats);
  if (folder.empty()) {
    std::fprintf(stderr, "lvrpo-bench-coordinator: --folder or --heartbeats is needed\n");
    return 2;
  }
  const int64_t steps = groups / kGroupsPerStep;
  std::printf("| %lld groups of %d | time | peak memory |\n|---|---|---|\n", static_cast<long long>(groups),
              kGroupSize);
  const bool ok = (Exists(JoinPath(folder, "coordinator.sqlite")) ||
                   Measure("records made", [&] { return MakeRun(folder, steps); })) &&
                  Measure("start", [&] { return StartService(folder, steps); }) &&
                  Measure("start again", [&] { return StartService(folder, steps); }) &&
                  Measure("describe", [&] { return DescribeRun(folder).status(); }) &&
                  Measure("audit", [&] { return Audit(folder); });
  const absl::StatusOr<int64_t> size = FileSize(JoinPath(folder, "coordinator.sqlite"));
  std::printf("database: %lld MiB\n", static_cast<long long>(size.value_or(0) >> 20));
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) {
  return lvrpo::RunMain("lvrpo-bench-coordinator", argc, argv, &lvrpo::Main);
}
