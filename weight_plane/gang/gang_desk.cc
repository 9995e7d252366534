#include "weight_plane/gang/gang_desk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/names.h"
#include "weight_plane/gang/gang_end.h"

namespace lvrpo {
namespace {

constexpr size_t kMostMembers = kMostGangRanks - 1;
constexpr size_t kMostWords = 256;  // bytes of a text that a member says of itself
constexpr double kAskAgain = 0.02;  // seconds

v1::AskGangResponse Fetch(const std::string& why) {
  v1::AskGangResponse response;
  response.set_answer(v1::AskGangResponse::FETCH);
  response.set_why(why);
  return response;
}

v1::AskGangResponse Wait() {
  v1::AskGangResponse response;
  response.set_answer(v1::AskGangResponse::WAIT);
  response.set_retry_after_seconds(kAskAgain);
  return response;
}

v1::AskGangResponse Take(const v1::GangPlan& plan) {
  v1::AskGangResponse response;
  response.set_answer(v1::AskGangResponse::TAKE);
  *response.mutable_plan() = plan;
  return response;
}

absl::Status CheckAsk(const v1::AskGangRequest& request) {
  if (!IsName(request.fence().member_id(), kMostMemberId))
    return absl::InvalidArgumentError(absl::StrCat("member_id: ", NameRule(kMostMemberId)));
  const v1::GangMember& member = request.member();
  for (const std::string* words : {&member.host(), &member.device(), &member.place()}) {
    if (words->size() > kMostWords) return absl::InvalidArgumentError("a member says too much of itself");
  }
  return absl::OkStatus();
}

bool IsOf(const v1::AskGangRequest& request, const std::shared_ptr<const PackedWeights>& weights) {
  if (weights == nullptr) return !request.has_version();
  const v1::PolicyVersion& version = weights->manifest.version();
  return request.has_version() && request.version().number() == version.number() &&
         request.version().digest() == version.digest();
}

}  // namespace

void GangDesk::Open(std::function<v1::Fence()> fence) {
  absl::MutexLock lock(&mutex_);
  fence_ = std::move(fence);
}

void GangDesk::Offer(std::shared_ptr<const PackedWeights> weights) {
  std::optional<Round> old;  // freed without the lock
  absl::MutexLock lock(&mutex_);
  old = std::exchange(version_, Round{.weights = std::move(weights), .asks = {}});
}

absl::StatusOr<v1::AskGangResponse> GangDesk::Ask(const v1::AskGangRequest& request) {
  if (absl::Status status = CheckAsk(request); !status.ok()) return status;
  if (!options_.only_host.empty() && request.member().host() != options_.only_host) {
    return Fetch(
        "NCCL would send weights to another machine unencrypted, which learner.trusted_network allows");
  }
  std::function<v1::Fence()> fence;
  {
    absl::MutexLock lock(&mutex_);
    if (!closed_.empty()) return Fetch(closed_);
    if (fence_ == nullptr) return Wait();
    fence = fence_;
  }
  const v1::Fence own = fence();
  if (request.fence().run_id() != own.run_id() || request.fence().run_epoch() != own.run_epoch())
    return absl::FailedPreconditionError("this learner is of another run, or of another epoch of it");
  absl::MutexLock lock(&mutex_);
  return Answer(request, clock_.Now());
}

v1::AskGangResponse GangDesk::Answer(const v1::AskGangRequest& request, absl::Time now) {
  const GangWorker worker = {.member_id = request.fence().member_id(),
                             .incarnation = request.fence().incarnation()};
  if (auto answer = OfRunning(worker, request)) return *std::move(answer);
  std::string why;
  Round* const round = RoundFor(request, why);
  if (round == nullptr) return Fetch(why);
  const auto [place, is_new] = round->asks.try_emplace(worker.member_id);
  GangAsk& ask = place->second;
  // Of two processes with one name the one that asked last counts: the other is gone, or will be.
  if (is_new || ask.worker != worker) ask.first = now;
  ask.worker = worker;
  ask.member = request.member();
  ask.last = now;
  TryStart(now);
  return Wait();
}

std::optional<v1::AskGangResponse> GangDesk::OfRunning(const GangWorker& worker,
                                                       const v1::AskGangRequest& request) {
  if (!running_ || !IsOf(request, running_->start.weights)) return std::nullopt;
  for (Place& place : running_->places) {
    if (place.worker != worker) continue;
    if (!place.plan) return Wait();
    place.taken = true;
    return Take(*place.plan);
  }
  Expect(worker.member_id);
  return Fetch("it came after the others had begun");
}

void GangDesk::Expect(const std::string& member_id) {
  if (expected_.size() < kMostMembers) expected_.insert(member_id);
}

GangDesk::Round* GangDesk::RoundFor(const v1::AskGangRequest& request, std::string& why) {
  std::optional<Round>& round = request.has_version() ? version_ : measurement_;
  if (!request.has_version()) {
    if (has_begun_) {
      Expect(request.fence().member_id());
      why = "it is counted on in the next broadcast";
      return nullptr;
    }
    if (!round) round.emplace();
  } else if (!round || !IsOf(request, round->weights)) {
    Expect(request.fence().member_id());
    why = absl::StrCat("version ", request.version().number(), " is not broadcast (any more)");
    return nullptr;
  }
  if (round->asks.size() < kMostMembers || round->asks.contains(request.fence().member_id())) return &*round;
  why = "too many take part";
  return nullptr;
}

void GangDesk::TryStart(absl::Time now) {
  if (running_) return;
  if (!TryStart(measurement_, now)) TryStart(version_, now);
}

// Whether others have to wait for this one.
bool GangDesk::TryStart(std::optional<Round>& round, absl::Time now) {
  if (!round) return false;
  Gathering gathering = {.now = now,
                         .patience = options_.patience,
                         .silence = options_.silence,
                         .expected = expected_,
                         .asks = {}};
  for (const auto& [id, ask] : round->asks) gathering.asks.push_back(ask);
  Gathered gathered = Gather(gathering);
  if (gathered.there.empty()) return false;
  if (!gathered.begin) return true;
  running_.emplace();
  expected_.clear();
  for (const GangAsk& ask : gathered.there) {
    running_->places.push_back({.worker = ask.worker});
    expected_.insert(ask.worker.member_id);
  }
  running_->start = {.weights = std::move(round->weights),
                     .there = std::move(gathered.there),
                     .late = std::move(gathered.late)};
  round.reset();
  has_begun_ = true;
  changed_.SignalAll();
  return true;
}

std::optional<GangStart> GangDesk::AwaitStart() {
  absl::MutexLock lock(&mutex_);
  while (closed_.empty() && (!running_ || running_->begun)) changed_.Wait(&mutex_);
  if (!closed_.empty()) return std::nullopt;
  running_->begun = true;
  return running_->start;
}

void GangDesk::Issue(const std::vector<v1::GangPlan>& plans) {
  absl::MutexLock lock(&mutex_);
  for (size_t i = 0; i < plans.size() && i < running_->places.size(); ++i)
    running_->places[i].plan = plans[i];
}

std::vector<std::string> GangDesk::End() {
  std::optional<Running> ended;  // freed without the lock
  std::vector<std::string> not_taken;
  absl::MutexLock lock(&mutex_);
  ended = std::exchange(running_, std::nullopt);
  for (const Place& place : ended->places) {
    if (!place.taken) not_taken.push_back(place.worker.member_id);
  }
  return not_taken;
}

void GangDesk::Close(const std::string& why) {
  absl::MutexLock lock(&mutex_);
  if (closed_.empty()) closed_ = why;
  changed_.SignalAll();
}

}  // namespace lvrpo
