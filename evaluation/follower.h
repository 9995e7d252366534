#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/flags/role_flags.h"
#include "common/shutdown.h"
#include "evaluation/evaluate_into.h"
#include "evaluation/next_evaluation.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "role/role_health.h"
#include "role/role_process.h"

namespace lvrpo {

// The evaluation role: joins a run without leases, evaluates its base weights, checkpoints while it trains
// and its last weights, writes images/* of the run folder and reports each score to the coordinator. It takes
// checkpoints from the run folder, which it needs for its results anyway, and not from the weight plane: a
// checkpoint is of exactly the step that is to be evaluated, stays while an evaluation before it takes its
// time, is there after the learner has left, and costs the run nothing. One thread, and one that ends the
// process when it is told to leave.
class Follower {
 public:
  struct Options {
    int samples_per_kind = 6, threads = 1;
  };
  // `flags`, `config`, `shutdown` and `health` must outlive it.
  Follower(const RoleFlags& flags, const v1::RunConfig& config, Options options, ShutdownSignal& shutdown,
           RoleHealth& health)
      : flags_(flags), config_(config), options_(options), shutdown_(shutdown), health_(health) {}

  // Until all is evaluated. OK: it is, or the run drains. Aborted: told to leave while the run goes on.
  // Errors of EvaluateInto, and of the membership once that is over. When it is told to leave during an
  // evaluation, or the run drains, the process ends within a second, with the exit code for that: what is not
  // complete leaves nothing behind.
  absl::Status Run();

 private:
  absl::Status Join();
  EvaluationFacts Facts() const;
  absl::Status EvaluateStep(int64_t step);
  // Takes the evaluation of `step` steps in the run folder into complete_.
  void NoteComplete(int64_t step);
  std::string WeightsOf(int64_t step) const;
  // Why it is to leave: OK while it is not, Cancelled when the run drains.
  absl::Status Leaving() const;

  const RoleFlags& flags_;
  const v1::RunConfig& config_;
  const Options options_;
  ShutdownSignal& shutdown_;
  RoleHealth& health_;
  std::map<int64_t, std::string>
      complete_;  // evaluations in the run folder: digests of their versions, by step
  std::unique_ptr<RoleProcess> process_;
};

}  // namespace lvrpo
