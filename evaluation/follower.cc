#include "evaluation/follower.h"

#include <cstdlib>
#include <functional>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/exit_code.h"
#include "common/files/await_folder.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/files/filesystem.h"
#include "data/heldout/evaluation.h"
#include "evaluation/client.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(200);

// The step of checkpoints/<name>; -1 when that is none.
int64_t StepOf(const std::string& name) {
  int64_t step = -1;
  if (!absl::StartsWith(name, "step_") || !absl::SimpleAtoi(name.substr(5), &step)) return -1;
  return step;
}

// Ends the process at once when `leaving` says so, with the exit code of its status: an evaluation cannot be
// interrupted otherwise, and leaves nothing behind that counts.
class LeaveWatch {
 public:
  LeaveWatch(std::function<absl::Status()> leaving, std::function<void()> leave)
      : thread_([this, leaving = std::move(leaving), leave = std::move(leave)] {
          while (!done_.WaitForNotificationWithTimeout(kLook)) {
            const absl::Status why = leaving();
            if (why.ok()) continue;
            leave();
            const int code = absl::IsCancelled(why) ? int{kExitDone} : Explain("lvrpo-evaluate", why);
            std::fflush(nullptr);
            std::_Exit(code);
          }
        }) {}
  ~LeaveWatch() {
    done_.Notify();
    thread_.join();
  }

 private:
  absl::Notification done_;
  std::thread thread_;
};

}  // namespace

std::string Follower::WeightsOf(int64_t step) const {
  if (step == 0) return "";
  return JoinPath(flags_.run_dir, absl::StrFormat("checkpoints/step_%06d/policy.safetensors", step));
}

absl::Status Follower::Leaving() const {
  if (shutdown_.requested()) return absl::AbortedError("stopped by a signal while the run goes on");
  if (absl::Status lost = process_->session().lost(); !lost.ok()) return lost;
  return process_->session().view().draining() ? absl::CancelledError("the run drains") : absl::OkStatus();
}

absl::Status Follower::Join() {
  absl::StatusOr<std::unique_ptr<RoleProcess>> process = RoleProcess::Start(flags_, config_, health_, {});
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  if (absl::Status status = process_->Announce(); !status.ok()) return status;
  health_.state().SetWaiting("the run folder");
  if (absl::Status status =
          AwaitFolder(flags_.run_dir, flags_.patience(), [this] { return shutdown_.requested(); });
      !status.ok())
    return status;
  return process_->Join({.role = v1::ROLE_EVALUATION, .report = [] { return MemberSession::Report(); }},
                        shutdown_);
}

EvaluationFacts Follower::Facts() const {
  const v1::PoolView view = process_->session().view();
  EvaluationFacts facts;
  facts.total = config_.train().steps();
  facts.every = config_.evaluation().every();
  facts.step = view.step();
  facts.finished = view.finished();
  const auto names = ListFolder(JoinPath(flags_.run_dir, "checkpoints"));
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
    const int64_t step = StepOf(name);
    if (step > 0 && Exists(WeightsOf(step))) facts.available.insert(step);
  }
  for (const auto& [step, evaluated] : complete_) {
    // Of other weights, when the run went back and took the step again.
    const absl::StatusOr<std::string> digest = VersionDigestOf(WeightsOf(step), /*compare=*/false);
    if (!digest.ok() || digest->empty() || evaluated == *digest) facts.complete.insert(step);
  }
  return facts;
}

void Follower::NoteComplete(int64_t step) {
  const auto record = ReadEvaluation(flags_.run_dir, EvaluationName(step, config_.train().steps()), step);
  if (record.ok()) complete_[step] = record->digest();
}

absl::Status Follower::EvaluateStep(int64_t step) {
  const v1::EvaluationConfig& evaluation = config_.evaluation();
  const bool between = step > 0 && step < config_.train().steps();
  const std::string name = EvaluationName(step, config_.train().steps());
  spdlog::info("evaluates {}", step == 0 ? std::string("the base weights") : absl::StrCat("step ", step));
  const absl::StatusOr<nlohmann::json> scores = EvaluateInto(
      config_,
      {.weights = WeightsOf(step),
       .out = JoinPath(flags_.run_dir, absl::StrCat("images/", name)),
       .prompts_per_kind = between ? evaluation.prompts_per_kind_between() : evaluation.prompts_per_kind(),
       .samples_per_kind = options_.samples_per_kind,
       .threads = options_.threads});
  if (!scores.ok()) return scores.status();
  NoteComplete(step);
  health_.metrics().Counter("lvrpo_evaluation_evaluations_total").Increment();
  spdlog::info("held-out score of {}: {:.3f}", name, scores->value("score", 0.0));
  const absl::Status reported =
      ReportEvaluation(process_->session(), flags_.run_dir, step, config_.train().steps());
  if (!reported.ok()) spdlog::warn("the score is not recorded: {}", std::string(reported.message()));
  return absl::OkStatus();
}

absl::Status Follower::Run() {
  if (absl::Status status = Join(); !status.ok()) {
    return absl::IsCancelled(status) ? absl::AbortedError("stopped by a signal before it joined a run")
                                     : status;
  }
  const LeaveWatch watch([this] { return Leaving(); },
                         [this] { process_->session().Leave("told to leave"); });
  const int64_t total = config_.train().steps();
  if (absl::Status status = ReportEvaluations(process_->session(), flags_.run_dir, total); !status.ok())
    spdlog::warn("an older score is not recorded: {}", std::string(status.message()));
  for (const int64_t step : CompleteEvaluations(flags_.run_dir, total)) NoteComplete(step);
  int64_t seen = 0;
  for (EvaluationFacts facts = Facts(); !EvaluationIsDone(facts); facts = Facts()) {
    const std::optional<int64_t> step = NextEvaluation(facts);
    if (!step.has_value()) {
      if (facts.finished) {
        return absl::NotFoundError(
            absl::StrCat(WeightsOf(total), " is gone: the trained weights cannot be evaluated"));
      }
      seen = process_->session().WaitForView(seen, kLook);
      continue;
    }
    const absl::Status status = EvaluateStep(*step);
    if (!status.ok() && *step > 0 && *step < total && !Exists(WeightsOf(*step))) {
      spdlog::warn("step {} was not evaluated: its checkpoint is gone",
                   *step);  // it was not kept for long enough
      continue;
    }
    if (!status.ok()) return status;
  }
  process_->End("done", absl::ZeroDuration());
  return absl::OkStatus();
}

}  // namespace lvrpo
