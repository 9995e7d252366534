#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/client.h"

namespace lvrpo {

// The member that reports evaluations, unless a flag says otherwise.
inline constexpr char kEvaluationMember[] = "evaluation-0";

// Reports the evaluation of `step` steps in a run's folder (of a run of `total` steps) to the coordinator;
// `session` is of ROLE_EVALUATION. Again is allowed. Errors of ReadEvaluation (data/heldout/evaluation.h) and
// of MemberSession::Call.
absl::Status ReportEvaluation(MemberSession& session, const std::string& run_dir, int64_t step,
                              int64_t total);

// Reports all that are complete in the folder. The first error.
absl::Status ReportEvaluations(MemberSession& session, const std::string& run_dir, int64_t total);

// A member of a run that reports evaluations which others make, on a thread of its own: its caller never
// waits for a coordinator, which it may be the one to start again. All that are complete when it has joined
// are reported.
class EvaluationReports {
 public:
  // `options`: of the session; role and member id are set here.
  EvaluationReports(MemberSession::Options options, std::string run_dir, int64_t total);
  // Leaves at once.
  ~EvaluationReports() { Finish(absl::ZeroDuration()); }

  // Reports the evaluation of `step` steps, soon.
  void Report(int64_t step);
  // Waits up to `patience` until everything is reported, then leaves the run; the coordinator waits for that.
  void Finish(absl::Duration patience);
  // Why something was not recorded, once for each such thing; empty: nothing new.
  std::string TakeTrouble();

 private:
  void Run(const MemberSession::Options& options);
  // Waits for a step to report; nullopt: leave.
  std::optional<int64_t> Next();
  void Note(const absl::Status& status);
  bool stopping() const {
    absl::MutexLock lock(&mutex_);
    return stopping_;
  }

  const std::string run_dir_;
  const int64_t total_;
  mutable absl::Mutex mutex_;
  std::deque<int64_t> wanted_ ABSL_GUARDED_BY(mutex_);
  bool busy_ ABSL_GUARDED_BY(mutex_) = true;  // joining or reporting
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::string trouble_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace lvrpo
