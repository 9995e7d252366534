#include "common/telemetry/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "absl/base/const_init.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/files/file_kind.h"
#include "common/json/json_text.h"
#include "common/telemetry/log_group.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

bool g_json = false;
ABSL_CONST_INIT absl::Mutex g_run_mutex(absl::kConstInit);
std::string& RunOfProcess() {
  static auto* run = new std::string();
  return *run;
}

class JsonFormatter : public spdlog::formatter {
 public:
  JsonFormatter(std::string role, std::string member) : role_(std::move(role)), member_(std::move(member)) {}
  // On the thread that logs.
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto micros =
        std::chrono::duration_cast<std::chrono::microseconds>(message.time.time_since_epoch()).count();
    const auto level = spdlog::level::to_string_view(message.level);
    const std::string text =
        JsonLine(static_cast<double>(micros) / 1e6, std::string(level.data(), level.size()), role_, member_,
                 std::string(message.payload.data(), message.payload.size())) +
        "\n";
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>(role_, member_);
  }

 private:
  const std::string role_, member_;
};

}  // namespace

std::string JsonLine(double unix_seconds, const std::string& level, const std::string& role,
                     const std::string& member, const std::string& message) {
  nlohmann::json line = {
      {"ts", unix_seconds}, {"level", level}, {"role", role}, {"member", member}, {"msg", message}};
  std::string run = LogRun();
  if (const GroupId* group = LogGroup::Current(); group != nullptr) {
    if (run.empty()) run = group->run;
    line["group"] = absl::StrCat(group->ordinal, "/", group->attempt);
    if (const std::string trace = TraceIdOf(*group); !trace.empty()) line["trace"] = trace;
  }
  if (!run.empty()) line["run"] = run;
  return JsonText(line);
}

void InitLogging(const std::string& role, const std::string& member) {
  spdlog::sink_ptr sink;
  if (isatty(STDERR_FILENO) && std::getenv("NO_COLOR") == nullptr) {
    sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  } else {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  }
  auto logger = std::make_shared<spdlog::logger>(member, sink);
  const char* form = std::getenv("LVRPO_LOG");
  if (form != nullptr && std::string(form) == "json") {
    logger->set_formatter(std::make_unique<JsonFormatter>(role, member));
    g_json = true;
  } else {
    logger->set_pattern("%H:%M:%S.%e %^%-5l%$ [%n] %v");
  }
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(logger);
  if (form != nullptr && !g_json && *form != '\0' && std::string(form) != "text")
    spdlog::warn("LVRPO_LOG={} is neither text nor json: this is text", OneLine(form));
  const char* word = std::getenv("LVRPO_LOG_LEVEL");
  const spdlog::level::level_enum level =
      word == nullptr || *word == '\0' ? spdlog::level::info : spdlog::level::from_str(word);
  if (level == spdlog::level::off && std::string(word) != "off") {  // what from_str makes of other words
    spdlog::warn("LVRPO_LOG_LEVEL={} is not debug, info, warn or error: it is info", OneLine(word));
  } else {
    logger->set_level(level);
  }
}

bool LogsAreJson() { return g_json; }

void SetLogRun(const std::string& run_id) {
  absl::MutexLock lock(&g_run_mutex);
  RunOfProcess() = run_id;
}

std::string LogRun() {
  absl::MutexLock lock(&g_run_mutex);
  return RunOfProcess();
}

}  // namespace lvrpo
