#include "cli/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/file.h"

namespace lvrpo {

absl::StatusOr<Process> Process::Start(const Options& options) {
  // Everything that allocates happens before the fork.
  std::vector<char*> arguments;
  for (const std::string& argument : options.command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    if (!options.environment.contains(text.substr(0, text.find('=')))) variables.push_back(text);
  }
  for (const auto& [name, value] : options.environment) variables.push_back(absl::StrCat(name, "=", value));
  std::vector<char*> environment;
  for (const std::string& variable : variables) environment.push_back(const_cast<char*>(variable.c_str()));
  environment.push_back(nullptr);
  int log = -1;
  if (!options.log.empty()) {
    log = open(options.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log < 0)
      return absl::InternalError(absl::StrCat("cannot write ", options.log, ": ", std::strerror(errno)));
  }
  if (access(options.command[0].c_str(), X_OK) != 0) {
    if (log >= 0) close(log);
    return absl::NotFoundError(absl::StrCat("cannot run ", options.command[0], ": ", std::strerror(errno)));
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) {
    if (log >= 0) close(log);
    return absl::ResourceExhaustedError(absl::StrCat("cannot start a process: ", std::strerror(errno)));
  }
  if (pid == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
    if (options.nice != 0) setpriority(PRIO_PROCESS, 0, options.nice);
    if (log >= 0) {
      dup2(log, STDOUT_FILENO);
      dup2(log, STDERR_FILENO);
    }
    const int null = open("/dev/null", O_RDONLY);
    if (null >= 0) dup2(null, STDIN_FILENO);
    signal(SIGPIPE, SIG_DFL);
    execve(arguments[0], arguments.data(), environment.data());
    _exit(127);
  }
  if (log >= 0) close(log);
  return Process(pid);
}

std::optional<int> Process::Poll() {
  if (exit_code_.has_value()) return exit_code_;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) {
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return exit_code_;
}

std::optional<int> Process::Wait(absl::Duration timeout) {
  const absl::Time end = RealClock().Now() + timeout;
  while (!Poll().has_value() && RealClock().Now() < end) absl::SleepFor(absl::Milliseconds(20));
  return exit_code_;
}

void Process::Signal(int number) const {
  if (!exit_code_.has_value()) kill(pid_, number);
}

absl::StatusOr<std::string> Capture(const std::vector<std::string>& command) {
  char path[] = "/tmp/lvrpo-output-XXXXXX";
  const int fd = mkstemp(path);
  if (fd < 0) return absl::InternalError("cannot make a temporary file");
  close(fd);
  absl::StatusOr<Process> process =
      Process::Start({.command = command, .log = path, .environment = {}, .nice = 0});
  absl::StatusOr<std::string> output = std::string();
  if (process.ok()) {
    const std::optional<int> code = process->Wait(absl::Minutes(10));
    output = ReadFile(path);
    if (output.ok() && code != 0) {
      output = absl::FailedPreconditionError(
          absl::StrCat(command[0], " failed with exit code ", code.value_or(-1), ": ", LastLines(path, 3)));
    }
  } else {
    output = process.status();
  }
  unlink(path);
  return output;
}

std::string LastLines(const std::string& path, int count) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return "";
  size_t begin = text->size();
  while (begin > 0 && (*text)[begin - 1] == '\n') --begin;
  while (begin > 0) {
    if ((*text)[begin - 1] == '\n' && --count == 0) break;
    --begin;
  }
  return text->substr(begin);
}

std::string BinaryFolder() {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  const std::string text(path, size > 0 ? static_cast<size_t>(size) : 0);
  return text.substr(0, text.rfind('/'));
}

}  // namespace lvrpo
