#include "evaluation/client.h"

#include <utility>

#include "data/heldout/evaluation.h"

namespace lvrpo {

absl::Status ReportEvaluation(MemberSession& session, const std::string& run_dir, int64_t step,
                              int64_t total) {
  const absl::StatusOr<v1::EvaluationRecord> record =
      ReadEvaluation(run_dir, EvaluationName(step, total), step);
  if (!record.ok()) return record.status();
  if (!record->has_score() && !record->has_text_accuracy()) return absl::OkStatus();  // of no prompts
  v1::ReportEvaluationRequest request;
  *request.mutable_evaluation() = *record;
  return session
      .Call<v1::ReportEvaluationRequest, v1::ReportEvaluationResponse>(
          &v1::Coordinator::Stub::ReportEvaluation, request)
      .status();
}

absl::Status ReportEvaluations(MemberSession& session, const std::string& run_dir, int64_t total) {
  absl::Status first;
  for (const int64_t step : CompleteEvaluations(run_dir, total))
    first.Update(ReportEvaluation(session, run_dir, step, total));
  return first;
}

EvaluationReports::EvaluationReports(MemberSession::Options options, std::string run_dir, int64_t total)
    : run_dir_(std::move(run_dir)), total_(total) {
  options.role = v1::ROLE_EVALUATION;
  options.member_id = kEvaluationMember;
  thread_ = std::thread([this, options = std::move(options)] { Run(options); });
}

void EvaluationReports::Run(const MemberSession::Options& options) {
  const auto session = MemberSession::Join(
      options, [] { return MemberSession::Report(); }, [this] { return stopping(); });
  Note(session.ok() ? ReportEvaluations(**session, run_dir_, total_) : session.status());
  while (const std::optional<int64_t> step = Next()) {
    if (session.ok()) Note(ReportEvaluation(**session, run_dir_, *step, total_));
  }
  if (session.ok()) (*session)->Leave("done");
}

std::optional<int64_t> EvaluationReports::Next() {
  absl::MutexLock lock(&mutex_);
  busy_ = false;
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !wanted_.empty(); };
  mutex_.Await(absl::Condition(&ready));
  if (stopping_) return std::nullopt;
  const int64_t step = wanted_.front();
  wanted_.pop_front();
  busy_ = true;
  return step;
}

void EvaluationReports::Note(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (!status.ok() && !stopping_) trouble_ = std::string(status.message());
}

void EvaluationReports::Report(int64_t step) {
  absl::MutexLock lock(&mutex_);
  wanted_.push_back(step);
}

std::string EvaluationReports::TakeTrouble() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(trouble_, "");
}

void EvaluationReports::Finish(absl::Duration patience) {
  if (!thread_.joinable()) return;
  {
    absl::MutexLock lock(&mutex_);
    const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !busy_ && wanted_.empty(); };
    mutex_.AwaitWithTimeout(absl::Condition(&idle), patience);
    stopping_ = true;
  }
  thread_.join();
}

}  // namespace lvrpo
