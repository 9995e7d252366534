#include "tests/testing/cluster_worker.h"

#include <utility>

#include "common/hash.h"
#include "common/net/rpc.h"
#include "tests/testing/cluster_learner.h"
#include "tests/testing/cluster_rewards.h"
#include "tests/testing/fake_policy.h"

namespace lvrpo {
namespace {

constexpr int kCallAttempts = 40;
constexpr absl::Duration kScorersTake = absl::Seconds(30), kBetweenFetches = absl::Milliseconds(200);

}  // namespace

ClusterWorker::ClusterWorker(ClusterWorld& world, const ClusterProcess& process)
    : world_(world),
      address_(process.address()),
      backoff_(world.clock),
      troubles_(kScorersTake, world.clock),
      member_(world, {.role = v1::ROLE_ROLLOUT_WORKER,
                      .process = process,
                      .report =
                          [this](v1::HeartbeatRequest& beat) {
                            for (const v1::LeaseId& lease : held_.Report()) *beat.add_held() = lease;
                            *beat.mutable_version() = version_;
                            if (!version_.digest().empty()) beat.set_weight_streams(0);
                          },
                      .revoked = [this](const std::vector<v1::LeaseId>& leases) { held_.Revoke(leases); }}),
      delivery_(DeliveryCalls(), kCallAttempts, StableHash64(process.role), held_, troubles_, metrics_,
                world.clock),
      worker_(WorkerCalls(), held_, backoff_, world.clock, metrics_),
      transport_(world),
      fetch_(transport_,
             {.own_address = process.address(), .limits = {}, .seed = StableHash64(process.address())}) {
  world_.weights[address_] = &offered_;
}

ClusterWorker::~ClusterWorker() { world_.weights.erase(address_); }

bool ClusterWorker::Leaving() const {
  return member_.view().draining() || member_.view().finished() || !member_.lost().ok();
}

absl::Status ClusterWorker::FollowPolicy() {
  const v1::PolicyVersion wanted = member_.view().current_version();
  if (wanted.digest().empty()) return absl::UnavailableError("no learner has started");
  if (wanted.digest() != version_.digest()) {
    const absl::StatusOr<VerifiedWeights> weights = fetch_.Fetch(
        {.version = wanted, .shapes = {{kWeightsName, {16}}}}, [this] { return member_.view(); });
    if (!weights.ok()) return weights.status();
    weights_ = std::string(weights->buckets()[0].view());
    version_ = wanted;
    offered_.Keep(weights->packed());
    acknowledged_as_ = 0;
  }
  const int64_t incarnation = member_.fence().incarnation();
  if (acknowledged_as_ == incarnation) return absl::OkStatus();
  v1::AcknowledgeVersionRequest request;
  *request.mutable_version() = wanted;
  const absl::Status status = member_.Call(&CoordinatorService::AcknowledgeVersion, request).status();
  if (status.ok()) acknowledged_as_ = incarnation;
  return status;
}

GeneratedGroup ClusterWorker::Sample(const v1::Lease& lease) const {
  GeneratedGroup group;
  group.lease = lease;
  v1::TrajectoryGroup& trajectory = group.trajectory;
  trajectory.set_ordinal(lease.id().ordinal());
  trajectory.set_attempt(lease.id().attempt());
  *trajectory.mutable_version() = lease.version();
  trajectory.mutable_prompt()->set_id("p");
  trajectory.mutable_prompt()->set_text("words");
  trajectory.mutable_prompt()->set_kind("digest");
  trajectory.mutable_prompt()->set_task(v1::TASK_KIND_TEXT);
  *group.score_request.mutable_prompt() = trajectory.prompt();
  for (int slot = 0; slot < lease.group_size(); ++slot) {
    const std::string sample = SampleOf(weights_, lease.id().ordinal(), slot);
    v1::Sample& entry = *trajectory.add_samples();
    entry.set_slot(slot);
    entry.set_latents(sample);
    group.score_request.add_items()->set_text(sample);
  }
  return group;
}

Worker::Calls ClusterWorker::WorkerCalls() {
  return {.leaving = [this] { return Leaving(); },
          .policy = [this]() -> std::optional<ReadyPolicy> {
            if (!FollowPolicy().ok()) {
              world_.turns.Sleep(kBetweenFetches);
              return std::nullopt;
            }
            return ReadyPolicy{version_, [this](const v1::Lease& lease) { return Sample(lease); }};
          },
          .policy_trouble = [] { return std::string(); },
          .lease =
              [this](const v1::LeaseGroupRequest& request) {
                return member_.Call(&CoordinatorService::LeaseGroup, request);
              },
          .return_lease = [this](const v1::Lease& lease, v1::ReturnReason reason,
                                 const std::string& detail) { delivery_.GiveBack(lease, reason, detail); },
          .hand_over = [this](GeneratedGroup group) { backoff_.Note(delivery_.Deliver(std::move(group))); },
          .sleep = [this](absl::Duration duration) { world_.turns.Sleep(duration); }};
}

Delivery::Calls ClusterWorker::DeliveryCalls() {
  return {.view = [this] { return member_.view(); },
          .score = [this](const std::string& address,
                          const v1::ScoreRequest& request) -> absl::StatusOr<v1::ScoreResponse> {
            absl::StatusOr<v1::ScoreResponse> scores = absl::UnknownError("");
            const grpc::Status sent = world_.messages.Send(address, "Score", [&] {
              scores = world_.rewards->Score(request);
              return ToGrpcStatus(scores.status());
            });
            if (!sent.ok()) return FromGrpcStatus(sent);
            return scores;
          },
          .upload =
              [this](const std::string& address, const v1::UploadHeader& header, const std::string& bytes) {
                return FromGrpcStatus(world_.messages.Send(address, "Upload", [&] {
                  return ToGrpcStatus(world_.learners.at(address)->Receive(header, bytes));
                }));
              },
          .submit =
              [this](const v1::SubmitGroupRequest& request) {
                return member_.Call(&CoordinatorService::SubmitGroup, request);
              },
          .give_back =
              [this](const v1::ReturnLeaseRequest& request) {
                return member_.Call(&CoordinatorService::ReturnLease, request).status();
              },
          .fence = [this] { return member_.fence(); },
          .sleep = [this](absl::Duration duration) { world_.turns.Sleep(duration); },
          .stopping = [this] { return Leaving(); }};
}

absl::Status ClusterWorker::Run() {
  if (absl::Status status = member_.Join(); !status.ok()) return status;
  const absl::Status unwell = worker_.Run();
  const absl::Status lost = member_.lost();
  member_.Leave();
  return lost.ok() ? unwell : lost;
}

}  // namespace lvrpo
