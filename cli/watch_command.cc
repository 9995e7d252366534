#include "cli/watch_command.h"

#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "cli/status_command.h"
#include "common/json/json_text.h"

namespace lvrpo {
namespace {

// A coordinator that is restarted is away for a moment.
constexpr int kStoppedLooks = 10;
constexpr char kClearScreen[] = "\033[H\033[J";

// What a look has in common with one that need not be told again.
std::string KeyOf(const nlohmann::json& status) {
  const nlohmann::json none;
  const auto of = [&](const char* name) { return JsonText(status.contains(name) ? status[name] : none); };
  return absl::StrCat(of("state"), of("step"), of("waiting_for"), of("heldout"));
}

}  // namespace

std::string StatusWatch::Look(const absl::StatusOr<nlohmann::json>& status) {
  const std::string state = status.ok() ? status->value("state", "") : "";
  stopped_ = state == "stopped" ? stopped_ + 1 : 0;
  ended_ = state == "finished" || stopped_ >= kStoppedLooks;
  if (form_ == Form::kScreen) {
    return absl::StrCat(kClearScreen,
                        status.ok() ? FormatStatus(*status) : absl::StrCat(status.status().message(), "\n"));
  }
  const std::string key = status.ok() ? KeyOf(*status) : std::string(status.status().message());
  if (key == shown_) return "";
  shown_ = key;
  if (form_ == Form::kJson) {
    return JsonText(status.ok() ? *status : nlohmann::json{{"state", "unknown"}, {"error", key}}) + "\n";
  }
  if (!status.ok()) return key + "\n";
  const std::string text = FormatStatus(*status);
  return text.substr(0, text.find('\n') + 1);
}

absl::Status WatchStatus(const std::string& run_dir, const std::string& coordinator, bool json,
                         const ShutdownSignal& shutdown, absl::Duration every) {
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  StatusWatch watch(json       ? StatusWatch::Form::kJson
                    : terminal ? StatusWatch::Form::kScreen
                               : StatusWatch::Form::kLines);
  for (bool first = true; !shutdown.requested(); first = false) {
    const absl::StatusOr<nlohmann::json> status = LookAtRun(run_dir, coordinator);
    if (first && !status.ok()) return status.status();
    std::printf("%s", watch.Look(status).c_str());
    std::fflush(stdout);
    if (watch.ended()) break;
    shutdown.WaitFor(every);
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
