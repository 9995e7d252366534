#include "tests/testing/cluster_member.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/net/introduction.h"
#include "common/net/retry.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

bool CanRegisterAgain(v1::RefusalReason reason) {
  return reason == v1::REFUSAL_STALE_EPOCH || reason == v1::REFUSAL_NOT_A_MEMBER ||
         reason == v1::REFUSAL_SUPERSEDED;
}

bool EndsMembership(v1::RefusalReason reason) {
  return reason == v1::REFUSAL_SUPERSEDED || reason == v1::REFUSAL_CONFIG_MISMATCH ||
         reason == v1::REFUSAL_CONTRACT_MISMATCH || reason == v1::REFUSAL_WRONG_RUN;
}

}  // namespace

ClusterMember::ClusterMember(ClusterWorld& world, Self self) : world_(world), self_(std::move(self)) {}

void ClusterMember::Wait(int tries) {
  constexpr RetryPolicy kRetry = {.longest_wait = absl::Milliseconds(200)};
  world_.turns.Sleep(NextWait(kRetry, tries, absl::ZeroDuration(), StableHash64(self_.process.address())));
}

absl::Status ClusterMember::Register(bool again) {
  v1::RegisterRequest request;
  request.set_role(self_.role);
  request.set_member_id(self_.process.role);
  request.set_address(self_.process.address());
  request.set_config_digest("config");
  request.set_process(self_.process.address());
  request.set_again(again);
  *request.mutable_build() = OwnBuild();
  if (self_.role != v1::ROLE_REWARD_SERVER) (*request.mutable_contract())["base weights"] = "the same";
  v1::HeartbeatRequest report;
  self_.report(report);
  *request.mutable_held() = report.held();
  if (self_.role == v1::ROLE_LEARNER) {
    *request.mutable_learner() = self_.learner;
    request.mutable_learner()->set_learner_epoch(report.learner_epoch());
  }
  v1::RegisterResponse response;
  const absl::Status status = FromGrpcStatus(world_.messages.Send(kCoordinator, "RegisterRequest", [&] {
    return world_.coordinator->Register(nullptr, &request, &response);
  }));
  if (!status.ok()) return status;
  registration_ = response;
  fence_.set_run_id(response.run_id());
  fence_.set_run_epoch(response.run_epoch());
  fence_.set_member_id(self_.process.role);
  fence_.set_incarnation(response.incarnation());
  return absl::OkStatus();
}

absl::Status ClusterMember::RegisterAgain(int64_t seen_incarnation) {
  if (fence_.incarnation() != seen_incarnation) return absl::OkStatus();
  if (absl::Status status = Register(/*again=*/true); !status.ok()) return status;
  if (self_.revoked && registration_.revoked_size() > 0)
    self_.revoked({registration_.revoked().begin(), registration_.revoked().end()});
  return absl::OkStatus();
}

absl::Status ClusterMember::Join() {
  const absl::Time deadline = world_.clock.Now() + kPatience;
  for (int tries = 1;; ++tries) {
    const absl::Status status = Register(/*again=*/false);
    if (status.ok()) break;
    if (!absl::IsUnavailable(status) || world_.clock.Now() > deadline) return status;
    Wait(tries);
  }
  checkpoints_ = {registration_.checkpoints().begin(), registration_.checkpoints().end()};
  world_.turns.After(self_.process.role, absl::ZeroDuration(), [this] { Beat(); });
  return absl::OkStatus();
}

absl::Status ClusterMember::Repeat(const std::string& what, const std::function<grpc::Status()>& call) {
  const absl::Time deadline = world_.clock.Now() + kPatience;
  for (int tries = 1;; ++tries) {
    if (!lost_.ok()) return lost_;
    const int64_t used = fence_.incarnation();
    absl::Status status = FromGrpcStatus(world_.messages.Send(kCoordinator, what, call));
    if (CanRegisterAgain(ErrorInfoOf(status).reason())) {
      status = RegisterAgain(used);
      if (status.ok()) continue;
    }
    if (EndsMembership(ErrorInfoOf(status).reason())) return lost_ = status;
    if (!absl::IsUnavailable(status)) return status;
    if (world_.clock.Now() > deadline) return lost_ = status;
    Wait(tries);
  }
}

void ClusterMember::Beat() {
  if (!lost_.ok()) return;
  v1::HeartbeatRequest request;
  request.set_state("ready");
  self_.report(request);
  *request.mutable_fence() = fence_;
  v1::HeartbeatResponse response;
  absl::Status status = FromGrpcStatus(world_.messages.Send(kCoordinator, "HeartbeatRequest", [&] {
    return world_.coordinator->Heartbeat(nullptr, &request, &response);
  }));
  if (CanRegisterAgain(ErrorInfoOf(status).reason())) {
    status = RegisterAgain(request.fence().incarnation());
  } else if (status.ok()) {
    *registration_.mutable_view() = response.view();
    if (self_.revoked && response.revoked_size() > 0)
      self_.revoked({response.revoked().begin(), response.revoked().end()});
  }
  if (EndsMembership(ErrorInfoOf(status).reason())) lost_ = status;
  world_.turns.After(self_.process.role, absl::Seconds(registration_.heartbeat_interval_seconds()),
                     [this] { Beat(); });
}

void ClusterMember::Leave() {
  if (lost_.ok()) lost_ = absl::CancelledError("it left");  // heartbeats stop
  v1::LeaveRequest request;
  *request.mutable_fence() = fence_;
  request.set_reason("done");
  v1::LeaveResponse response;
  (void)world_.messages.Send(kCoordinator, "LeaveRequest",
                             [&] { return world_.coordinator->Leave(nullptr, &request, &response); });
}

}  // namespace lvrpo
