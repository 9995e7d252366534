#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/process.h"
#include "cli/run_folder.h"

namespace lvrpo {

// Whether starting a role again can help after it ended with this code: not for wrong usage, configuration,
// data or divergence.
bool MayRestart(int exit_code);

// The four roles of a run as processes on this machine. One that dies is started again, at most max_restarts
// times in all, never silently: each death and each restart is a line for `say`.
class Supervisor {
 public:
  Supervisor(const RunFolder& folder, std::function<void(const std::string&)> say)
      : folder_(folder), say_(std::move(say)) {}

  // Starts the coordinator, waits for its address, then starts the rest. Cancelled when `give_up` says so
  // first.
  absl::Status Start(const std::function<bool()>& give_up);
  const std::string& coordinator() const { return coordinator_; }

  // Looks after the processes and starts dead ones again. `ending`: the run has finished or drains, so that
  // nothing is started again. `goes_on`: the coordinator said so just now, so that nobody has a reason to
  // leave. An error ends the run: a role cannot live; ended_code() is its exit code.
  absl::Status Tend(bool ending, bool goes_on);
  int ended_code() const { return ended_code_; }
  bool AllEnded();

  // SIGTERM to all, SIGKILL to those that are still there after `grace`.
  void Stop(absl::Duration grace);

 private:
  struct Role {
    std::string name;  // member id, and name of its log
    std::vector<std::string> command;
    std::map<std::string, std::string> environment;
    std::optional<Process> process;
    bool left = false;  // was seen to have ended with code 0
  };
  std::string LogOf(const std::string& name) const { return folder_.Inside("logs/" + name + ".log"); }
  absl::Status Launch(Role& role);
  absl::Status WriteProcessIds() const;
  void AddRole(const std::string& binary, const std::string& name, int threads,
               std::vector<std::string> more);

  const RunFolder& folder_;
  const std::function<void(const std::string&)> say_;
  std::string coordinator_;  // host:port
  std::vector<Role> roles_;
  int restarts_ = 0;
  int ended_code_ = 0;
};

}  // namespace lvrpo
