#include "cli/doctor/machine.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace lvrpo {
namespace {

constexpr double kSlowWrite = .05, kTooSlowWrite = 1;  // seconds: the coordinator does one for each group
constexpr double kEarliest = 1704067200, kLatest = 4102444800;  // 2024 and 2100
constexpr double kApart = 5;                                    // seconds between two machines' clocks
constexpr int64_t kFewFiles = 1024, kEnoughFiles = 8192;

std::string InGigabytes(int64_t bytes) {
  return absl::StrFormat("%.1f GB", static_cast<double>(bytes) / 1e9);
}

Check CheckWriteTime(const FolderFacts& facts) {
  std::vector<double> seconds = facts.write_seconds;
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  const std::string what =
      absl::StrFormat("a durable write takes %.1f ms (at most %.1f ms)", 1e3 * median, 1e3 * seconds.back());
  const std::string to_do = absl::StrCat(
      "put the run folder on a local disk: the coordinator writes durably for each "
      "group and step, and ",
      facts.path, " is too slow for many of them");
  if (median > kTooSlowWrite) return Failure("disk speed", what, to_do);
  return median > kSlowWrite ? Warning("disk speed", what, to_do) : Ok("disk speed", what);
}

Check CheckSpace(const FolderFacts& facts) {
  const std::string free = absl::StrCat(InGigabytes(facts.free_bytes), " free");
  if (facts.needed_bytes == 0) return Ok("disk space", free);
  const std::string what = absl::StrCat(free, ", about ", InGigabytes(facts.needed_bytes), " needed");
  if (facts.free_bytes >= facts.needed_bytes) return Ok("disk space", what);
  return Failure("disk space", what,
                 "free space, enlarge the volume, or keep fewer checkpoints (checkpoints.kept.last)");
}

}  // namespace

std::vector<Check> CheckFolder(const FolderFacts& facts) {
  if (!facts.problem.empty()) {
    return {
        Failure("run folder", facts.problem,
                "mount a volume that this user may write (fsGroup of the pod), or name another --run-dir")};
  }
  std::vector<Check> checks = {facts.in_memory
                                   ? Warning("run folder", absl::StrCat(facts.path, " is in memory"),
                                             "use a disk or a volume: records and checkpoints are lost with "
                                             "the machine or the pod")
                                   : Ok("run folder", absl::StrCat(facts.path, " can be written"))};
  if (!facts.write_seconds.empty()) checks.push_back(CheckWriteTime(facts));
  checks.push_back(CheckSpace(facts));
  return checks;
}

std::vector<Check> CheckClock(const ClockFacts& facts) {
  std::vector<Check> checks;
  if (facts.unix_seconds < kEarliest || facts.unix_seconds > kLatest) {
    checks.push_back(
        Failure("clock", absl::StrFormat("it is %.0f seconds after 1970, it says", facts.unix_seconds),
                "set the time (chrony, systemd-timesyncd): certificates and object stores refuse it"));
  } else if (std::abs(facts.wall_seconds - facts.steady_seconds) > .05) {
    checks.push_back(Warning("clock",
                             absl::StrFormat("it was moved by %.2f s while this looked",
                                             facts.wall_seconds - facts.steady_seconds),
                             "let a time service slew the clock instead of stepping it"));
  } else {
    checks.push_back(Ok("clock", "plausible and steady"));
  }
  if (facts.ahead_of_coordinator.has_value()) {
    const std::string what = absl::StrFormat("%+.1f s from the coordinator's", *facts.ahead_of_coordinator);
    checks.push_back(std::abs(*facts.ahead_of_coordinator) > kApart
                         ? Warning("clock offset", what,
                                   "synchronise the clocks: log lines of the two do not fit together")
                         : Ok("clock offset", what));
  }
  return checks;
}

Check CheckLimits(const LimitFacts& facts) {
  const std::string what = absl::StrCat(facts.files, " open files allowed");
  const char* to_do =
      "raise it: ulimit -n 65536, LimitNOFILE of the service, or the container runtime's default";
  if (facts.files < kFewFiles) return Failure("open files", what, to_do);
  if (facts.many_connections && facts.files < kEnoughFiles) return Warning("open files", what, to_do);
  return Ok("open files", what);
}

Check CheckMemory(const MemoryFacts& facts) {
  if (!facts.limit.has_value())
    return Warning("memory", "how much there is cannot be read", "look at it yourself");
  const std::string there = absl::StrCat(InGigabytes(*facts.limit), " for this process");
  if (!facts.needed.has_value()) return Ok("memory", there);
  const std::string what =
      absl::StrCat(there, ", ", InGigabytes(*facts.needed), " needed: ", facts.what_needs);
  if (*facts.needed <= *facts.limit) return Ok("memory", what);
  return Failure(
      "memory", what,
      "raise the limit, shard the learner (learner.sharded, more ranks), or choose a smaller model; `lvrpo "
      "plan` shows the parts");
}

std::vector<Check> CheckCpu(const CpuFacts& facts) {
  const double usable = facts.quota.has_value() ? std::min<double>(facts.cores, *facts.quota) : facts.cores;
  std::string what = absl::StrFormat("%d cores", facts.cores);
  if (facts.quota.has_value())
    absl::StrAppendFormat(&what, ", %.1f by the control group's quota", *facts.quota);
  std::vector<Check> checks;
  if (facts.threads > 0 && facts.threads > std::ceil(usable)) {
    checks.push_back(
        Warning("cores", absl::StrCat(what, ", and ", facts.threads, " threads in the settings"),
                "give the pod as many CPUs as threads, or lower --threads: threads that share a core "
                "wait for each other at every step"));
  } else {
    checks.push_back(Ok("cores", what));
  }
  const std::string features = absl::StrCat(facts.avx2 ? "AVX2" : "no AVX2", facts.avx512 ? ", AVX-512" : "",
                                            facts.amx ? ", AMX" : "");
  checks.push_back(facts.avx2
                       ? Ok("instructions", features)
                       : Warning("instructions", features,
                                 "use a newer processor or GPUs: without AVX2 everything takes several times "
                                 "as long"));
  return checks;
}

std::optional<double> ParseCpuMax(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  double quota = 0, period = 0;
  if (parts.size() != 2 || !absl::SimpleAtod(parts[0], &quota) || !absl::SimpleAtod(parts[1], &period) ||
      !(quota > 0) || !(period > 0) || !std::isfinite(quota / period)) {
    return std::nullopt;
  }
  return quota / period;
}

}  // namespace lvrpo
