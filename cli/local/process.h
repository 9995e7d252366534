#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/files/binary_folder.h"

namespace lvrpo {

// A child process in a process group of its own (a terminal's Ctrl-C does not reach it). It gets SIGTERM when
// its parent dies. Destroying the object does not stop it.
class Process {
 public:
  struct Options {
    std::vector<std::string> command;  // path and arguments
    std::string log = "";              // stdout and stderr are appended here; empty: inherited
    int output = -1, errors = -1;      // descriptors for stdout and stderr instead; the caller's
    std::map<std::string, std::string> environment = {};  // on top of this process's
    int nice = 0;
  };
  static absl::StatusOr<Process> Start(const Options& options);

  pid_t pid() const { return pid_; }
  // The exit code once it has ended; 128 + number for a signal.
  std::optional<int> Poll();
  // Waits until it ends; nullopt after `timeout`.
  std::optional<int> Wait(absl::Duration timeout);
  void Signal(int number) const;

 private:
  explicit Process(pid_t pid) : pid_(pid) {}
  pid_t pid_;
  std::optional<int> exit_code_;
};

// Runs a command and returns its standard output. FailedPrecondition with the end of its error output when it
// fails, DeadlineExceeded when it takes longer than `patience`: then it is killed.
absl::StatusOr<std::string> Capture(const std::vector<std::string>& command,
                                    absl::Duration patience = absl::Minutes(10));

// The last lines of a text.
std::string LastLinesOf(absl::string_view text, int count);
// The same of a file; empty when it cannot be read.
std::string LastLines(const std::string& path, int count);
// The last lines of a log: at least so many, and a program's whole last message ("lvrpo-...: ..."), up to 25.
std::string LastMessage(const std::string& path, int count);

}  // namespace lvrpo
