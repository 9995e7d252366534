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
#include "cli/local/silence.h"
#include "common/files/identity.h"
#include "common/run_folder/run_folder.h"

namespace lvrpo {

// The four roles of a run as processes on this machine. One that dies is restarted (cli/local/restarts.h), at
// most max_restarts times in all, and one that hangs is killed (cli/local/silence.h); each death is a line
// for `say`, with the role's last error.
class Supervisor {
 public:
  // `binaries`: the folder of the roles' programs.
  Supervisor(const RunFolder& folder, std::function<void(const std::string&)> say,
             std::string binaries = BinaryFolder())
      : folder_(folder),
        folder_identity_(IdentityOf(folder.path)),
        say_(std::move(say)),
        binaries_(std::move(binaries)),
        restarts_(folder.config.config.local().max_restarts()),
        silence_(absl::Seconds(folder.config.config.local().silent_seconds())) {}

  // Starts the coordinator, restarting it if it dies, waits for its address, then starts the rest. Cancelled
  // when `give_up` returns true first.
  absl::Status Start(const std::function<bool()>& give_up);
  const std::string& coordinator() const { return coordinator_; }

  // Takes what the coordinator says about itself and the members, as SilenceWatch::Look.
  void Hear(const absl::StatusOr<v1::GetStatusResponse>& status, absl::Time asked, absl::Time now) {
    silence_.Look(status, asked, now);
  }
  // Checks the processes, kills those that hang and restarts dead ones. `ending`: the run has finished or
  // drains, so nothing is killed or restarted. `goes_on`: the coordinator just said that the run is active,
  // so no role has a reason to leave. An error ends the run: a role keeps failing, with the exit code
  // ended_code(), or the run folder is gone.
  absl::Status Tend(bool ending, bool goes_on);
  int ended_code() const { return ended_code_; }
  bool AllEnded();
  // All but the coordinator, which waits for other members of the run, too.
  bool MembersEnded();
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
    std::string name;   // member id, and name of its log
    std::string group;  // as Death::group
    std::vector<std::string> command;
    std::map<std::string, std::string> environment;
    std::optional<Process> process;
    absl::Time started;
    absl::Time start_at = absl::InfiniteFuture();  // when it died: when to start it again
    bool left = false;                             // was seen to have ended with code 0
    std::string killed_for = {};                   // why it was killed, if it was
    size_t log_mark = 0;                           // bytes of its log that are old
  };
  std::string LogOf(const std::string& name) const { return folder_.Inside("logs/" + name + ".log"); }
  static bool HasEnded(Role& role);
  absl::Status Launch(Role& role);
  // Whether it was started (again). Errors as Tend().
  absl::StatusOr<bool> TendRole(Role& role, bool ending, bool goes_on);
  // Kills a role that hangs.
  void Kill(Role& role) const;
  // What is said of a role that ended with this code.
  std::string DeathOf(const Role& role, int code) const;
  // Schedules the restart of a role that died of `why`; an error when a restart cannot help.
  absl::Status PlanRestart(Role& role, int code, const std::string& why);
  // The last error of a role that ended with this code, as "(...)"; that the disk is full when it could not
  // log.
  std::string LastWords(const Role& role) const;
  // The run continues without this file; an error is printed once.
  void WriteProcessIds();
  Role& AddRole(const std::string& binary, const std::string& name, int threads,
                std::vector<std::string> more);

  const RunFolder& folder_;
  const std::string folder_identity_;  // a role may recreate a folder of the same name
  const std::function<void(const std::string&)> say_;
  const std::string binaries_;
  std::string coordinator_;  // host:port
  std::vector<Role> roles_;
  Restarts restarts_;
  SilenceWatch silence_;
  int ended_code_ = 0;
  bool said_pids_ = false;
};

}  // namespace lvrpo
