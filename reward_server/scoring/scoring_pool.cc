#include "reward_server/scoring/scoring_pool.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/net/rpc.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(5);
constexpr absl::Duration kHoldsMuch = absl::Milliseconds(500);  // retry hint

absl::Status Overloaded(absl::string_view what, absl::Duration wait) {
  v1::ErrorInfo info;
  info.set_reason(v1::REFUSAL_OVERLOADED);
  info.set_retry_after_seconds(std::max(0.05, absl::ToDoubleSeconds(wait)));
  return WithReason(
      absl::ResourceExhaustedError(absl::StrFormat("%s in %.2g s", what, info.retry_after_seconds())), info);
}

absl::Status Overloaded(const ScorerLane& lane) {
  return Overloaded(absl::StrCat("the queue of scorer '", lane.scorer().name(),
                                 "' is full: ask another server, or this one"),
                    lane.expected_wait());
}

// Memory of a group while it is scored.
size_t BytesOf(const ScoringGroup& group) {
  size_t bytes = group.prompt.ByteSizeLong();
  for (const RgbImage& image : group.images) bytes += image.pixels.size();
  for (const std::string& text : group.texts) bytes += text.size();
  return bytes;
}

}  // namespace

PoolOptions ToPoolOptions(const v1::RewardConfig& config) {
  return {.lane = {.limit = static_cast<size_t>(config.queue_limit()),
                   .batch_samples = static_cast<size_t>(config.batch_samples()),
                   .batch_delay = absl::Seconds(config.batch_delay_seconds()),
                   .queue_deadline = absl::Seconds(config.queue_deadline_seconds()),
                   .compute_deadline = absl::Seconds(config.compute_deadline_seconds())},
          .cached_scores = static_cast<size_t>(config.cached_scores()),
          .verify_every = absl::Seconds(config.verify_seconds())};
}

ScoringPool::ScoringPool(ScorerSet& scorers, const PoolOptions& options, Clock& clock, Metrics& metrics)
    : scorers_(scorers), options_(options), metrics_(metrics), cache_(options.cached_scores) {
  for (const std::unique_ptr<Scorer>& scorer : scorers.scorers())
    lanes_.push_back(std::make_unique<ScorerLane>(*scorer, options.lane, clock));
  expirer_ = Repeat(kTick, [this] { Expire(); });
  verifier_ = Repeat(options.verify_every, [this] { Verify(); });
}

std::thread ScoringPool::Repeat(absl::Duration every, std::function<void()> work) {
  return std::thread([this, every, work = std::move(work)] {
    while (true) {
      {
        absl::MutexLock lock(&mutex_);
        if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), every)) return;
      }
      work();
    }
  });
}

ScoringPool::~ScoringPool() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  expirer_.join();
  verifier_.join();
}

absl::Status ScoringPool::Enter(size_t bytes) {
  absl::MutexLock lock(&mutex_);
  if (draining_) return absl::UnavailableError("this reward server is draining: ask another");
  if (!broken_.empty()) return absl::UnavailableError(broken_);
  if (open_ > 0 && open_bytes_ + bytes > options_.most_open_bytes) {
    return Overloaded("this reward server holds as much as it may: ask another server, or this one",
                      kHoldsMuch);
  }
  ++open_;
  open_bytes_ += bytes;
  return absl::OkStatus();
}

void ScoringPool::Leave(size_t bytes) {
  absl::MutexLock lock(&mutex_);
  --open_;
  open_bytes_ -= bytes;
}

absl::StatusOr<std::vector<ScoringPool::Part>> ScoringPool::Submit(const Request& request) {
  std::vector<Part> parts;
  for (const std::unique_ptr<ScorerLane>& lane : lanes_) {
    const Scorer& scorer = lane->scorer();
    if (!scorer.AppliesTo(request.group->prompt)) continue;
    Part part = {lane.get(), nullptr, {}};
    std::optional<std::vector<SampleScore>> known;
    if (!request.contents.empty() && !request.group->want_evidence)  // evidence is not cached
      known = cache_.Find(scorer, request.contents);
    if (known.has_value()) {
      part.answer.scores = *std::move(known);
    } else if (part.ticket = lane->TrySubmit(request.group, request.deadline);
               part.ticket == nullptr && !scorers_.Counts(scorer)) {
      part.answer.outcome = v1::ComponentScore::OVERLOADED;
      part.answer.detail = absl::StrCat("the queue of scorer '", scorer.name(), "' is full");
    } else if (part.ticket == nullptr) {
      for (const Part& other : parts) {
        if (other.ticket != nullptr) other.lane->Cancel(*other.ticket);
      }
      return Overloaded(*lane);
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

void ScoringPool::Await(const Request& request, Part& part) {
  const Scorer& scorer = part.lane->scorer();
  if (part.ticket != nullptr) {
    part.answer = part.lane->Wait(*part.ticket);
    Note(scorer, part.answer);
    if (!request.contents.empty() && part.answer.outcome == v1::ComponentScore::OK)
      cache_.Keep(scorer, request.contents, part.answer.scores);
  } else if (part.answer.outcome == v1::ComponentScore::OK) {
    metrics_.Counter("lvrpo_reward_cached_items_total", {{"component", scorer.name()}})
        .Increment(static_cast<double>(request.group->size()));
  }
}

absl::StatusOr<v1::ScoreResponse> ScoringPool::Score(ScoringGroup group, absl::Time deadline) {
  const size_t bytes = BytesOf(group);
  if (absl::Status status = Enter(bytes); !status.ok()) return status;
  const absl::Cleanup leave = [this, bytes] { Leave(bytes); };
  Request request = {std::make_shared<const ScoringGroup>(std::move(group)), {}, deadline};
  if (options_.cached_scores > 0) request.contents = ScoreCache::ContentKeys(*request.group);
  absl::StatusOr<std::vector<Part>> parts = Submit(request);
  if (!parts.ok()) return parts.status();
  std::vector<ScorerSet::Answer> answers;
  double queue = 0, compute = 0;
  for (Part& part : *parts) {
    Await(request, part);
    queue = std::max(queue, part.answer.queue_seconds);
    compute = std::max(compute, part.answer.compute_seconds);
    answers.push_back({&part.lane->scorer(), std::move(part.answer)});
  }
  v1::ScoreResponse response = scorers_.Assemble(*request.group, answers);
  response.set_queue_seconds(queue);
  response.set_compute_seconds(compute);
  return response;
}

void ScoringPool::Note(const Scorer& scorer, const LaneAnswer& answer) {
  const Metrics::Labels component = {{"component", scorer.name()}};
  metrics_.Seconds("lvrpo_reward_queue_seconds", component).Observe(answer.queue_seconds);
  if (answer.batch_samples == 0) return;
  metrics_.Seconds("lvrpo_reward_compute_seconds", component).Observe(answer.compute_seconds);
  metrics_.Counter("lvrpo_reward_batch_samples_total", component)
      .Increment(static_cast<double>(answer.batch_samples));
}

void ScoringPool::Expire() {
  for (const std::unique_ptr<ScorerLane>& lane : lanes_) lane->Expire();
}

void ScoringPool::Report() {
  for (const std::unique_ptr<ScorerLane>& lane : lanes_) {
    const Metrics::Labels component = {{"component", lane->scorer().name()}};
    metrics_.Gauge("lvrpo_reward_queue_depth", component).Set(static_cast<double>(lane->load()));
    metrics_.Gauge("lvrpo_reward_busy_seconds", component).Set(absl::ToDoubleSeconds(lane->busy()));
  }
}

void ScoringPool::Verify() {
  for (const std::unique_ptr<ScorerLane>& lane : lanes_) {
    const Scorer& scorer = lane->scorer();
    if (scorer.ComputeDigest() == scorer.digest()) continue;
    absl::MutexLock lock(&mutex_);
    broken_ = absl::StrCat("the weights of scorer '", scorer.name(),
                           "' are not what they were when they were loaded: restart this server");
  }
}

void ScoringPool::Drain() {
  absl::MutexLock lock(&mutex_);
  draining_ = true;
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return open_ == 0; };
  mutex_.Await(absl::Condition(&idle));
}

size_t ScoringPool::load() const {
  absl::MutexLock lock(&mutex_);
  return open_;
}

std::string ScoringPool::hanging() const {
  for (const std::unique_ptr<ScorerLane>& lane : lanes_) {
    if (lane->busy() >= options_.lane.compute_deadline) return lane->scorer().name();
  }
  return "";
}

std::string ScoringPool::broken() const {
  absl::MutexLock lock(&mutex_);
  return broken_;
}

}  // namespace lvrpo
