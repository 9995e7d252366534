#include "common/telemetry/logging.h"

#include <cstdlib>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What a process with this environment logs when it starts and says "begun" at level info.
std::string Logged(const char* variable, const char* value) {
  const std::shared_ptr<spdlog::logger> before = spdlog::default_logger();
  setenv(variable, value, 1);
  ::testing::internal::CaptureStderr();
  InitLogging("learner", "learner-0");
  spdlog::info("begun");
  unsetenv(variable);
  spdlog::set_default_logger(before);
  return ::testing::internal::GetCapturedStderr();
}

TEST(Logging, WordsThatItDoesNotKnowAreSaidAndSilenceNothing) {
  EXPECT_THAT(Logged("LVRPO_LOG_LEVEL", "loud"), HasSubstr("LVRPO_LOG_LEVEL=loud is not debug"));
  EXPECT_THAT(Logged("LVRPO_LOG_LEVEL", "loud"), HasSubstr("begun"));
  EXPECT_THAT(Logged("LVRPO_LOG", "xml"), HasSubstr("LVRPO_LOG=xml is neither text nor json"));
  for (const char* level : {"error", "warn", "off"})
    EXPECT_THAT(Logged("LVRPO_LOG_LEVEL", level), IsEmpty()) << level;
  for (const char* level : {"", "info", "debug"})
    EXPECT_EQ(Logged("LVRPO_LOG_LEVEL", level).find("LVRPO"), std::string::npos) << level;
}

}  // namespace
}  // namespace lvrpo
