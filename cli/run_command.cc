#include "cli/run_command.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "cli/local/address_file.h"
#include "cli/local/progress.h"
#include "cli/local/records.h"
#include "cli/local/run_monitor.h"
#include "cli/local/supervisor.h"
#include "cli/report/results.h"
#include "cli/report/run_summary.h"
#include "common/clock.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/files/file_lock.h"
#include "common/files/filesystem.h"
#include "common/flags/role_flags.h"
#include "common/net/rpc_tls.h"
#include "common/run_folder/run_folder.h"
#include "common/stopwatch.h"
#include "coordinator/client.h"
#include "evaluation/client.h"
#include "nlohmann/json.hpp"
#include "verifiers/rules/prompt_files.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo run";

// After the run has finished: how long its members may take to hear of it, and to leave.
constexpr absl::Duration kMembersHear = absl::Seconds(3), kMembersLeave = absl::Seconds(15);

// The state of one `lvrpo run`.
class Runner {
 public:
  // `tls`: as in RunOptions.
  Runner(RunFolder folder, std::string tls, ShutdownSignal& shutdown)
      : folder_(std::move(folder)),
        tls_(std::move(tls)),
        shutdown_(shutdown),
        supervisor_(folder_, [this](const std::string& line) { printer_.Say(line); }) {}

  int Run(std::optional<int64_t> from_checkpoint);

 private:
  const v1::RunConfig& config() const { return folder_.config.config; }
  int Fail(const absl::Status& status, int code = 0);
  absl::StatusOr<Process> StartEvaluation(const std::string& name, const std::string& weights, int per_kind,
                                          int threads, int nice);
  // Waits for an evaluation, or a shutdown request (Cancelled).
  absl::Status FinishEvaluation(Process process, const std::string& name);
  absl::Status Evaluate(const std::string& name, const std::string& weights);
  // Joins the run as its evaluation role, which reports the scores.
  void JoinAsEvaluation();
  // Lets the coordinator, which waits for all members, end.
  // `patience`: for scores that are not recorded yet.
  void LeaveAsEvaluation(absl::Duration patience);
  absl::Status Train();
  // Waits for an evaluation that began during training, and for the coordinator to end.
  void EndTraining();
  void EvaluateBetween(int64_t step);
  absl::Status ShowResults();
  std::string LastWeights() const;
  // How long the learner may take after the last step to bring its checkpoint into the object store.
  absl::Duration LastUpload() const;
  // What a resumed run needs and a user may have moved: its prompts or, when it is `trained`, its weights.
  absl::Status CheckFiles(bool trained) const;
  // Abandons the steps after this one.
  absl::Status GoBack(int64_t step) const;
  // The records of a resumed run, null for a new one. FailedPrecondition when their settings differ.
  absl::StatusOr<nlohmann::json> SoundRecords() const;

  RunFolder folder_;
  const std::string tls_;
  ShutdownSignal& shutdown_;
  ProgressPrinter printer_;
  Supervisor supervisor_;
  std::optional<Process> between_;  // an evaluation during training
  int64_t between_step_ = 0, evaluated_step_ = 0;
  std::unique_ptr<EvaluationReports> evaluation_;
  RunMonitor monitor_ = RunMonitor(folder_, supervisor_, printer_);
};

int Runner::Fail(const absl::Status& status, int code) {
  printer_.Done();
  const int own = Explain(kProgram, status);
  return code != 0 ? code : own;
}

absl::StatusOr<Process> Runner::StartEvaluation(const std::string& name, const std::string& weights,
                                                int per_kind, int threads, int nice) {
  std::vector<std::string> command = {JoinPath(BinaryFolder(), "lvrpo-evaluate"),
                                      "--config",
                                      folder_.Inside("config.yaml"),
                                      "--out",
                                      folder_.Inside("images/" + name),
                                      "--prompts-per-kind",
                                      absl::StrCat(per_kind),
                                      "--threads",
                                      absl::StrCat(threads)};
  if (!weights.empty()) command.insert(command.end(), {"--weights", weights});
  return Process::Start({.command = command,
                         .log = folder_.Inside("logs/evaluate.log"),
                         .environment = {{"OMP_NUM_THREADS", absl::StrCat(threads)}},
                         .nice = nice});
}

absl::Status Runner::FinishEvaluation(Process process, const std::string& name) {
  while (!process.Poll().has_value()) {
    if (shutdown_.requested()) {
      process.Signal(SIGKILL);
      process.Wait(absl::Seconds(2));
      return absl::CancelledError("stopped during an evaluation");
    }
    absl::SleepFor(absl::Milliseconds(50));
  }
  const int code = *process.Poll();
  if (code != 0) {
    const std::string why = LastMessage(folder_.Inside("logs/evaluate.log"), 2);
    return code == kExitData || code == kExitConfig
               ? absl::DataLossError(absl::StrCat("the evaluation \"", name, "\" failed: ", why))
               : absl::InternalError(
                     absl::StrCat("the evaluation \"", name, "\" failed with exit code ", code, ": ", why));
  }
  return absl::OkStatus();
}

absl::Status Runner::Evaluate(const std::string& name, const std::string& weights) {
  if (config().data().heldout_image_prompts().empty() && config().data().heldout_text_prompts().empty()) {
    return absl::OkStatus();
  }
  const Stopwatch watch;
  const int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  printer_.Say(absl::StrCat("evaluating the policy ", name, " training on the held-out prompts"));
  absl::StatusOr<Process> process =
      StartEvaluation(name, weights, config().evaluation().prompts_per_kind(), threads, 0);
  if (!process.ok()) return process.status();
  if (absl::Status status = FinishEvaluation(*process, name); !status.ok()) return status;
  folder_.seconds["evaluate_" + name] += watch.Seconds();
  const absl::StatusOr<std::string> scores = ReadFile(folder_.Inside("images/" + name + "/scores.json"));
  if (!scores.ok()) return scores.status();
  const nlohmann::json json = nlohmann::json::parse(*scores, nullptr, false);
  if (json.contains("score")) {
    printer_.Say(absl::StrFormat("held-out score %s training: %.3f +- %.3f over %d images", name,
                                 json.value("score", 0.0), json.value("standard_error", 0.0),
                                 json.value("images", 0)));
  }
  return absl::OkStatus();
}

void Runner::EvaluateBetween(int64_t step) {
  if (between_.has_value()) {
    const std::optional<int> code = between_->Poll();
    if (!code.has_value()) return;
    between_.reset();
    const std::string name = absl::StrFormat("step_%06d", between_step_);
    const absl::StatusOr<std::string> scores = ReadFile(folder_.Inside("images/" + name + "/scores.json"));
    const nlohmann::json json = nlohmann::json::parse(scores.ok() ? *scores : std::string(), nullptr, false);
    if (*code == 0 && json.is_object() && json.contains("score")) {
      // Fewer images than before training: compare their score with that of the same images only.
      const PairedDifference gain =
          ComparePairs(PairOutcomes(ReadJsonLines(folder_.Inside("images/before/all.jsonl")),
                                    ReadJsonLines(folder_.Inside("images/" + name + "/all.jsonl")), "image"));
      if (evaluation_ != nullptr) evaluation_->Report(between_step_);
      printer_.Say(absl::StrFormat(
          "held-out score after step %d: %.3f, gain %+.3f +- %.3f (95 %%, %d images, same prompts and noise)",
          between_step_, json.value("score", 0.0), gain.mean, gain.half_width, gain.count));
    } else {
      printer_.Say(
          absl::StrCat("the evaluation after step ", between_step_, " failed; see logs/evaluate.log"));
    }
  }
  const int64_t every = config().evaluation().every();
  if (every <= 0 || step >= config().train().steps()) return;
  const int64_t newest = step / every * every;
  if (newest <= evaluated_step_) return;
  const std::string name = absl::StrFormat("step_%06d", newest);
  const std::string weights = folder_.Inside("checkpoints/" + name + "/policy.safetensors");
  if (!Exists(weights)) return;  // not written yet, or gone already
  evaluated_step_ = newest;
  absl::StatusOr<Process> process =
      StartEvaluation(name, weights, config().evaluation().prompts_per_kind_between(), 1, 10);
  if (process.ok()) {
    between_ = *std::move(process);
    between_step_ = newest;
  }
}

void Runner::JoinAsEvaluation() {
  MemberSession::Options options;
  options.coordinator = supervisor_.coordinator();
  options.config_digest = ConfigDigest(config());
  options.timeout = absl::Seconds(config().rpc().timeout_seconds());
  options.channel = config().rpc();
  absl::StatusOr<std::shared_ptr<TlsContext>> tls = OpenTls(tls_, PeerRole::kEvaluation);
  if (!tls.ok())
    return printer_.Say(absl::StrCat("held-out scores are not recorded: ", tls.status().message()));
  options.channel.tls = *std::move(tls);  // this process's own is the operator's
  evaluation_ = std::make_unique<EvaluationReports>(options, folder_.path, config().train().steps());
}

void Runner::LeaveAsEvaluation(absl::Duration patience) {
  if (evaluation_ == nullptr) return;
  evaluation_->Finish(patience);
  if (const std::string trouble = evaluation_->TakeTrouble(); !trouble.empty())
    printer_.Say(absl::StrCat("a held-out score is not recorded: ", trouble));
  evaluation_.reset();
}

void Runner::EndTraining() {
  constexpr absl::Duration kReported = absl::Seconds(5), kCoordinatorLeaves = absl::Seconds(5);
  LeaveAsEvaluation(kReported);
  const absl::Time end = RealClock().Now() + kCoordinatorLeaves;
  while (!supervisor_.AllEnded() && RealClock().Now() < end) absl::SleepFor(absl::Milliseconds(20));
  if (!supervisor_.AllEnded()) supervisor_.Stop(absl::Seconds(2));
}

absl::Status Runner::Train() {
  const Stopwatch watch;
  if (absl::Status status = supervisor_.Start([this] { return shutdown_.requested(); }); !status.ok()) {
    supervisor_.Stop(absl::Seconds(2));
    return status;
  }
  CoordinatorClient coordinator(supervisor_.coordinator(), config().rpc());
  printer_.Say(
      absl::StrCat("coordinator at ", supervisor_.coordinator(), "; logs in ", folder_.Inside("logs")));
  bool draining = false, drain_heard = false, finished = false, told = false;
  absl::Time leave_by = absl::InfiniteFuture(), tell_at = absl::InfiniteFuture();
  JoinAsEvaluation();
  monitor_.Begin();
  while (true) {
    if (shutdown_.requested() && !draining) {
      draining = true;
      printer_.Say(
          "draining: finishing the current step and saving a checkpoint (press again to stop at once)");
    }
    if (draining && !drain_heard) {  // until a restarting coordinator has received it, too
      drain_heard = coordinator.Drain("lvrpo run was interrupted", absl::Seconds(5)).ok();
    }
    const absl::Time asked = RealClock().Now();
    const absl::StatusOr<v1::GetStatusResponse> status = coordinator.GetStatus(absl::Seconds(2));
    if (status.ok()) {
      finished = finished || status->finished();
      if (status->draining()) draining = drain_heard = true;  // also by `lvrpo drain`
    }
    const absl::Time now = RealClock().Now();
    supervisor_.Hear(status, asked, now);
    if ((draining || finished) && leave_by == absl::InfiniteFuture())
      leave_by = now + absl::Seconds(config().coordinator().drain_grace_seconds() + 5);
    if (finished && tell_at == absl::InfiniteFuture()) {
      // Members have nothing left to do. Those that did not hear it from the coordinator get SIGTERM.
      tell_at = now + kMembersHear;
      leave_by = std::min(leave_by, now + kMembersLeave + LastUpload());
    }
    if (now > tell_at && !told) {
      told = true;
      supervisor_.TellMembersToLeave();
    }
    if (absl::Status tended = supervisor_.Tend(draining || finished, status.ok() && !draining && !finished);
        !tended.ok()) {
      supervisor_.Stop(absl::Seconds(5));
      return tended;
    }
    if (draining) LeaveAsEvaluation(absl::Seconds(1));
    if (supervisor_.AllEnded() || (finished && supervisor_.MembersEnded())) break;
    if (now > leave_by) {
      supervisor_.Stop(absl::Seconds(2));
      break;
    }
    if (!draining && !finished) monitor_.WatchForStall(status);
    if (status.ok()) {
      EvaluateBetween(status->step());
      monitor_.ShowProgress(*status);
    }
    if (draining || finished) {
      absl::SleepFor(absl::Milliseconds(100));
    } else {
      shutdown_.WaitFor(absl::Seconds(1));
    }
  }
  printer_.Done();
  if (supervisor_.AllEnded()) LeaveAsEvaluation(absl::ZeroDuration());
  folder_.seconds["training"] += watch.Seconds();
  if (between_.has_value()) {
    if (shutdown_.requested()) between_->Signal(SIGKILL);
    if (between_->Wait(absl::Minutes(2)) == kExitDone && evaluation_ != nullptr)
      evaluation_->Report(between_step_);
  }
  const absl::StatusOr<nlohmann::json> records = ReadRecords(folder_.path);
  if (!records.ok()) return records.status();
  if (!records->value("trained", false)) return absl::CancelledError("drained");
  return absl::OkStatus();
}

absl::StatusOr<nlohmann::json> Runner::SoundRecords() const {
  const absl::StatusOr<PathKind> kind = KindOf(folder_.Inside("coordinator.sqlite"));
  if (!kind.ok()) return kind.status();
  if (*kind == PathKind::kMissing) return nlohmann::json();
  absl::StatusOr<nlohmann::json> records = ReadRecords(folder_.path);
  if (!records.ok()) {
    // A coordinator that died in its first moments left nothing to read, and nothing to lose.
    if (FileSize(folder_.Inside("metrics.jsonl")).value_or(0) == 0) return nlohmann::json();
    return absl::DataLossError(records.status().message());
  }
  const std::string digest = records->value("config_digest", "");
  const int64_t total = records->value("total_steps", int64_t{0});
  if (total > 0 && total != config().train().steps()) {
    return absl::FailedPreconditionError(absl::StrCat(
        folder_.path, records->value("trained", false) ? " is a finished run of " : " is a run of ", total,
        " steps and cannot be extended or cut: its config.yaml asks for ", config().train().steps(),
        ". Put train.steps back to ", total, ", or start a new run"));
  }
  if (!digest.empty() && digest != ConfigDigest(config())) {
    return absl::FailedPreconditionError(absl::StrCat(
        folder_.Inside("config.yaml"),
        " was changed since the run began: a run keeps its settings. Undo the change, or start a new run"));
  }
  return records;
}

absl::Status Runner::ShowResults() {
  const absl::StatusOr<Results> results = WriteResults(folder_.path);
  if (!results.ok()) return results.status();
  if (!results->remark.empty()) printer_.Say(results->remark);
  if (results->summary.has_value()) std::printf("\n%s", FormatSummary(*results->summary).c_str());
  std::printf("report: %s\n", results->report.c_str());
  return absl::OkStatus();
}

std::string Runner::LastWeights() const {
  return folder_.Inside(
      absl::StrFormat("checkpoints/step_%06d/policy.safetensors", config().train().steps()));
}

absl::Duration Runner::LastUpload() const {
  const v1::CheckpointsConfig& checkpoints = config().checkpoints();
  return checkpoints.store().empty() ? absl::ZeroDuration()
                                     : absl::Seconds(checkpoints.last_upload_seconds());
}

absl::Status Runner::CheckFiles(bool trained) const {
  if (!folder_.resumed) return absl::OkStatus();  // checked before the folder was made
  if (!trained) return CheckPromptFiles(config());
  if (Exists(LastWeights())) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(LastWeights(),
                                          " is gone: the run has finished, and its results are "
                                          "measured with these weights"));
}

absl::Status Runner::GoBack(int64_t step) const {
  return Capture({JoinPath(BinaryFolder(), "lvrpo-coordinator"), "--go-back", folder_.path, "--step",
                  absl::StrCat(step)})
      .status();
}

int Runner::Run(std::optional<int64_t> from_checkpoint) {
  if (from_checkpoint.has_value()) {
    if (absl::Status status = GoBack(*from_checkpoint); !status.ok()) return Fail(status, kExitData);
    printer_.Say(absl::StrCat("went back to ", *from_checkpoint, " steps, as --from-checkpoint asks"));
  }
  const absl::StatusOr<nlohmann::json> records = SoundRecords();
  if (!records.ok()) return Fail(records.status(), kExitData);
  const bool trained = records->is_object() && records->value("trained", false);
  if (absl::Status ready = CheckFiles(trained); !ready.ok()) return Fail(ready);
  if (absl::Status saved = folder_.Save(); !saved.ok()) return Fail(saved);
  if (!Exists(folder_.Inside("images/before/scores.json"))) {
    if (absl::Status status = Evaluate("before", ""); absl::IsCancelled(status)) {
      printer_.Say(absl::StrCat("stopped; go on with: lvrpo run --resume ", folder_.path));
      return kExitDone;
    } else if (!status.ok()) {
      return Fail(status);
    }
  }
  // All steps are done: only the results are missing.
  absl::Status status;
  if (!trained) status = Train();
  const auto end_training = absl::MakeCleanup([this] { EndTraining(); });
  if (!status.ok() && !absl::IsCancelled(status)) return Fail(status, supervisor_.ended_code());
  if (absl::Status saved = folder_.Save(); !saved.ok()) printer_.Say(std::string(saved.message()));
  if (absl::IsCancelled(status)) {
    printer_.Say(absl::StrCat("drained; go on with: lvrpo run --resume ", folder_.path));
    return kExitDone;
  }
  status = Evaluate("after", LastWeights());
  if (absl::IsCancelled(status)) {
    printer_.Say(absl::StrCat("stopped; go on with: lvrpo run --resume ", folder_.path));
    return kExitDone;
  }
  if (!status.ok()) return Fail(status);
  if (evaluation_ != nullptr) evaluation_->Report(config().train().steps());
  EndTraining();
  if (status = folder_.Save(); !status.ok()) return Fail(status);
  if (status = ShowResults(); !status.ok()) return Fail(status);
  return kExitDone;
}

}  // namespace

namespace {

// Unavailable while a coordinator that another started serves the run in this folder; one that is about to
// leave, or drains, is waited for by the one that is started.
absl::Status CheckNobodyServes(const RunFolder& folder) {
  constexpr absl::Duration kMayLeave = absl::Seconds(3);
  const absl::StatusOr<std::string> address = ReadAddressFile(folder.Inside("coordinator.json"));
  if (!address.ok()) return absl::OkStatus();
  CoordinatorClient coordinator(*address, folder.config.config.rpc());
  const absl::Time end = RealClock().Now() + kMayLeave;
  while (true) {
    const absl::StatusOr<v1::GetStatusResponse> status = coordinator.GetStatus(absl::Seconds(1));
    if (!status.ok() || status->run_id() != folder.run_id || status->draining() || status->finished())
      return absl::OkStatus();
    if (RealClock().Now() > end) break;
    absl::SleepFor(absl::Milliseconds(100));
  }
  return absl::UnavailableError(absl::StrCat(folder.path, " is being trained: its coordinator serves at ",
                                             *address, ". Stop it first: lvrpo drain ", folder.path));
}

}  // namespace

int RunCommand(const RunOptions& options, ShutdownSignal& shutdown) {
  absl::StatusOr<RunFolder> folder = absl::InternalError("no folder");
  if (!options.resume.empty()) {
    folder = OpenRunFolder(options.resume, options.working_folder);
    if (folder.ok()) folder->resumed = true;
  } else {
    absl::StatusOr<LoadedConfig> config = LoadRunConfig(options.config, options.overrides);
    if (!config.ok()) {
      Explain(kProgram, config.status());
      return kExitConfig;
    }
    // Before a folder is made.
    if (absl::Status status = CheckPromptFiles(config->config); !status.ok())
      return Explain(kProgram, status);
    folder = MakeRunFolder(*config, options.run_id);
  }
  if (!folder.ok()) {
    const int code = Explain(kProgram, folder.status());
    return absl::IsInvalidArgument(folder.status()) ? kExitConfig : code;
  }
  const absl::StatusOr<FileLock> lock = FileLock::Take(folder->Inside("run.lock"), absl::ZeroDuration());
  if (!lock.ok()) return Explain(kProgram, lock.status());
  if (absl::Status status = CheckNobodyServes(*folder); !status.ok()) return Explain(kProgram, status);
  std::fprintf(stderr, "run %s in %s\n", folder->run_id.c_str(), OneLine(folder->path, 1000).c_str());
  return Runner(*std::move(folder), options.tls, shutdown).Run(options.from_checkpoint);
}

}  // namespace lvrpo
