#include "cli/doctor/check.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/exit_code.h"

namespace lvrpo {
namespace {

const char* WordOf(Check::Level level) {
  return level == Check::Level::kOk ? "ok" : (level == Check::Level::kWarning ? "warn" : "FAIL");
}

}  // namespace

Check Ok(std::string name, std::string what) {
  return {.name = std::move(name), .level = Check::Level::kOk, .what = std::move(what)};
}

Check Warning(std::string name, std::string what, std::string to_do) {
  return {.name = std::move(name),
          .level = Check::Level::kWarning,
          .what = std::move(what),
          .to_do = std::move(to_do)};
}

Check Failure(std::string name, std::string what, std::string to_do, Check::About about) {
  return {.name = std::move(name),
          .level = Check::Level::kFailure,
          .what = std::move(what),
          .to_do = std::move(to_do),
          .about = about};
}

std::string FormatChecks(const std::vector<Check>& checks) {
  std::string text;
  int64_t failures = 0, warnings = 0;
  for (const Check& check : checks) {
    absl::StrAppendFormat(&text, "%-4s  %-18s %s\n", WordOf(check.level), check.name, check.what);
    if (!check.to_do.empty()) absl::StrAppendFormat(&text, "%24s %s\n", "->", check.to_do);
    failures += check.level == Check::Level::kFailure;
    warnings += check.level == Check::Level::kWarning;
  }
  absl::StrAppend(&text, checks.size(), " checks: ", failures, " failed, ", warnings, " warnings\n");
  return text;
}

nlohmann::json ChecksJson(const std::vector<Check>& checks) {
  nlohmann::json list = nlohmann::json::array();
  for (const Check& check : checks) {
    list.push_back({{"check", check.name},
                    {"level", WordOf(check.level)},
                    {"what", check.what},
                    {"to_do", check.to_do}});
  }
  return {{"checks", list}, {"exit_code", ExitCodeOf(checks)}};
}

int ExitCodeOf(const std::vector<Check>& checks) {
  const auto failed = [&](Check::About about) {
    return std::any_of(checks.begin(), checks.end(), [&](const Check& check) {
      return check.level == Check::Level::kFailure && check.about == about;
    });
  };
  if (failed(Check::About::kConfiguration)) return kExitConfig;
  if (failed(Check::About::kMachine)) return kExitData;
  return failed(Check::About::kReach) ? kExitUnavailable : kExitDone;
}

}  // namespace lvrpo
