#include "rollout_worker/delivery.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/files/file_kind.h"
#include "common/hash.h"
#include "common/net/retry.h"
#include "common/net/rpc.h"
#include "common/stopwatch.h"
#include "common/telemetry/log_group.h"
#include "common/words/words.h"
#include "reward_server/client.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr size_t kMostWords = 500;  // characters of a scorer's message

bool MayHelpElsewhere(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status) || absl::IsDeadlineExceeded(status);
}

// The scorer without a score for lack of time or connection, and its message; another server may have the
// score. "" when there is none.
std::string WhoRanOutOfTime(const v1::ScoreResponse& response) {
  for (const v1::ItemScore& item : response.items()) {
    for (const v1::ComponentScore& score : item.scores()) {
      if (score.outcome() == v1::ComponentScore::TIMED_OUT ||
          score.outcome() == v1::ComponentScore::OVERLOADED) {
        return absl::StrCat("scorer '", score.name(), "' ", v1::ComponentScore::Outcome_Name(score.outcome()),
                            ": ", OneLine(score.detail(), kMostWords));
      }
    }
  }
  return "";
}

// Where the rank that trains on the group is now: a restarted one may have another address than the lease
// has.
std::string AddressFor(const v1::Lease& lease, const v1::PoolView& view) {
  for (const v1::Member& learner : view.learners()) {
    if (learner.rank() == lease.rank()) return learner.address();
  }
  return lease.learner_address();
}

v1::SampleSummary Summarize(const v1::ItemScore& item, int slot) {
  v1::SampleSummary summary;
  summary.set_slot(slot);
  *summary.mutable_scores() = item.scores();
  summary.set_reward(item.reward());
  for (const v1::ComponentScore& score : item.logged()) {
    v1::ComponentScore& logged = *summary.add_logged();
    logged.set_name(score.name());
    logged.set_outcome(score.outcome());
    logged.set_score(score.score());
  }
  return summary;
}

}  // namespace

bool Delivery::Pause(int attempt, absl::Duration hint) {
  constexpr RetryPolicy kRetry = {.first_wait = absl::Milliseconds(50), .longest_wait = absl::Seconds(2)};
  if (attempt + 1 >= attempts_ || calls_.stopping()) return false;
  calls_.sleep(NextWait(kRetry, attempt + 1, hint, NextRandom()));
  return true;
}

uint64_t Delivery::NextRandom() {
  absl::MutexLock lock(&mutex_);
  return random_.Next();
}

void Delivery::Complain(LastingTrouble& trouble, const std::string& why) {
  if (const std::string line = trouble.Failed(why); !line.empty()) spdlog::warn("waits for {}", line);
}

absl::StatusOr<v1::ScoreResponse> Delivery::Score(const GeneratedGroup& group) {
  std::set<std::string> excluded;
  absl::Status last = absl::UnavailableError("no reward server is ready");
  for (int attempt = 0; attempt < attempts_; ++attempt) {
    if (held_.IsRevoked(group.lease.id())) return absl::AbortedError("revoked");
    const v1::PoolView view = calls_.view();
    const std::vector<v1::Member> servers(view.reward_servers().begin(), view.reward_servers().end());
    const std::optional<v1::Member> server = PickServer(servers, excluded, NextRandom());
    if (server.has_value()) {
      absl::StatusOr<v1::ScoreResponse> response = calls_.score(server->address(), group.score_request);
      last = response.status();
      if (response.ok()) {
        const std::string late = WhoRanOutOfTime(*response);
        if (late.empty()) {
          troubles_.scores.End();
          spdlog::debug("ordinal {} was scored by {}", group.lease.id().ordinal(), server->member_id());
          return response;
        }
        last = absl::DeadlineExceededError(late);
      }
      if (!MayHelpElsewhere(last)) return last;
      Complain(troubles_.scores, absl::StrCat("reward server ", server->member_id(), ": ", last.message()));
      metrics_.Counter("lvrpo_rollout_reward_retries_total").Increment();
      excluded.insert(server->member_id());
      if (PickServer(servers, excluded, 0).has_value()) continue;  // another one, at once
    }
    if (!server.has_value() && excluded.empty()) Complain(troubles_.scores, std::string(last.message()));
    excluded.clear();
    if (!Pause(attempt, absl::Seconds(ErrorInfoOf(last).retry_after_seconds()))) break;
  }
  return last;
}

absl::Status Delivery::Upload(const GeneratedGroup& group, const std::string& bytes,
                              const std::string& digest) {
  v1::UploadHeader header;
  *header.mutable_lease() = group.lease.id();
  header.set_size_bytes(static_cast<int64_t>(bytes.size()));
  header.set_digest(digest);
  absl::Status last = absl::UnavailableError("no learner is there");
  for (int attempt = 0; attempt < attempts_; ++attempt) {
    if (held_.IsRevoked(group.lease.id())) return absl::AbortedError("revoked");
    *header.mutable_fence() = calls_.fence();
    const std::string address = AddressFor(group.lease, calls_.view());
    last = calls_.upload(address, header, bytes);
    if (last.ok()) troubles_.inbox.End();
    if (last.ok() || (!MayHelpElsewhere(last) && !absl::IsDataLoss(last))) return last;
    Complain(troubles_.inbox, absl::StrCat(address, ": ", last.message()));
    if (!Pause(attempt)) break;
  }
  return last;
}

std::string Delivery::GiveBack(const v1::Lease& lease, v1::ReturnReason reason, const std::string& detail) {
  v1::ReturnLeaseRequest request;
  *request.mutable_lease() = lease.id();
  request.set_reason(reason);
  request.set_detail(OneLine(detail, kMostWords));
  (void)calls_.give_back(request);  // a lease that cannot be returned expires
  return Word(reason);
}

std::string Delivery::Unscored(const v1::Lease& lease, const absl::Status& why) {
  if (absl::IsAborted(why)) return "revoked";
  spdlog::warn("ordinal {} got no score: {}", lease.id().ordinal(), std::string(why.message()));
  const v1::ReturnReason reason = absl::IsInvalidArgument(why) ? v1::RETURN_BAD_PROMPT
                                  : calls_.stopping()          ? v1::RETURN_DRAIN
                                  : MayHelpElsewhere(why)      ? v1::RETURN_REWARD_UNREACHABLE
                                                               : v1::RETURN_REWARD_FAILED;
  return GiveBack(lease, reason, std::string(why.message()));
}

std::string Delivery::NotUploaded(const v1::Lease& lease, const absl::Status& why) {
  if (absl::IsAborted(why)) return "revoked";
  spdlog::warn("ordinal {} did not reach the learner: {}", lease.id().ordinal(), std::string(why.message()));
  return GiveBack(lease, calls_.stopping() ? v1::RETURN_DRAIN : v1::RETURN_LEARNER_UNREACHABLE,
                  std::string(why.message()));
}

std::string Delivery::Carry(const GeneratedGroup& group) {
  std::map<std::string, double> seconds = {
      {"prefill", group.prefill_seconds}, {"sample", group.sample_seconds}, {"decode", group.decode_seconds}};
  Stopwatch watch(clock_);
  const absl::StatusOr<v1::ScoreResponse> scores = Score(group);
  if (!scores.ok()) return Unscored(group.lease, scores.status());
  if (!scores->unscorable().empty()) {
    const std::string words = OneLine(scores->unscorable(), kMostWords);
    spdlog::error("ordinal {} cannot be scored, now or later: {}", group.lease.id().ordinal(), words);
    return GiveBack(group.lease, v1::RETURN_UNSCORABLE, words);
  }
  seconds["score"] = watch.Lap();
  const std::string bytes = group.trajectory.SerializeAsString();
  const std::string digest = Sha256Hex(bytes);
  if (absl::Status status = Upload(group, bytes, digest); !status.ok())
    return NotUploaded(group.lease, status);
  seconds["upload"] = watch.Lap();
  v1::SubmitGroupRequest submit;
  for (int slot = 0; slot < scores->items_size(); ++slot)
    *submit.add_samples() = Summarize(scores->items(slot), slot);
  *submit.mutable_lease() = group.lease.id();
  submit.set_kind(group.trajectory.prompt().kind());
  *submit.mutable_version() = group.trajectory.version();
  submit.set_trajectory_digest(digest);
  submit.set_log_probs_finite(group.log_probs_finite);
  const absl::StatusOr<v1::SubmitGroupResponse> answer = calls_.submit(submit);
  seconds["submit"] = watch.Lap();
  for (const auto& [phase, value] : seconds) {
    metrics_.Seconds("lvrpo_rollout_phase_seconds", {{"phase", phase}}).Observe(value);
  }
  if (!answer.ok()) return "lease_ended";
  return answer->accepted() ? "accepted" : Word(answer->retired_reason());
}

std::string Delivery::Deliver(const GeneratedGroup& group) {
  const LogGroup about(group.lease.id());
  const std::string outcome = Carry(group);
  spdlog::debug("ordinal {} was delivered: {}", group.lease.id().ordinal(), outcome);
  held_.Remove(group.lease.id());
  metrics_.Counter("lvrpo_rollout_groups_total", {{"outcome", outcome}}).Increment();
  metrics_.Counter("lvrpo_rollout_samples_total")
      .Increment(static_cast<double>(group.trajectory.samples_size()));
  return outcome;
}

}  // namespace lvrpo
