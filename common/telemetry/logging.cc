#include "common/telemetry/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "common/json/json_text.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

bool g_json = false;

class JsonFormatter : public spdlog::formatter {
 public:
  explicit JsonFormatter(std::string member) : member_(std::move(member)) {}
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto micros =
        std::chrono::duration_cast<std::chrono::microseconds>(message.time.time_since_epoch()).count();
    const auto level = spdlog::level::to_string_view(message.level);
    const nlohmann::json line = {{"ts", static_cast<double>(micros) / 1e6},
                                 {"level", std::string(level.data(), level.size())},
                                 {"member", member_},
                                 {"msg", std::string(message.payload.data(), message.payload.size())}};
    const std::string text = JsonText(line) + "\n";
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>(member_);
  }

 private:
  const std::string member_;
};

}  // namespace

void InitLogging(const std::string& member, const std::string& file) {
  std::vector<spdlog::sink_ptr> sinks;
  if (isatty(STDERR_FILENO) && std::getenv("NO_COLOR") == nullptr) {
    sinks.push_back(std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  } else {
    sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  }
  std::string problem;
  if (!file.empty()) {
    try {
      sinks.push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(file));
    } catch (const spdlog::spdlog_ex& error) {
      problem = error.what();
    }
  }
  auto logger = std::make_shared<spdlog::logger>(member, sinks.begin(), sinks.end());
  const char* form = std::getenv("LVRPO_LOG");
  if (form != nullptr && std::string(form) == "json") {
    logger->set_formatter(std::make_unique<JsonFormatter>(member));
    g_json = true;
  } else {
    logger->set_pattern("%H:%M:%S.%e %^%-5l%$ [%n] %v");
  }
  const char* level = std::getenv("LVRPO_LOG_LEVEL");
  logger->set_level(level == nullptr ? spdlog::level::info : spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(logger);
  if (!problem.empty()) spdlog::warn("no log file: {}", problem);
}

bool LogsAreJson() { return g_json; }

}  // namespace lvrpo
