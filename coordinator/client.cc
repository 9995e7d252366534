#include "coordinator/client.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/net/retry.h"
#include "common/unguessable.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr RetryPolicy kRetry = {.longest_wait = absl::Milliseconds(200)};
constexpr absl::Duration kLeavingPatience = absl::Seconds(5);
constexpr absl::Duration kReplacementPatience = absl::Seconds(60);  // with a coordinator of another version
constexpr absl::Duration kBetweenWords = absl::Seconds(60);

bool IsUnreachable(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

// The coordinator is up and waits for its disk: callers wait without a limit.
bool IsDegraded(const absl::Status& status) { return ErrorInfoOf(status).reason() == v1::REFUSAL_DEGRADED; }

// The member may be one again. Superseded may be by this process itself: a registration whose answer was
// lost, or another thread's.
bool CanRegisterAgain(v1::RefusalReason reason) {
  return reason == v1::REFUSAL_STALE_EPOCH || reason == v1::REFUSAL_NOT_A_MEMBER ||
         reason == v1::REFUSAL_SUPERSEDED;
}

// Waiting does not mend a certificate: then it is no matter of patience.
absl::Status OfTls(const absl::Status& status) {
  if (TlsTroubleOf(status) != TlsTrouble::kCertain) return status;
  return WithTlsTrouble(absl::FailedPreconditionError(absl::StrCat("the coordinator: ", status.message())),
                        TlsTrouble::kCertain);
}

bool EndsMembership(v1::RefusalReason reason) {
  return reason == v1::REFUSAL_SUPERSEDED || reason == v1::REFUSAL_CONFIG_MISMATCH ||
         reason == v1::REFUSAL_CONTRACT_MISMATCH || reason == v1::REFUSAL_WRONG_RUN ||
         reason == v1::REFUSAL_VERSION_MISMATCH;
}

// The coordinator of another version, or of the run before, may be on its way out: the new one comes.
bool AwaitsAnother(v1::Role role, v1::RefusalReason reason) {
  return reason == v1::REFUSAL_VERSION_MISMATCH ||
         (role == v1::ROLE_LEARNER && reason == v1::REFUSAL_CONFIG_MISMATCH);
}

}  // namespace

CoordinatorClient::CoordinatorClient(const std::string& address, const ChannelOptions& options)
    : address_(address),
      stub_(v1::Coordinator::NewStub(MakeChannel(address, options.To({PeerRole::kCoordinator})))) {}

absl::StatusOr<v1::GetStatusResponse> CoordinatorClient::GetStatus(absl::Duration deadline) {
  v1::GetStatusResponse response;
  const grpc::Status status =
      stub_->GetStatus(MakeContext(deadline).get(), v1::GetStatusRequest(), &response);
  if (!status.ok()) return Explained(FromGrpcStatus(status));
  return response;
}

absl::Status CoordinatorClient::Explained(const absl::Status& status) const {
  if (!IsUnreachable(status)) return status;
  return TlsTroubleOf(status) == TlsTrouble::kNone
             ? absl::UnavailableError(
                   absl::StrCat("the coordinator at ", address_, " does not answer: is it running there?"))
             : OfTls(status);
}

absl::Status CoordinatorClient::Drain(const std::string& reason, absl::Duration deadline) {
  v1::DrainRequest request;
  request.set_reason(reason);
  v1::DrainResponse response;
  return Explained(FromGrpcStatus(stub_->Drain(MakeContext(deadline).get(), request, &response)));
}

MemberSession::MemberSession(Options options, std::function<Report()> report, std::function<bool()> give_up,
                             std::function<void(const std::vector<v1::LeaseId>&)> revoked)
    : options_(std::move(options)),
      process_(options_.process.empty() ? UnguessableToken() : options_.process),
      report_(std::move(report)),
      give_up_(std::move(give_up)),
      revoked_(std::move(revoked)),
      stub_(v1::Coordinator::NewStub(
          MakeChannel(options_.coordinator, options_.channel.To({PeerRole::kCoordinator})))) {}

absl::StatusOr<std::unique_ptr<MemberSession>> MemberSession::Join(
    const Options& options, std::function<Report()> report, std::function<bool()> give_up,
    std::function<void(const std::vector<v1::LeaseId>&)> revoked) {
  std::unique_ptr<MemberSession> session(
      new MemberSession(options, std::move(report), give_up, std::move(revoked)));
  const auto now = [&] { return options.waiting.clock->Now(); };
  const absl::Time begin = now(), replaced_by = begin + std::min(options.patience, kReplacementPatience);
  absl::Time deadline = begin + options.patience;
  for (int tries = 1;; ++tries) {
    absl::StatusOr<v1::RegisterResponse> response = session->RegisterOnce(/*again=*/false);
    if (response.ok()) {
      session->registration_ = *std::move(response);
      break;
    }
    // A process that died stays a member until its silence is noticed: its name, and a learner's place, are
    // free then.
    const v1::RefusalReason reason = ErrorInfoOf(response.status()).reason();
    const bool another = AwaitsAnother(options.role, reason);
    if (!IsUnreachable(response.status()) && !another) return response.status();
    const TlsTrouble tls = TlsTroubleOf(response.status());
    if (tls == TlsTrouble::kCertain) return OfTls(response.status());
    session->SayWaiting(response.status(), begin);
    if (give_up && give_up()) return absl::CancelledError("stopped before the coordinator was reached");
    if (IsDegraded(response.status())) deadline = now() + options.patience;
    if (now() > (another ? replaced_by : deadline)) {
      if (reason != v1::REFUSAL_UNSPECIFIED) return response.status();  // its reason is final
      return absl::UnavailableError(
          absl::StrCat("the coordinator at ", options.coordinator, " did not answer for ",
                       absl::FormatDuration(options.patience), ": is it running there? (",
                       response.status().message(), ")"));
    }
    options.waiting.sleep(session->WaitAfter(tries));
  }
  session->heartbeats_ = std::thread([s = session.get()] { s->Heartbeats(); });
  return session;
}

void MemberSession::SayWaiting(const absl::Status& why, absl::Time begin) {
  const absl::Time now = options_.waiting.clock->Now();
  const std::string words =
      ErrorInfoOf(why).reason() == v1::REFUSAL_UNSPECIFIED
          ? absl::StrCat("the coordinator at ", options_.coordinator, ", which does not answer",
                         TlsTroubleOf(why) == TlsTrouble::kMaybe ? absl::StrCat(": ", why.message()) : "")
          : absl::StrCat("a place in the run at ", options_.coordinator, ": ", why.message());
  if (options_.waits) options_.waits(words);
  if (now < next_words_) return;
  next_words_ = now + kBetweenWords;
  spdlog::warn(
      "waits for {}{}", words,
      now - begin < kBetweenWords
          ? ""
          : absl::StrCat(", for ", absl::FormatDuration(absl::Trunc(now - begin, absl::Seconds(1))), " now"));
}

MemberSession::~MemberSession() { StopHeartbeats(); }

void MemberSession::StopHeartbeats() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (heartbeats_.joinable()) heartbeats_.join();
}

absl::StatusOr<v1::RegisterResponse> MemberSession::RegisterOnce(bool again) {
  v1::RegisterRequest request;
  request.set_role(options_.role);
  request.set_member_id(options_.member_id);
  request.set_address(options_.address);
  request.set_config_digest(options_.config_digest);
  request.set_process(process_);
  request.set_again(again);
  *request.mutable_build() = options_.build;
  for (const auto& [key, value] : options_.contract) (*request.mutable_contract())[key] = value;
  const Report report = report_();
  for (const v1::LeaseId& lease : report.held) *request.add_held() = lease;
  if (options_.role == v1::ROLE_LEARNER) {
    *request.mutable_learner() = options_.learner;
    request.mutable_learner()->set_learner_epoch(report.learner_epoch);
  }
  v1::RegisterResponse response;
  const absl::Status status =
      FromGrpcStatus(stub_->Register(MakeContext(options_.timeout).get(), request, &response));
  NoteAnswer(status);
  if (!status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  fence_.set_run_id(response.run_id());
  fence_.set_run_epoch(response.run_epoch());
  fence_.set_member_id(options_.member_id);
  fence_.set_incarnation(response.incarnation());
  view_ = response.view();
  ++view_count_;
  return response;
}

absl::Status MemberSession::RegisterAgain(int64_t seen_incarnation) {
  absl::MutexLock one(&register_mutex_);
  if (fence().incarnation() != seen_incarnation) return absl::OkStatus();
  absl::StatusOr<v1::RegisterResponse> response = RegisterOnce(/*again=*/true);
  if (!response.ok()) return response.status();
  if (response->run_id() != registration_.run_id()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the coordinator serves run ", response->run_id(), " now"));
  }
  spdlog::info("registered again with the coordinator");
  // Samples for a lost lease would be refused.
  if (revoked_ && response->revoked_size() > 0)
    revoked_({response->revoked().begin(), response->revoked().end()});
  return absl::OkStatus();
}

v1::Fence MemberSession::fence() const {
  absl::MutexLock lock(&mutex_);
  return fence_;
}

v1::PoolView MemberSession::view() const {
  absl::MutexLock lock(&mutex_);
  return view_;
}

absl::Status MemberSession::lost() const {
  absl::MutexLock lock(&mutex_);
  return lost_;
}

absl::Duration MemberSession::silence() const {
  absl::MutexLock lock(&mutex_);
  return options_.waiting.clock->Now() - heard_;
}

void MemberSession::NoteAnswer(const absl::Status& status) {
  if (IsUnreachable(status) && ErrorInfoOf(status).reason() == v1::REFUSAL_UNSPECIFIED) return;
  absl::MutexLock lock(&mutex_);
  heard_ = options_.waiting.clock->Now();
}

int64_t MemberSession::WaitForView(int64_t seen, absl::Duration timeout) const {
  absl::MutexLock lock(&mutex_);
  const auto changed = [this, seen]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return view_count_ != seen || !lost_.ok();
  };
  mutex_.AwaitWithTimeout(absl::Condition(&changed), timeout);
  return view_count_;
}

void MemberSession::SetView(const v1::PoolView& view) {
  absl::MutexLock lock(&mutex_);
  view_ = view;
  ++view_count_;
}

absl::Status MemberSession::Lose(absl::Status why) {
  absl::MutexLock lock(&mutex_);
  if (lost_.ok()) lost_ = why;
  return why;
}

absl::Status MemberSession::Repeat(
    const std::function<grpc::Status(grpc::ClientContext*, const v1::Fence&)>& call) {
  const auto now = [this] { return options_.waiting.clock->Now(); };
  absl::Time deadline = now() + options_.patience;
  bool leaving = false;
  for (int tries = 1;; ++tries) {
    if (!leaving && give_up_ && give_up_()) {  // told to leave: there is a grace period to keep
      leaving = true;
      deadline = std::min(deadline, now() + kLeavingPatience);
    }
    if (absl::Status over = lost(); !over.ok()) return over;
    const v1::Fence used = fence();
    absl::Status status = FromGrpcStatus(call(MakeContext(options_.timeout).get(), used));
    NoteAnswer(status);
    if (CanRegisterAgain(ErrorInfoOf(status).reason())) {
      status = RegisterAgain(used.incarnation());
      if (status.ok()) continue;
    }
    if (EndsMembership(ErrorInfoOf(status).reason())) return Lose(status);
    if (!IsUnreachable(status)) return status;
    if (IsDegraded(status) && !leaving) deadline = now() + options_.patience;
    if (now() > deadline) {
      return Lose(absl::UnavailableError(
          absl::StrCat("the coordinator at ", options_.coordinator, " did not answer for ",
                       absl::FormatDuration(leaving ? kLeavingPatience : options_.patience))));
    }
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return status;
    }
    options_.waiting.sleep(WaitAfter(tries));
  }
}

absl::Duration MemberSession::WaitAfter(int tries) const {
  return NextWait(kRetry, tries, absl::ZeroDuration(), StableHash64(process_));
}

void MemberSession::Heartbeats() {
  const absl::Duration interval = absl::Seconds(std::max(0.01, registration_.heartbeat_interval_seconds()));
  while (true) {
    const Report report = report_();
    v1::HeartbeatRequest request;
    request.set_load(report.load);
    request.set_state(report.state);
    *request.mutable_version() = report.version;
    for (const v1::LeaseId& lease : report.held) *request.add_held() = lease;
    request.set_waiting_for(report.waiting_for);
    request.set_obstacle(report.obstacle);
    request.set_learner_epoch(report.learner_epoch);
    if (report.weight_streams.has_value()) request.set_weight_streams(*report.weight_streams);
    absl::StatusOr<v1::HeartbeatResponse> response = Call(&v1::Coordinator::Stub::Heartbeat, request);
    if (response.ok()) {
      SetView(response->view());
      if (revoked_ && response->revoked_size() > 0)
        revoked_({response->revoked().begin(), response->revoked().end()});
    }
    absl::MutexLock lock(&mutex_);
    if (!lost_.ok()) return;
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), interval)) return;
  }
}

void MemberSession::Leave(const std::string& reason) {
  StopHeartbeats();
  v1::LeaveRequest request;
  *request.mutable_fence() = fence();
  request.set_reason(reason);
  v1::LeaveResponse response;
  (void)stub_->Leave(MakeContext(absl::Seconds(2)).get(), request, &response);
}

}  // namespace lvrpo
