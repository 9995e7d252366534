#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/local/process.h"
#include "cli/local/restarts.h"
#include "cli/local/run_folder.h"
#include "common/files/identity.h"

namespace lvrpo {

// The four roles of a run as processes on this machine. One that dies is started again
// (cli/local/restarts.h), at most max_restarts times in all, never silently: each death is a line for `say`,
// with the reason that the role gave.
class Supervisor {
 public:
  Supervisor(const RunFolder& folder, std::function<void(const std::string&)> say)
      : folder_(folder),
        folder_identity_(IdentityOf(folder.path)),
        say_(std::move(say)),
        restarts_(folder.config.config.local().max_restarts()) {}

  // Starts the coordinator, again if it dies, waits for its address, then starts the rest. Cancelled when
  // `give_up` says so first.
  absl::Status Start(const std::function<bool()>& give_up);
  const std::string& coordinator() const { return coordinator_; }

  // Looks after the processes and starts dead ones again. `ending`: the run has finished or drains, so that
  // nothing is started again. `goes_on`: the coordinator said so just now, so that nobody has a reason to
  // leave. An error ends the run: a role cannot live, whose exit code is ended_code(), or the run's folder is
  // gone.
  absl::Status Tend(bool ending, bool goes_on);
  int ended_code() const { return ended_code_; }
  bool AllEnded();
  // SIGTERM to the members that are still there, not to the coordinator.
  void TellMembersToLeave();

  // The last line of each role's log that is a warning or an error and was written in this session and since
  // the last call of MarkLogs: "reward-0: external scorer 'x' answered 401".
  std::vector<std::string> Complaints() const;
  void MarkLogs();

  // SIGTERM to all, SIGKILL to those that are still there after `grace`.
  void Stop(absl::Duration grace);

 private:
  struct Role {
    std::string name;  // member id, and name of its log
    std::vector<std::string> command;
    std::map<std::string, std::string> environment;
    std::optional<Process> process;
    absl::Time started;
    absl::Time start_at = absl::InfiniteFuture();  // when it died: when to start it again
    bool left = false;                             // was seen to have ended with code 0
    size_t log_mark = 0;                           // bytes of its log that are old
  };
  std::string LogOf(const std::string& name) const { return folder_.Inside("logs/" + name + ".log"); }
  absl::Status Launch(Role& role);
  // Plans to start a role again that died of `why`; an error when that is of no use.
  absl::Status PlanRestart(Role& role, int code, const std::string& why);
  // What a role that ended with this code said last, as "(...)"; that the disk is full where nothing could be
  // said.
  std::string LastWords(const Role& role) const;
  // A run goes on without this file; what is wrong with it is said once.
  void WriteProcessIds();
  void AddRole(const std::string& binary, const std::string& name, int threads,
               std::vector<std::string> more);

  const RunFolder& folder_;
  const std::string folder_identity_;  // a role may make a folder of the same name again
  const std::function<void(const std::string&)> say_;
  std::string coordinator_;  // host:port
  std::vector<Role> roles_;
  Restarts restarts_;
  int ended_code_ = 0;
  bool said_pids_ = false;
};

}  // namespace lvrpo
