#include "cli/local/supervisor.h"

#include <signal.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/local/address_file.h"
#include "cli/local/disk.h"
#include "cli/local/log_lines.h"
#include "cli/local/progress.h"
#include "common/clock.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

namespace {

// A coordinator waits for an older one of its folder to leave.
constexpr absl::Duration kStartPatience = absl::Seconds(45);
constexpr absl::Duration kCoordinatorLeaves = absl::Seconds(3);  // once the others have

}  // namespace

Supervisor::Role& Supervisor::AddRole(const std::string& binary, const std::string& name, int threads,
                                      std::vector<std::string> more) {
  Role role;
  role.name = name;
  role.command = {JoinPath(binaries_, binary), "--config", folder_.Inside("config.yaml")};
  role.command.insert(role.command.end(), more.begin(), more.end());
  role.log_mark = static_cast<size_t>(FileSize(LogOf(name)).value_or(0));  // of an earlier session
  role.environment["OMP_NUM_THREADS"] = absl::StrCat(std::max(1, threads));
  return roles_.emplace_back(std::move(role));
}

absl::Status Supervisor::Launch(Role& role) {
  role.start_at = absl::InfiniteFuture();
  role.started = RealClock().Now();
  absl::StatusOr<Process> process = Process::Start(
      {.command = role.command, .log = LogOf(role.name), .environment = role.environment, .nice = 0});
  if (absl::IsResourceExhausted(process.status())) {  // a full disk, too many processes: this passes
    role.process.reset();
    return PlanRestart(role, kExitRetry, absl::StrCat(role.name, ": ", process.status().message()));
  }
  if (!process.ok()) return process.status();
  role.process = *std::move(process);
  role.left = false;
  role.killed_for.clear();
  return absl::OkStatus();
}

absl::Status Supervisor::PlanRestart(Role& role, int code, const std::string& why) {
  const bool useful = MayRestart(code);
  const int used_before = restarts_.used();
  const std::optional<absl::Duration> wait =
      useful
          ? restarts_.Next(
                {.role = role.name, .group = role.group, .started = role.started, .died = RealClock().Now()})
          : std::nullopt;
  if (!wait.has_value()) {
    ended_code_ = code;
    return absl::FailedPreconditionError(absl::StrCat(why, useful ? "; restarts are used up" : "", "; ",
                                                      LogOf(role.name), " ends with:\n",
                                                      LastMessage(LogOf(role.name), 3)));
  }
  role.process.reset();
  role.start_at = RealClock().Now() + *wait;
  if (restarts_.used() == used_before) {
    say_(absl::StrCat(why, "; starting it again with the other ranks"));
    return absl::OkStatus();
  }
  say_(absl::StrCat(why, "; starting it again",
                    *wait > absl::ZeroDuration() ? " in " + absl::FormatDuration(*wait) : "", " (restart ",
                    restarts_.used(), " of at most ", restarts_.most(), ")"));
  return absl::OkStatus();
}

std::string Supervisor::LastWords(const Role& role) const {
  if (const std::string problem = DiskProblemOf(folder_.path); !problem.empty())
    return absl::StrCat(" (", problem, ")");
  const std::string words = MessageOfLine(LastLines(LogOf(role.name), 1));
  return words.empty() ? "" : absl::StrCat(" (", words, ")");
}

void Supervisor::WriteProcessIds() {
  nlohmann::json pids = nlohmann::json::object();
  for (const Role& role : roles_) {
    if (role.process.has_value()) pids[role.name] = role.process->pid();
  }
  const absl::Status status = WriteFileAtomic(folder_.Inside("processes.json"), JsonText(pids, 2) + "\n");
  if (!status.ok() && !said_pids_) say_(std::string(status.message()));
  said_pids_ = !status.ok();
}

absl::Status Supervisor::Start(const std::function<bool()>& give_up) {
  const v1::LocalConfig& local = folder_.config.config.local();
  const std::string address_file = folder_.Inside("coordinator.json");
  if (absl::Status status = RemoveFile(address_file); !status.ok()) return status;
  AddRole("lvrpo-coordinator", kCoordinatorRole, 1, {"--run-dir", folder_.path});
  if (absl::Status status = Launch(roles_[0]); !status.ok()) return status;
  absl::Time deadline = RealClock().Now() + kStartPatience;
  while (true) {
    absl::StatusOr<std::string> address = ReadAddressFile(address_file);
    if (absl::IsDataLoss(address.status())) return address.status();
    if (address.ok()) {
      coordinator_ = *std::move(address);
      break;
    }
    const bool waits = !roles_[0].process.has_value();
    if (absl::Status status = Tend(/*ending=*/false, /*goes_on=*/true); !status.ok()) return status;
    if (waits) deadline = RealClock().Now() + kStartPatience;
    if (give_up()) return absl::CancelledError("stopped while the coordinator started");
    if (RealClock().Now() > deadline) {
      return absl::UnavailableError(absl::StrCat("the coordinator did not publish its address within ",
                                                 absl::FormatDuration(kStartPatience), "; see ",
                                                 LogOf(kCoordinatorRole)));
    }
    absl::SleepFor(absl::Milliseconds(20));
  }
  // Others know this address: a restarted coordinator must come back to it.
  roles_[0].command.insert(roles_[0].command.end(), {"--listen", coordinator_});
  const std::vector<std::string> join = {"--coordinator", coordinator_, "--member-id"};
  const auto with = [&join](const std::string& name, std::vector<std::string> more) {
    std::vector<std::string> flags = join;
    flags.push_back(name);
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  };
  const int ranks = std::max(1, local.learner_ranks());
  for (int rank = 0; rank < ranks; ++rank) {
    const std::string name = absl::StrCat("learner-", rank);
    std::vector<std::string> more = {"--run-dir", folder_.path};
    if (ranks > 1) more.insert(more.end(), {"--rank", absl::StrCat(rank), "--ranks", absl::StrCat(ranks)});
    Role& learner = AddRole("lvrpo-learner", name, local.threads_learner(), with(name, more));
    if (ranks > 1) learner.group = "learner";
  }
  for (int i = 0; i < local.reward_servers(); ++i) {
    const std::string name = absl::StrCat("reward-", i);
    AddRole("lvrpo-reward-server", name, local.threads_reward(), with(name, {}));
  }
  for (int i = 0; i < local.rollout_workers(); ++i) {
    const std::string name = absl::StrCat("rollout-", i);
    AddRole("lvrpo-rollout-worker", name, local.threads_rollout(), with(name, {}));
  }
  for (size_t i = 1; i < roles_.size(); ++i) {
    if (absl::Status status = Launch(roles_[i]); !status.ok()) return status;
  }
  WriteProcessIds();
  return absl::OkStatus();
}

absl::Status Supervisor::Tend(bool ending, bool goes_on) {
  if (IsGone(folder_.path, folder_identity_)) {
    ended_code_ = kExitData;
    return absl::NotFoundError(absl::StrCat("the run's folder ", folder_.path, " is gone: the run ends"));
  }
  bool changed = false;
  for (Role& role : roles_) {
    if (ending && !role.process.has_value()) role.start_at = absl::InfiniteFuture();
    const absl::StatusOr<bool> started = TendRole(role, ending, goes_on);
    if (!started.ok()) return started.status();
    changed = changed || *started;
  }
  if (changed) WriteProcessIds();
  return absl::OkStatus();
}

void Supervisor::Kill(Role& role) const {
  const std::string silent = FormatSeconds(absl::ToDoubleSeconds(*silence_.TooLong(role.name, role.started)));
  role.killed_for = role.name == kCoordinatorRole
                        ? absl::StrCat("it had not answered for ", silent)
                        : absl::StrCat("the coordinator had heard nothing from it for ", silent);
  role.process->Signal(SIGKILL);
}

std::string Supervisor::DeathOf(const Role& role, int code) const {
  if (!role.killed_for.empty()) return absl::StrCat(role.name, " was killed: ", role.killed_for);
  if (code > 128) return absl::StrCat(role.name, " was killed by signal ", code - 128);
  return absl::StrCat(role.name, " ended with exit code ", code, LastWords(role));
}

absl::StatusOr<bool> Supervisor::TendRole(Role& role, bool ending, bool goes_on) {
  RoleSight sight;
  sight.has_process = role.process.has_value();
  sight.is_due = RealClock().Now() >= role.start_at;
  if (sight.has_process) sight.exit_code = role.process->Poll();
  sight.left_before = role.left;
  sight.too_silent = silence_.TooLong(role.name, role.started).has_value();
  sight.killed = !role.killed_for.empty();
  const int code = sight.exit_code.value_or(kExitDone);
  switch (CareFor(sight, ending, goes_on)) {
    case Care::kNothing:
      return false;
    case Care::kNoteLeft:
      role.left = true;
      return false;
    case Care::kLetGo:
      say_(DeathOf(role, code));
      role.process.reset();
      return false;
    case Care::kKill:
      Kill(role);
      return false;
    case Care::kReplace:
      if (absl::Status status = PlanRestart(role, code, DeathOf(role, code)); !status.ok()) return status;
      if (RealClock().Now() < role.start_at) return false;
      [[fallthrough]];
    case Care::kStart:
      if (absl::Status status = Launch(role); !status.ok()) return status;
      return true;
  }
  return false;
}

bool Supervisor::HasEnded(Role& role) {
  return role.process.has_value() ? role.process->Poll().has_value()
                                  : role.start_at == absl::InfiniteFuture();
}

bool Supervisor::AllEnded() { return std::all_of(roles_.begin(), roles_.end(), HasEnded); }

bool Supervisor::MembersEnded() {
  return !roles_.empty() && std::all_of(roles_.begin() + 1, roles_.end(), HasEnded);
}

void Supervisor::TellMembersToLeave() {
  for (size_t i = 1; i < roles_.size(); ++i) {
    if (!roles_[i].process.has_value() || roles_[i].process->Poll().has_value()) continue;
    roles_[i].process->Signal(SIGTERM);
    roles_[i].process->Signal(SIGCONT);  // one that was stopped hears nothing
  }
}

void Supervisor::MarkLogs() {
  for (Role& role : roles_) role.log_mark = static_cast<size_t>(FileSize(LogOf(role.name)).value_or(0));
}

std::vector<std::string> Supervisor::Complaints() const {
  std::vector<std::string> complaints;
  for (const Role& role : roles_) {
    const std::string complaint = LastComplaint(ReadFileFrom(LogOf(role.name), role.log_mark));
    if (!complaint.empty()) complaints.push_back(absl::StrCat(role.name, ": ", complaint));
  }
  return complaints;
}

void Supervisor::Stop(absl::Duration grace) {
  TellMembersToLeave();
  const absl::Time end = RealClock().Now() + grace;
  // Backwards: the coordinator leaves last, so that it records what the others leave behind.
  for (auto role = roles_.rbegin(); role != roles_.rend(); ++role) {
    if (!role->process.has_value()) continue;
    absl::Duration wait = std::max(absl::ZeroDuration(), end - RealClock().Now());
    if (role->name == kCoordinatorRole) {
      role->process->Signal(SIGTERM);
      role->process->Signal(SIGCONT);
      wait = std::max(wait, kCoordinatorLeaves);
    }
    if (role->process->Wait(wait).has_value()) continue;
    say_(absl::StrCat(role->name, " did not leave in time and is killed"));
    role->process->Signal(SIGKILL);
    role->process->Wait(absl::Seconds(2));
  }
}

}  // namespace lvrpo
