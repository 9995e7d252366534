#include "cli/supervisor.h"

#include <signal.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/exit_code.h"
#include "common/file.h"
#include "common/filesystem.h"
#include "common/json_text.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

namespace {

// A coordinator waits for an older one of its folder to leave.
constexpr absl::Duration kStartPatience = absl::Seconds(45);

}  // namespace

bool MayRestart(int exit_code) {
  return exit_code != kExitUsage && exit_code != kExitConfig && exit_code != kExitData &&
         exit_code != kExitDiverged && exit_code != 127;
}

void Supervisor::AddRole(const std::string& binary, const std::string& name, int threads,
                         std::vector<std::string> more) {
  Role role;
  role.name = name;
  role.command = {JoinPath(BinaryFolder(), binary), "--config", folder_.Inside("config.yaml")};
  role.command.insert(role.command.end(), more.begin(), more.end());
  role.environment["OMP_NUM_THREADS"] = absl::StrCat(std::max(1, threads));
  roles_.push_back(std::move(role));
}

absl::Status Supervisor::Launch(Role& role) {
  absl::StatusOr<Process> process = Process::Start(
      {.command = role.command, .log = LogOf(role.name), .environment = role.environment, .nice = 0});
  if (!process.ok()) return process.status();
  role.process = *std::move(process);
  role.left = false;
  return absl::OkStatus();
}

absl::Status Supervisor::WriteProcessIds() const {
  nlohmann::json pids = nlohmann::json::object();
  for (const Role& role : roles_) {
    if (role.process.has_value()) pids[role.name] = role.process->pid();
  }
  return WriteFileAtomic(folder_.Inside("processes.json"), JsonText(pids, 2) + "\n");
}

absl::Status Supervisor::Start(const std::function<bool()>& give_up) {
  const v1::LocalConfig& local = folder_.config.config.local();
  const std::string address_file = folder_.Inside("coordinator.json");
  if (absl::Status status = RemoveFile(address_file); !status.ok()) return status;
  AddRole("lvrpo-coordinator", "coordinator", 1, {"--run-dir", folder_.path});
  if (absl::Status status = Launch(roles_[0]); !status.ok()) return status;
  const absl::Time deadline = RealClock().Now() + kStartPatience;
  while (true) {
    const absl::StatusOr<std::string> text = ReadFile(address_file);
    if (text.ok()) {
      coordinator_ = nlohmann::json::parse(*text, nullptr, false).value("address", "");
      break;
    }
    if (const std::optional<int> code = roles_[0].process->Poll()) {
      ended_code_ = *code;
      return absl::UnavailableError(absl::StrCat("the coordinator ended with exit code ", *code, ": ",
                                                 LastLines(LogOf("coordinator"), 3)));
    }
    if (give_up()) return absl::CancelledError("stopped while the coordinator started");
    if (RealClock().Now() > deadline) {
      return absl::UnavailableError(absl::StrCat("the coordinator did not say its address for ",
                                                 absl::FormatDuration(kStartPatience), "; see ",
                                                 LogOf("coordinator")));
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
  AddRole("lvrpo-learner", "learner-0", local.threads_learner(),
          with("learner-0", {"--run-dir", folder_.path}));
  for (int i = 0; i < local.reward_servers(); ++i) {
    const std::string name = absl::StrCat("reward-", i);
    AddRole("lvrpo-reward-server", name, local.threads_reward(), with(name, {}));
  }
  for (int i = 0; i < local.rollout_workers(); ++i) {
    const std::string name = absl::StrCat("rollout-", i);
    AddRole("lvrpo-rollout-worker", name, local.threads_rollout(), with(name, {}));
  }
  for (Role& role : roles_) {
    if (role.process.has_value()) continue;
    if (absl::Status status = Launch(role); !status.ok()) return status;
  }
  return WriteProcessIds();
}

absl::Status Supervisor::Tend(bool ending, bool goes_on) {
  for (Role& role : roles_) {
    if (!role.process.has_value()) continue;
    const std::optional<int> code = role.process->Poll();
    if (!code.has_value()) continue;
    if (*code == 0) {
      // It was told to leave: the run has finished or drains, which the caller may learn a moment later. If
      // the run still goes on at the next look, the role left for another reason (a signal) and is missed.
      const bool seen_before = role.left;
      role.left = true;
      if (!goes_on || !seen_before) continue;
    }
    const std::string death = *code > 128 ? absl::StrCat(role.name, " was killed by signal ", *code - 128)
                                          : absl::StrCat(role.name, " ended with exit code ", *code);
    if (ending) {
      // It cannot finish its part; what is on disk is enough to go on from.
      say_(death);
      role.process.reset();
      continue;
    }
    const std::string log = LastLines(LogOf(role.name), 3);
    if (!MayRestart(*code) || restarts_ >= folder_.config.config.local().max_restarts()) {
      ended_code_ = *code;
      return absl::FailedPreconditionError(absl::StrCat(
          death, MayRestart(*code) ? " and restarts are used up" : "", "; its log ends with:\n", log));
    }
    ++restarts_;
    say_(absl::StrCat(death, "; starting it again (restart ", restarts_, " of at most ",
                      folder_.config.config.local().max_restarts(), ")"));
    if (absl::Status status = Launch(role); !status.ok()) return status;
    if (absl::Status status = WriteProcessIds(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

bool Supervisor::AllEnded() {
  return std::all_of(roles_.begin(), roles_.end(), [](Role& role) {
    return !role.process.has_value() || role.process->Poll().has_value();
  });
}

void Supervisor::Stop(absl::Duration grace) {
  for (Role& role : roles_) {
    if (role.process.has_value()) role.process->Signal(SIGTERM);
  }
  const absl::Time end = RealClock().Now() + grace;
  for (Role& role : roles_) {
    if (!role.process.has_value()) continue;
    if (role.process->Wait(std::max(absl::ZeroDuration(), end - RealClock().Now())).has_value()) continue;
    say_(absl::StrCat(role.name, " did not leave in time and is killed"));
    role.process->Signal(SIGKILL);
    role.process->Wait(absl::Seconds(2));
  }
}

}  // namespace lvrpo
