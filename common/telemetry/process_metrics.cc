#include "common/telemetry/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/telemetry/metrics.h"

namespace lvrpo {
namespace {

// The words of a file of /proc from its first `)` on, which ends a program's name, or from its begin.
std::vector<std::string> WordsOf(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return {};
  const size_t name = text->rfind(')');
  return absl::StrSplit(name == std::string::npos ? *text : text->substr(name + 1), absl::ByAnyChar(" \n"),
                        absl::SkipEmpty());
}

double NumberOf(const std::vector<std::string>& words, size_t place) {
  double number = 0;
  return place < words.size() && absl::SimpleAtod(words[place], &number) ? number : 0;
}

double SecondsOf(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Seconds since 1970 at which the machine started.
double BootTime() {
  const absl::StatusOr<std::string> text = ReadFile("/proc/stat");
  if (!text.ok()) return 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    double seconds = 0;
    if (absl::StartsWith(line, "btime ") && absl::SimpleAtod(line.substr(6), &seconds)) return seconds;
  }
  return 0;
}

// Seconds since 1970 at which this process started; 0 when it is not known.
double StartTime() {
  constexpr size_t kStartTicks = 19;  // proc(5), stat (22), counted from the state on
  const double ticks = NumberOf(WordsOf("/proc/self/stat"), kStartTicks), boot = BootTime();
  return boot > 0 ? boot + ticks / static_cast<double>(sysconf(_SC_CLK_TCK)) : 0;
}

}  // namespace

void RefreshProcessMetrics(Metrics& metrics) {
  static const double start = StartTime();
  if (start > 0) metrics.Gauge("process_start_time_seconds").Set(start);
  rusage usage = {};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    prometheus::Counter& seconds = metrics.Counter("process_cpu_seconds_total");
    const double more = SecondsOf(usage.ru_utime) + SecondsOf(usage.ru_stime) - seconds.Value();
    if (more > 0) seconds.Increment(more);
  }
  if (const double pages = NumberOf(WordsOf("/proc/self/statm"), 1); pages > 0)
    metrics.Gauge("process_resident_memory_bytes").Set(pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
  if (const auto open = ListFolder("/proc/self/fd"); open.ok())
    metrics.Gauge("process_open_fds").Set(static_cast<double>(open->size()));
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
    metrics.Gauge("process_max_fds").Set(static_cast<double>(limit.rlim_cur));
}

}  // namespace lvrpo
