#include "rollout_worker/worker_process.h"

#include <string>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/net/host_port.h"
#include "common/words/words.h"
#include "role/ending.h"

namespace lvrpo {
namespace {

using Stub = v1::Coordinator::Stub;

constexpr int kMostThreads = 32;                               // of the RPC server
constexpr int kCallAttempts = 40;                              // with growing pauses: about a minute
constexpr absl::Duration kTroublePatience = absl::Seconds(5);  // with calls that fail

// Whether others of the run can connect to `address`: to one of this machine alone only when all are on it.
bool OthersReach(const std::string& address, const std::string& coordinator) {
  const absl::StatusOr<HostPort> own = ParseHostPort(address, AddressUse::kDial);
  const absl::StatusOr<HostPort> run = ParseHostPort(coordinator, AddressUse::kDial);
  return own.ok() && run.ok() && (!own->IsLoopback() || run->IsLoopback());
}

void Sleep(absl::Duration duration) { absl::SleepFor(duration); }

}  // namespace

WorkerProcess::WorkerProcess(const RoleFlags& flags, const v1::RunConfig& config, const Sampling& sampling,
                             ShutdownSignal& shutdown, RoleHealth& health)
    : flags_(flags),
      config_(config),
      sampling_(sampling),
      shutdown_(shutdown),
      transfer_deadline_(absl::Seconds(config.rpc().timeout_seconds() * 3)),
      health_(health),
      metrics_(health.metrics()),
      troubles_(kTroublePatience, RealClock()),
      learner_(config.rpc()),
      rewards_(config.rpc()),
      served_({.most = kMostWeightStreams,
               .longest = absl::Seconds(config.rpc().timeout_seconds() * 4),
               .silent = absl::Seconds(config.rpc().timeout_seconds())}),
      offered_(served_, /*kept=*/1,
               [&sent = metrics_.Counter("lvrpo_rollout_weight_sent_bytes_total")](int64_t bytes) {
                 sent.Increment(static_cast<double>(bytes));
               }),
      weights_(config.rpc()),
      holder_(sampling.base, sampling.trained, sampling.initial,
              {.fetch = [this](const WantedWeights& wanted) { return Fetch(wanted); },
               .offer = [this](std::shared_ptr<const PackedWeights> weights) { Offer(std::move(weights)); },
               .acknowledge = [this](const v1::PolicyVersion& version) { return Acknowledge(version); }},
              metrics_),
      delivery_(DeliveryCalls(), kCallAttempts, StableHash64(flags.member_id), held_, troubles_, metrics_),
      worker_(WorkerCalls(), held_, backoff_, RealClock(), metrics_) {}

bool WorkerProcess::Leaving() const {
  const v1::PoolView view = session().view();
  return ended_ || shutdown_.requested() || view.draining() || view.finished() || !session().lost().ok();
}

absl::StatusOr<VerifiedWeights> WorkerProcess::Fetch(const WantedWeights& wanted) {
  absl::StatusOr<VerifiedWeights> weights = fetch_->Fetch(wanted, [this] { return session().view(); });
  if (weights.ok()) {
    metrics_.Seconds("lvrpo_rollout_weight_fetch_seconds").Observe(fetch_->receive_seconds());
    metrics_.Seconds("lvrpo_rollout_weight_verify_seconds").Observe(fetch_->verify_seconds());
  }
  return weights;
}

void WorkerProcess::Offer(std::shared_ptr<const PackedWeights> weights) {
  if (!OthersReach(process_->address(), flags_.coordinator)) return;
  offered_.Publish(std::move(weights));
  offers_ = true;
}

ResumingFetch::Options WorkerProcess::FetchOptions() {
  return {.own_address = process_->address(),
          .limits = {.whole = transfer_deadline_, .silence = transfer_deadline_ / 12},
          .seed = StableHash64(flags_.member_id),
          .on_bytes =
              [this](int64_t bytes, v1::Role holder, absl::string_view transport) {
                metrics_
                    .Counter("lvrpo_rollout_weight_bytes_total",
                             {{"from", Word(holder)}, {"transport", std::string(transport)}})
                    .Increment(static_cast<double>(bytes));
              },
          .first = gang_ == nullptr ? nullptr : &gang_->fetcher()};
}

WorkerGang::Run WorkerProcess::GangRun() {
  return {.fence = [this] { return session().fence(); },
          .view = [this] { return session().view(); },
          .stop = [this] { return Leaving(); },
          .waiting = {.sleep = Sleep}};
}

absl::Status WorkerProcess::Acknowledge(const v1::PolicyVersion& version) {
  v1::AcknowledgeVersionRequest request;
  *request.mutable_version() = version;
  return session().Call(&Stub::AcknowledgeVersion, request).status();
}

std::optional<ReadyPolicy> WorkerProcess::AcknowledgedPolicy() const {
  const std::shared_ptr<const Policy> policy = holder_.acknowledged(session().fence().incarnation());
  if (policy == nullptr) return std::nullopt;
  return ReadyPolicy{policy->version, [this, policy](const v1::Lease& lease) {
                       return sampling_.generator.TryGenerate(
                           *policy, sampling_.prompts.At(lease.id().ordinal()), lease);
                     }};
}

Delivery::Calls WorkerProcess::DeliveryCalls() {
  return {.view = [this] { return session().view(); },
          .score =
              [this](const std::string& address, const v1::ScoreRequest& request) {
                return rewards_.Score(address, request, absl::Seconds(config_.reward().deadline_seconds()));
              },
          .upload =
              [this](const std::string& address, const v1::UploadHeader& header, const std::string& bytes) {
                return learner_.Upload(address, header, bytes, transfer_deadline_);
              },
          .submit =
              [this](const v1::SubmitGroupRequest& request) {
                return session().Call(&Stub::SubmitGroup, request);
              },
          .give_back =
              [this](const v1::ReturnLeaseRequest& request) {
                return session().Call(&Stub::ReturnLease, request).status();
              },
          .fence = [this] { return session().fence(); },
          .sleep = Sleep,
          .stopping = [this] { return Leaving(); }};
}

Worker::Calls WorkerProcess::WorkerCalls() {
  return {
      .leaving = [this] { return Leaving(); },
      .policy = [this] { return AcknowledgedPolicy(); },
      .policy_trouble = [this] { return holder_.trouble(); },
      .lease =
          [this](const v1::LeaseGroupRequest& request) { return session().Call(&Stub::LeaseGroup, request); },
      .return_lease = [this](const v1::Lease& lease, v1::ReturnReason reason,
                             const std::string& detail) { delivery_.GiveBack(lease, reason, detail); },
      .hand_over = [this](GeneratedGroup group) { delivery_thread_->HandOver(std::move(group)); },
      .sleep = Sleep};
}

MemberSession::Report WorkerProcess::Report() {
  MemberSession::Report report;
  report.held = held_.Report();
  report.load = static_cast<double>(report.held.size());
  report.state = shutdown_.requested() ? kLeaving : joined_ ? "ready" : "starting";
  if (joined_) report.version = holder_.current()->version;
  if (offers_) report.weight_streams = served_.open();
  for (const auto& [trouble, obstacle] : {std::pair(&troubles_.scores, v1::OBSTACLE_SCORES),
                                          std::pair(&troubles_.inbox, v1::OBSTACLE_LEARNER_INBOX)}) {
    report.waiting_for = trouble->text();
    report.obstacle = obstacle;
    if (!report.waiting_for.empty()) return report;
  }
  report.waiting_for = worker_.waiting_for();
  report.obstacle = worker_.obstacle();
  return report;
}

absl::Status WorkerProcess::Join() {
  absl::StatusOr<std::unique_ptr<RoleProcess>> process =
      RoleProcess::Start(flags_, config_, health_, {.services = {&offered_}, .max_threads = kMostThreads});
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  gang_ = WorkerGang::Open(config_, GangRun(), weights_, metrics_);
  fetch_.emplace(weights_, FetchOptions());
  if (absl::Status status = process_->Announce(); !status.ok()) return status;
  const absl::Status status =
      process_->Join({.role = v1::ROLE_ROLLOUT_WORKER,
                      .contract = sampling_.contract,
                      .report = [this] { return Report(); },
                      .revoked = [this](const std::vector<v1::LeaseId>& leases) { held_.Revoke(leases); }},
                     shutdown_);
  joined_ = status.ok();
  return status;
}

absl::Status WorkerProcess::Run() {
  if (absl::Status status = Join(); !status.ok())
    return absl::IsCancelled(status) ? absl::OkStatus() : status;
  delivery_thread_.emplace([this](const GeneratedGroup& group) { return delivery_.Deliver(group); },
                           backoff_);
  std::thread follower([this] {
    if (gang_ != nullptr) gang_->Preflight();
    holder_.Follow(session(), [this] { return Leaving(); });
  });
  const absl::Status unwell = worker_.Run();
  ended_ = true;
  delivery_thread_->Finish();
  follower.join();
  const absl::Status lost = session().lost();
  process_->End(!lost.ok() ? "lost" : unwell.ok() ? "done" : "unwell", absl::ZeroDuration());
  return EndingOfMember(lost.ok() ? unwell : lost, shutdown_.requested());
}

}  // namespace lvrpo
