#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace lvrpo {

// Whether starting a role again can help after it ended with this code: not for wrong usage, configuration,
// data or divergence.
bool MayRestart(int exit_code);

// A role's process at one look.
struct RoleSight {
  bool has_process = true;
  bool is_due = false;                          // it has none, and the pause before its next start is over
  std::optional<int> exit_code = std::nullopt;  // of a process that has ended
  bool left_before = false;                     // it had ended with code 0 at an earlier look
  bool too_silent = false;                      // SilenceWatch::TooLong
  bool killed = false;                          // for that, and has not ended yet
};

// What the supervisor does about it.
enum class Care {
  kNothing,
  kStart,     // now
  kNoteLeft,  // it ended with code 0: the run has finished or drains, which the supervisor may learn a moment
              // later
  kLetGo,     // it died while the run ends: what is on disk is enough to resume from
  kKill,      // it hangs: to be killed, which is a death as any other
  kReplace,   // it died, or left a run that goes on: to be started again, if that helps and restarts are left
};

// `ending`: the run has finished or drains. `goes_on`: the coordinator said so just now, so that nobody has a
// reason to leave. Pure.
Care CareFor(const RoleSight& sight, bool ending, bool goes_on);

// A process that died.
struct Death {
  std::string role;
  std::string group = {};  // processes that start again together when one of them dies; empty: it is alone
  absl::Time started, died;
};

// When roles that died are restarted: the first time at once, then after 1, 2, 4, ... 30 s, so that a lasting
// error (a full disk) does not use up the restarts; the pause resets after a role has lived for a minute. At
// most `most` restarts for all roles together, where a group that dies of one cause counts once: deaths of
// processes that were there when the first of it died use up nothing. Pure.
class Restarts {
 public:
  explicit Restarts(int most) : most_(most) {}

  // How long to wait before it is started again; nullopt: restarts are used up.
  std::optional<absl::Duration> Next(const Death& death);
  int used() const { return used_; }
  int most() const { return most_; }

 private:
  const int most_;
  int used_ = 0;
  std::map<std::string, int> in_a_row_;
  std::map<std::string, absl::Time> newest_;  // by group: when the first one died of what is the newest cause
};

}  // namespace lvrpo
