#include "cli/local/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"

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
  signal(SIGCHLD, SIG_DFL);  // where it was ignored, nobody could wait for a child
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
    const int output = options.output >= 0 ? options.output : log;
    const int errors = options.errors >= 0 ? options.errors : log;
    if (output >= 0) dup2(output, STDOUT_FILENO);
    if (errors >= 0) dup2(errors, STDERR_FILENO);
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

namespace {

// Both ends of a pipe.
class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_, O_CLOEXEC) != 0) ends_[0] = ends_[1] = -1;
  }
  ~Pipe() {
    CloseWriter();
    if (ends_[0] >= 0) close(ends_[0]);
  }
  Pipe(const Pipe&) = delete;
  bool ok() const { return ends_[0] >= 0; }
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void CloseWriter() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  int ends_[2];
};

// Reads both pipes until both are closed; false: `deadline` passed. Keeps only the end of the second text.
bool ReadBoth(const Pipe& first, const Pipe& second, absl::Time deadline, std::string& all,
              std::string& end) {
  constexpr size_t kKept = 4096;
  pollfd waits[2] = {{.fd = first.reader(), .events = POLLIN, .revents = 0},
                     {.fd = second.reader(), .events = POLLIN, .revents = 0}};
  while (waits[0].fd >= 0 || waits[1].fd >= 0) {
    const absl::Duration left = deadline - RealClock().Now();
    if (left <= absl::ZeroDuration()) return false;
    const auto milliseconds = std::clamp<int64_t>(absl::ToInt64Milliseconds(left), 1, 1000);
    if (poll(waits, 2, static_cast<int>(milliseconds)) <= 0) continue;
    for (pollfd& wait : waits) {
      if (wait.fd < 0 || wait.revents == 0) continue;
      char buffer[8192];
      const ssize_t got = read(wait.fd, buffer, sizeof(buffer));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        wait.fd = -1;
      } else if (&wait == &waits[0]) {
        all.append(buffer, static_cast<size_t>(got));
      } else {
        end.append(buffer, static_cast<size_t>(got));
        if (end.size() > 2 * kKept) end.erase(0, end.size() - kKept);
      }
    }
  }
  return true;
}

}  // namespace

absl::StatusOr<std::string> Capture(const std::vector<std::string>& command, absl::Duration patience) {
  Pipe output, errors;
  if (!output.ok() || !errors.ok())
    return absl::ResourceExhaustedError(absl::StrCat("cannot make a pipe: ", std::strerror(errno)));
  absl::StatusOr<Process> process = Process::Start({.command = command,
                                                    .log = "",
                                                    .output = output.writer(),
                                                    .errors = errors.writer(),
                                                    .environment = {},
                                                    .nice = 0});
  if (!process.ok()) return process.status();
  output.CloseWriter();
  errors.CloseWriter();
  const absl::Time deadline = RealClock().Now() + patience;
  std::string text, said;
  const bool whole = ReadBoth(output, errors, deadline, text, said);
  const std::optional<int> code = process->Wait(whole ? deadline - RealClock().Now() : absl::ZeroDuration());
  if (!code.has_value()) {
    process->Signal(SIGKILL);
    process->Wait(absl::Seconds(2));
    return absl::DeadlineExceededError(
        absl::StrCat(command[0], " did not end within ", absl::FormatDuration(patience)));
  }
  if (code == 0) return text;
  const std::string words(absl::StripTrailingAsciiWhitespace(LastLinesOf(said.empty() ? text : said, 3)));
  // One of our programs that says what is wrong with the data.
  const std::string name = FileName(command[0]) + ": ";
  if (code == kExitData && absl::StartsWith(words, name))
    return absl::DataLossError(words.substr(name.size()));
  return absl::FailedPreconditionError(
      absl::StrCat(command[0], " failed with exit code ", *code, ": ", words));
}

std::string LastLinesOf(absl::string_view text, int count) {
  size_t begin = text.size();
  while (begin > 0 && text[begin - 1] == '\n') --begin;
  while (begin > 0) {
    if (text[begin - 1] == '\n' && --count == 0) break;
    --begin;
  }
  return std::string(text.substr(begin));
}

std::string LastLines(const std::string& path, int count) {
  return LastLinesOf(ReadFile(path).value_or(""), count);
}

std::string LastMessage(const std::string& path, int count) {
  constexpr int kMostOfMessage = 25;  // more than data/prompts/line_errors.h gives
  const std::string text = ReadFile(path).value_or("");
  // A program's last message begins with its name and may have several lines.
  size_t message = text.rfind("\nlvrpo");
  if (message == std::string::npos) message = absl::StartsWith(text, "lvrpo") ? 0 : text.size();
  const std::string words(absl::StripAsciiWhitespace(text.substr(message)));
  const auto lines = 1 + static_cast<int>(std::count(words.begin(), words.end(), '\n'));
  return LastLinesOf(text, std::max(count, std::min(lines, kMostOfMessage)));
}

}  // namespace lvrpo
