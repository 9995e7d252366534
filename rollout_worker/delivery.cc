#include "rollout_worker/delivery.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/files/file_kind.h"
#include "common/hash.h"
#include "common/net/rpc.h"
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

}  // namespace

bool Delivery::Pause(int attempt, absl::Duration hint) {
  constexpr absl::Duration kLongest = absl::Seconds(2);
  if (attempt + 1 >= attempts_ || calls_.stopping()) return false;
  calls_.sleep(std::min(std::max(absl::Milliseconds(50) * (1 << std::min(attempt, 6)), hint), kLongest));
  return true;
}

void Delivery::Complain(const std::string& why) {
  if (const std::string line = trouble_.Failed(why); !line.empty()) spdlog::warn("waits for {}", line);
}

absl::StatusOr<v1::ScoreResponse> Delivery::Score(const GeneratedGroup& group) {
  std::set<std::string> excluded;
  absl::Status last = absl::UnavailableError("no reward server is ready");
  for (int attempt = 0; attempt < attempts_; ++attempt) {
    if (held_.IsRevoked(group.lease)) return absl::AbortedError("revoked");
    const v1::PoolView view = calls_.view();
    uint64_t random;
    {
      absl::MutexLock lock(&mutex_);
      random = random_.Next();
    }
    const std::vector<v1::Member> servers(view.reward_servers().begin(), view.reward_servers().end());
    const std::optional<v1::Member> server = PickServer(servers, excluded, random);
    if (server.has_value()) {
      absl::StatusOr<v1::ScoreResponse> response = calls_.score(server->address(), group.score_request);
      last = response.status();
      if (response.ok()) {
        const std::string late = WhoRanOutOfTime(*response);
        if (late.empty()) {
          trouble_.End();
          return response;
        }
        last = absl::DeadlineExceededError(late);
      }
      if (!MayHelpElsewhere(last)) return last;
      Complain(absl::StrCat("reward server ", server->member_id(), ": ", last.message()));
      metrics_.Counter("lvrpo_rollout_reward_retries_total", "Score calls that were repeated.").Increment();
      excluded.insert(server->member_id());
      if (PickServer(servers, excluded, 0).has_value()) continue;  // another one, at once
    }
    if (!server.has_value() && excluded.empty()) Complain(std::string(last.message()));
    excluded.clear();
    if (!Pause(attempt, absl::Seconds(ErrorInfoOf(last).retry_after_seconds()))) break;
  }
  return last;
}

absl::Status Delivery::Upload(const GeneratedGroup& group, const std::string& bytes,
                              const std::string& digest) {
  v1::UploadHeader header;
  header.set_ordinal(group.lease.ordinal());
  header.set_attempt(group.lease.attempt());
  header.set_size_bytes(static_cast<int64_t>(bytes.size()));
  header.set_digest(digest);
  absl::Status last = absl::UnavailableError("no learner is there");
  for (int attempt = 0; attempt < attempts_; ++attempt) {
    if (held_.IsRevoked(group.lease)) return absl::AbortedError("revoked");
    // A restarted learner may have another address than the lease has.
    const v1::PoolView view = calls_.view();
    const std::string address =
        view.learners_size() > 0 ? view.learners(0).address() : group.lease.learner_address();
    *header.mutable_fence() = calls_.fence();
    last = calls_.upload(address, header, bytes);
    if (last.ok() || (!MayHelpElsewhere(last) && !absl::IsDataLoss(last))) return last;
    if (!Pause(attempt)) break;
  }
  return last;
}

std::string Delivery::GiveBack(const v1::Lease& lease, const std::string& reason, bool data_is_at_fault) {
  v1::ReturnLeaseRequest request;
  request.set_lease_id(lease.lease_id());
  request.set_ordinal(lease.ordinal());
  request.set_attempt(lease.attempt());
  request.set_reason(reason);
  request.set_data_is_at_fault(data_is_at_fault);
  (void)calls_.give_back(request);  // a lease that cannot be returned expires
  return reason.substr(0, reason.find(':'));
}

std::string Delivery::Deliver(GeneratedGroup group) {
  const int64_t ordinal = group.lease.ordinal();
  const std::string outcome = [&]() -> std::string {
    absl::Time begin = RealClock().Now();
    const auto lap = [&begin] {
      const absl::Time now = RealClock().Now();
      const double seconds = absl::ToDoubleSeconds(now - begin);
      begin = now;
      return seconds;
    };
    absl::StatusOr<v1::ScoreResponse> scores = Score(group);
    if (absl::IsAborted(scores.status())) return "revoked";
    if (!scores.ok()) {
      spdlog::warn("ordinal {} got no score: {}", ordinal, std::string(scores.status().message()));
      const bool bad_data = absl::IsInvalidArgument(scores.status());
      const char* reason = bad_data                            ? "bad_prompt"
                           : calls_.stopping()                 ? "drain"
                           : MayHelpElsewhere(scores.status()) ? "reward_unreachable"
                                                               : "reward_failed";
      return GiveBack(group.lease, reason, bad_data);
    }
    if (!scores->unscorable().empty()) {
      const std::string words = OneLine(scores->unscorable(), kMostWords);
      spdlog::error("ordinal {} cannot be scored, now or later: {}", ordinal, words);
      return GiveBack(group.lease, absl::StrCat("unscorable: ", words), false);
    }
    const double score_seconds = lap();
    v1::SubmitGroupRequest submit;
    for (int slot = 0; slot < scores->items_size(); ++slot) {
      const v1::ItemScore& item = scores->items(slot);
      v1::SampleSummary& summary = *submit.add_samples();
      summary.set_slot(slot);
      *summary.mutable_scores() = item.scores();
      summary.set_reward(item.reward());
      *group.trajectory.mutable_samples(slot)->mutable_scores() = item.scores();
      *group.trajectory.mutable_samples(slot)->mutable_logged() = item.logged();
      group.trajectory.mutable_samples(slot)->set_reward(item.reward());
    }
    const std::string bytes = group.trajectory.SerializeAsString();
    const std::string digest = Sha256Hex(bytes);
    if (absl::Status status = Upload(group, bytes, digest); !status.ok()) {
      if (absl::IsAborted(status)) return "revoked";
      spdlog::warn("ordinal {} did not reach the learner: {}", ordinal, std::string(status.message()));
      return GiveBack(group.lease, calls_.stopping() ? "drain" : "learner_unreachable", false);
    }
    const double upload_seconds = lap();
    submit.set_lease_id(group.lease.lease_id());
    submit.set_ordinal(ordinal);
    submit.set_attempt(group.lease.attempt());
    submit.set_kind(group.trajectory.prompt().kind());
    *submit.mutable_version() = group.trajectory.version();
    submit.set_trajectory_digest(digest);
    submit.set_log_probs_finite(group.log_probs_finite);
    submit.set_sample_seconds(group.prefill_seconds + group.sample_seconds + group.decode_seconds);
    submit.set_score_seconds(score_seconds);
    absl::StatusOr<v1::SubmitGroupResponse> answer = calls_.submit(submit);
    for (const auto& [phase, seconds] : std::map<std::string, double>{{"prefill", group.prefill_seconds},
                                                                      {"sample", group.sample_seconds},
                                                                      {"decode", group.decode_seconds},
                                                                      {"score", score_seconds},
                                                                      {"upload", upload_seconds},
                                                                      {"submit", lap()}}) {
      metrics_.Seconds("lvrpo_rollout_phase_seconds", "Seconds of a group's phases.", {{"phase", phase}})
          .Observe(seconds);
    }
    if (!answer.ok()) return "lease_ended";
    return answer->accepted() ? "accepted" : answer->retired_reason();
  }();
  held_.Remove(group.lease);
  metrics_.Counter("lvrpo_rollout_groups_total", "Groups by what became of them.", {{"outcome", outcome}})
      .Increment();
  metrics_.Counter("lvrpo_rollout_samples_total", "Samples generated.")
      .Increment(static_cast<double>(group.trajectory.samples_size()));
  return outcome;
}

}  // namespace lvrpo
