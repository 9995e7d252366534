#include "reward_server/scoring/scorer_lane.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/file_kind.h"

namespace lvrpo {
namespace {

constexpr double kMeanShare = 0.2;  // weight of the newest call in the moving mean

LaneAnswer Failure(v1::ComponentScore::Outcome outcome, const std::string& detail) {
  LaneAnswer answer;
  answer.outcome = outcome;
  answer.detail = OneLine(detail, detail.size());
  return answer;
}

v1::ComponentScore::Outcome OutcomeOf(const absl::Status& failure) {
  switch (failure.code()) {
    case absl::StatusCode::kInvalidArgument:
      return v1::ComponentScore::INVALID_INPUT;
    case absl::StatusCode::kDeadlineExceeded:
      return v1::ComponentScore::TIMED_OUT;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
      return v1::ComponentScore::OVERLOADED;
    default:
      return v1::ComponentScore::SCORER_FAILED;
  }
}

LaneAnswer Judge(const Scorer& scorer, const ScoringGroup& group,
                 absl::StatusOr<std::vector<SampleScore>> scores) {
  using Outcome = v1::ComponentScore;
  if (!scores.ok()) {
    LaneAnswer answer = Failure(OutcomeOf(scores.status()), std::string(scores.status().message()));
    answer.lasting = LastingOf(scores.status());
    return answer;
  }
  if (scores->size() != group.size()) {
    return Failure(Outcome::SCORER_FAILED, absl::StrCat("scorer '", scorer.name(), "' answered for ",
                                                        scores->size(), " of ", group.size(), " samples"));
  }
  LaneAnswer answer;
  answer.scores = *std::move(scores);
  // Details quote prompts, answers and remote scorers.
  for (SampleScore& score : answer.scores) score.detail = OneLine(score.detail, score.detail.size());
  return answer;
}

std::string Seconds(absl::Duration duration) {
  return absl::StrFormat("%.3g s", absl::ToDoubleSeconds(duration));
}

}  // namespace

std::vector<LaneAnswer> CallScorer(Scorer& scorer, std::span<const ScoringGroup* const> groups) {
  std::vector<LaneAnswer> answers;
  try {
    std::vector<absl::StatusOr<std::vector<SampleScore>>> scores = scorer.ScoreGroups(groups);
    if (scores.size() == groups.size()) {
      for (size_t i = 0; i < groups.size(); ++i)
        answers.push_back(Judge(scorer, *groups[i], std::move(scores[i])));
      return answers;
    }
    answers.assign(groups.size(), Failure(v1::ComponentScore::SCORER_FAILED,
                                          absl::StrCat("scorer '", scorer.name(), "' answered for ",
                                                       scores.size(), " of ", groups.size(), " requests")));
  } catch (const std::exception& error) {
    const std::string what = error.what();  // LibTorch appends a backtrace
    answers.assign(groups.size(), Failure(v1::ComponentScore::SCORER_FAILED,
                                          absl::StrCat("scorer '", scorer.name(),
                                                       "' threw: ", what.substr(0, what.find('\n')))));
  }
  return answers;
}

ScorerLane::ScorerLane(Scorer& scorer, const LaneOptions& options, Clock& clock)
    : scorer_(scorer), options_(options), clock_(clock), thread_([this] { Run(); }) {}

ScorerLane::~ScorerLane() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

std::shared_ptr<ScorerLane::Ticket> ScorerLane::TrySubmit(std::shared_ptr<const ScoringGroup> group,
                                                          absl::Time deadline) {
  auto ticket = std::make_shared<Ticket>();
  ticket->group = std::move(group);
  ticket->enqueued = clock_.Now();
  ticket->deadline = deadline;
  absl::MutexLock lock(&mutex_);
  if (waiting_.size() >= options_.limit) return nullptr;
  waiting_.push_back(ticket);
  return ticket;
}

void ScorerLane::Cancel(Ticket& ticket) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(waiting_, [&](const auto& waiting) { return waiting.get() == &ticket; });
}

LaneAnswer ScorerLane::Wait(Ticket& ticket) {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&ticket.done));
  return std::move(ticket.answer);
}

void ScorerLane::End(Ticket& ticket, LaneAnswer answer) const {
  if (ticket.done) return;
  const absl::Time now = clock_.Now(), started = std::min(ticket.started, now);
  answer.queue_seconds = absl::ToDoubleSeconds(started - ticket.enqueued);
  answer.compute_seconds = absl::ToDoubleSeconds(now - started);
  ticket.answer = std::move(answer);
  ticket.done = true;
}

void ScorerLane::Expire() {
  const absl::Time now = clock_.Now();
  const auto late = [&](const std::string& what) {
    return Failure(v1::ComponentScore::TIMED_OUT, absl::StrCat("scorer '", scorer_.name(), "' ", what));
  };
  absl::MutexLock lock(&mutex_);
  for (const std::shared_ptr<Ticket>& ticket : waiting_) {
    if (now - ticket->enqueued >= options_.queue_deadline) {
      End(*ticket, late(absl::StrCat("did not begin within its queue deadline of ",
                                     Seconds(options_.queue_deadline))));
    } else if (now >= ticket->deadline) {
      End(*ticket, late("had not begun when the request's own deadline passed"));
    }
  }
  std::erase_if(waiting_, [](const auto& ticket) { return ticket->done; });
  for (const std::shared_ptr<Ticket>& ticket : computing_) {
    if (now - ticket->started >= options_.compute_deadline) {
      End(*ticket,
          late(absl::StrCat("computed longer than its deadline of ", Seconds(options_.compute_deadline))));
    } else if (now >= ticket->deadline) {
      End(*ticket, late("was computing when the request's own deadline passed"));
    }
  }
}

bool ScorerLane::BatchIsReady() const {
  if (waiting_.empty()) return stopping_;
  if (stopping_ || !scorer_.TakesSeveral() ||
      clock_.Now() - waiting_.front()->enqueued >= options_.batch_delay)
    return true;
  size_t samples = 0;
  for (const std::shared_ptr<Ticket>& ticket : waiting_) samples += ticket->group->size();
  return samples >= options_.batch_samples;
}

std::vector<std::shared_ptr<ScorerLane::Ticket>> ScorerLane::TakeBatch() {
  std::vector<std::shared_ptr<Ticket>> batch;
  size_t samples = 0;
  while (!waiting_.empty()) {
    samples += waiting_.front()->group->size();
    if (!batch.empty() && (!scorer_.TakesSeveral() || samples > options_.batch_samples)) break;
    batch.push_back(waiting_.front());
    waiting_.pop_front();
  }
  return batch;
}

void ScorerLane::Run() {
  while (true) {
    std::vector<std::shared_ptr<Ticket>> batch;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &ScorerLane::BatchIsReady));
      if (waiting_.empty()) return;
      batch = TakeBatch();
      call_started_ = clock_.Now();
      for (const std::shared_ptr<Ticket>& ticket : batch) ticket->started = call_started_;
      computing_ = batch;
    }
    std::vector<const ScoringGroup*> groups;
    int64_t samples = 0;
    for (const std::shared_ptr<Ticket>& ticket : batch) {
      groups.push_back(ticket->group.get());
      samples += static_cast<int64_t>(ticket->group->size());
    }
    std::vector<LaneAnswer> answers = CallScorer(scorer_, groups);
    absl::MutexLock lock(&mutex_);
    for (size_t i = 0; i < batch.size(); ++i) {
      answers[i].batch_samples = samples;
      End(*batch[i], std::move(answers[i]));
    }
    computing_.clear();
    const double seconds = absl::ToDoubleSeconds(clock_.Now() - call_started_);
    seconds_per_call_ += (seconds_per_call_ == 0 ? 1 : kMeanShare) * (seconds - seconds_per_call_);
  }
}

size_t ScorerLane::load() const {
  absl::MutexLock lock(&mutex_);
  return waiting_.size() + computing_.size();
}

absl::Duration ScorerLane::busy() const {
  absl::MutexLock lock(&mutex_);
  return computing_.empty() ? absl::ZeroDuration() : clock_.Now() - call_started_;
}

absl::Duration ScorerLane::expected_wait() const {
  absl::MutexLock lock(&mutex_);
  size_t samples = 0;
  for (const std::shared_ptr<Ticket>& ticket : waiting_) samples += ticket->group->size();
  const double calls = std::ceil(static_cast<double>(samples) / static_cast<double>(options_.batch_samples)) +
                       (computing_.empty() ? 0 : 1);
  return absl::Seconds(calls * seconds_per_call_);
}

}  // namespace lvrpo
