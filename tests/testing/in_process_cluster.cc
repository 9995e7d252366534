#include "tests/testing/in_process_cluster.h"

#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/hash.h"
#include "coordinator/records/audit.h"
#include "coordinator/records/store.h"
#include "tests/testing/cluster_learner.h"
#include "tests/testing/cluster_rewards.h"
#include "tests/testing/cluster_worker.h"

namespace lvrpo {
namespace {

constexpr uint64_t kSeed = 1;
constexpr absl::Duration kTick = absl::Milliseconds(200), kPause = absl::Milliseconds(300);
constexpr absl::Duration kLongest = absl::Minutes(5);
constexpr int kMostErrors = 20;

CoordinatorService::Options ServiceOptions(const std::string& run_dir) {
  CoordinatorService::Options options;
  options.run_id = "run";
  options.run_dir = run_dir;
  options.config_digest = "config";
  options.rules.total_steps = InProcessCluster::kSteps;
  options.rules.group_size = 2;
  options.rules.groups_per_step = 2;
  options.rules.lease = absl::Seconds(2);
  options.rules.lease_limit = absl::Seconds(60);
  options.heartbeat = absl::Milliseconds(100);
  options.member_timeout = absl::Seconds(1);
  options.max_members = 8;
  return options;
}

}  // namespace

std::vector<std::string> InProcessCluster::Roles(int ranks) {
  std::vector<std::string> roles = {kCoordinator};
  for (int rank = 0; rank < ranks; ++rank) roles.push_back(absl::StrCat("learner-", rank));
  roles.insert(roles.end(), {"reward-0", "rollout-0", "rollout-1"});
  return roles;
}

InProcessCluster::InProcessCluster(uint64_t order_seed, Faults faults, int ranks)
    : ranks_(ranks),
      turns_(clock_, order_seed),
      messages_(std::move(faults),
                {.reachable =
                     [this](const std::string& address) {
                       const std::string role = RoleAt(address);
                       return alive_[role] &&
                              (role == kCoordinator || address == AddressOf(role, processes_[role]));
                     },
                 .kill = [this](const KillAt& kill) { Kill(kill); },
                 .drain = [this] { Drain(); }},
                turns_, clock_),
      world_{.seed = kSeed,
             .run_dir = folder_.path(),
             .clock = clock_,
             .turns = turns_,
             .messages = messages_,
             .coordinator = nullptr} {}

InProcessCluster::~InProcessCluster() { EndAll(); }

void InProcessCluster::OpenCoordinator() {
  absl::StatusOr<std::unique_ptr<Store>> store =
      Store::Open(JoinPath(world_.run_dir, "coordinator.sqlite"), "run", "config");
  if (!store.ok()) return errors_.push_back(store.status().ToString());
  absl::StatusOr<std::unique_ptr<CoordinatorService>> service =
      CoordinatorService::Create(ServiceOptions(world_.run_dir), *std::move(store), clock_, metrics_);
  if (!service.ok()) return errors_.push_back(service.status().ToString());
  world_.coordinator = *std::move(service);
  if (absl::Status status = world_.coordinator->Start(); !status.ok()) errors_.push_back(status.ToString());
  turns_.After(kCoordinator, kTick, [this] { Tick(); });
}

void InProcessCluster::Tick() {
  world_.coordinator->Tick();
  turns_.After(kCoordinator, kTick, [this] { Tick(); });
}

absl::Status InProcessCluster::RunProcess(const ClusterProcess& process) {
  int rank = 0;
  absl::string_view role = process.role;
  if (absl::ConsumePrefix(&role, "learner-") && absl::SimpleAtoi(role, &rank))
    return ClusterLearner(world_, process, kSteps, rank, ranks_).Run();
  if (process.role == "reward-0") return ClusterRewards(world_, process).Run();
  return ClusterWorker(world_, process).Run();
}

void InProcessCluster::Start(const std::string& role) {
  const ClusterProcess process = {.role = role, .number = ++processes_[role]};
  alive_[role] = true;
  if (role == kCoordinator) return OpenCoordinator();
  turns_.Start(role, [this, process] {
    const absl::Status status = RunProcess(process);
    alive_[process.role] = false;
    turns_.End(process.role);  // its heartbeats
    if (status.ok()) return;
    errors_.push_back(absl::StrCat(process.address(), ": ", status.ToString()));
    StartAgain(process.role, kPause);
  });
}

void InProcessCluster::StartAgain(const std::string& role, absl::Duration later) {
  turns_.After("", later, [this, role] {
    if (!alive_[role]) Start(role);
  });
}

void InProcessCluster::StartAll() {
  for (const std::string& role : Roles(ranks_)) Start(role);
}

void InProcessCluster::EndAll() {
  for (const std::string& role : Roles(ranks_)) turns_.End(role);
  world_.coordinator.reset();
}

void InProcessCluster::Kill(const KillAt& kill) {
  if (!alive_[kill.role]) return;
  alive_[kill.role] = false;
  turns_.End(kill.role);
  if (kill.role == kCoordinator) world_.coordinator.reset();
  StartAgain(kill.role, kill.down);
}

void InProcessCluster::Drain() {
  if (world_.coordinator != nullptr) world_.coordinator->StartDraining("an operator");
}

v1::GetStatusResponse InProcessCluster::Status() const {
  v1::GetStatusResponse status;
  if (world_.coordinator != nullptr) (void)world_.coordinator->GetStatus(nullptr, nullptr, &status);
  return status;
}

std::string InProcessCluster::Broken() const {
  const absl::StatusOr<std::vector<Proof>> proofs = AuditRun(world_.run_dir);
  if (!proofs.ok()) return proofs.status().ToString();
  std::string broken;
  for (const Proof& proof : *proofs) {
    if (!proof.holds) absl::StrAppend(&broken, proof.sentence, "\n");
  }
  return broken;
}

std::string InProcessCluster::Digest() const {
  const auto store = Store::OpenReadOnly(JoinPath(world_.run_dir, "coordinator.sqlite"));
  if (!store.ok()) return store.status().ToString();
  std::string all;
  const absl::Status status = (*store)->ForEachStep([&](const v1::StepRecord& step) {
    absl::StrAppend(&all, step.new_version().digest(), ": ", absl::StrJoin(step.ordinals(), " "), "\n");
    return absl::OkStatus();
  });
  return status.ok() ? Sha256Hex(all) : status.ToString();
}

InProcessCluster::Outcome InProcessCluster::Run() {
  const absl::Time begin = clock_.Now();
  StartAll();
  const auto ended = [this] { return world_.coordinator != nullptr && world_.coordinator->Done(); };
  const auto done = [&] { return ended() && Status().finished(); };
  while (!done() && clock_.Now() < begin + kLongest && errors_.size() < kMostErrors) {
    turns_.Next();
    if (!ended() || Status().finished()) continue;
    EndAll();
    StartAll();
  }
  Outcome outcome;
  outcome.took = clock_.Now() - begin;
  outcome.sent = messages_.sent();
  if (!done()) {
    outcome.trouble = absl::StrCat("it did not end; it waits for ", Status().waiting_for(), "\n",
                                   absl::StrJoin(errors_, "\n"));
  }
  EndAll();
  absl::StrAppend(&outcome.trouble, Broken());
  outcome.digest = Digest();
  return outcome;
}

}  // namespace lvrpo
