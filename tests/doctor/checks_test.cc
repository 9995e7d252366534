#include "cli/doctor/check.h"
#include "cli/doctor/machine.h"
#include "cli/doctor/places.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Level = Check::Level;

std::vector<Level> LevelsOf(const std::vector<Check>& checks) {
  std::vector<Level> levels;
  for (const Check& check : checks) {
    levels.push_back(check.level);
    EXPECT_EQ(check.level == Level::kOk, check.to_do.empty()) << check.what;
  }
  return levels;
}

TEST(CheckFolder, OfDisks) {
  const std::vector<double> fast(8, .001), slow(8, .2), stuck(8, 2.);
  struct {
    FolderFacts facts;
    std::vector<Level> levels;
  } cases[] = {
      {{.path = "/run", .write_seconds = fast, .free_bytes = 100, .needed_bytes = 100},
       {Level::kOk, Level::kOk, Level::kOk}},
      {{.path = "/run", .write_seconds = slow, .free_bytes = 100}, {Level::kOk, Level::kWarning, Level::kOk}},
      {{.path = "/run", .write_seconds = stuck, .free_bytes = 100, .needed_bytes = 101},
       {Level::kOk, Level::kFailure, Level::kFailure}},
      {{.path = "/run", .write_seconds = fast, .free_bytes = 1, .in_memory = true},
       {Level::kWarning, Level::kOk, Level::kOk}},
      {{.path = "/run", .problem = "cannot write /run: read-only"}, {Level::kFailure}},
  };
  for (const auto& c : cases) EXPECT_EQ(LevelsOf(CheckFolder(c.facts)), c.levels);
}

TEST(CheckClock, OfClocks) {
  struct {
    ClockFacts facts;
    std::vector<Level> levels;
  } cases[] = {
      {{.unix_seconds = 1796000000, .wall_seconds = .1, .steady_seconds = .1}, {Level::kOk}},
      {{.unix_seconds = 0, .wall_seconds = .1, .steady_seconds = .1}, {Level::kFailure}},
      {{.unix_seconds = 1796000000, .wall_seconds = -3, .steady_seconds = .1}, {Level::kWarning}},
      {{.unix_seconds = 1796000000, .wall_seconds = .1, .steady_seconds = .1, .ahead_of_coordinator = 1},
       {Level::kOk, Level::kOk}},
      {{.unix_seconds = 1796000000, .wall_seconds = .1, .steady_seconds = .1, .ahead_of_coordinator = -90},
       {Level::kOk, Level::kWarning}},
  };
  for (const auto& c : cases) EXPECT_EQ(LevelsOf(CheckClock(c.facts)), c.levels) << c.facts.unix_seconds;
}

TEST(CheckLimits, OfOpenFiles) {
  EXPECT_EQ(CheckLimits({.files = 256, .many_connections = false}).level, Level::kFailure);
  EXPECT_EQ(CheckLimits({.files = 1024, .many_connections = true}).level, Level::kWarning);
  EXPECT_EQ(CheckLimits({.files = 1024, .many_connections = false}).level, Level::kOk);
  EXPECT_EQ(CheckLimits({.files = 65536, .many_connections = true}).level, Level::kOk);
}

TEST(CheckMemory, AgainstThePlan) {
  EXPECT_EQ(CheckMemory({.limit = 10, .needed = 11, .what_needs = "a learner"}).level, Level::kFailure);
  EXPECT_EQ(CheckMemory({.limit = 11, .needed = 11, .what_needs = "a learner"}).level, Level::kOk);
  EXPECT_EQ(CheckMemory({.limit = 11, .needed = std::nullopt, .what_needs = ""}).level, Level::kOk);
  EXPECT_EQ(CheckMemory({.limit = std::nullopt, .needed = 1, .what_needs = ""}).level, Level::kWarning);
}

TEST(CheckCpu, AgainstThreads) {
  EXPECT_THAT(LevelsOf(CheckCpu({.cores = 8, .quota = {}, .threads = 8, .avx2 = true})),
              ElementsAre(Level::kOk, Level::kOk));
  EXPECT_THAT(LevelsOf(CheckCpu({.cores = 8, .quota = 1.5, .threads = 4, .avx2 = false})),
              ElementsAre(Level::kWarning, Level::kWarning));
  EXPECT_THAT(LevelsOf(CheckCpu({.cores = 8, .quota = 1.5, .threads = 2, .avx2 = true})),
              ElementsAre(Level::kOk, Level::kOk));
}

TEST(ParseCpuMax, OfControlGroups) {
  EXPECT_EQ(ParseCpuMax("150000 100000\n"), 1.5);
  for (const char* none : {"max 100000", "", "1", "0 0", "-1 100000", "1 0", "nan nan", "1 2 3"})
    EXPECT_EQ(ParseCpuMax(none), std::nullopt) << none;
}

TEST(HostPortOfUrl, WithAndWithoutPort) {
  EXPECT_EQ(HostPortOfUrl("https://api.example.com/v1")->ToString(), "api.example.com:443");
  EXPECT_EQ(HostPortOfUrl("http://user@vllm:8000/v1?x=@")->ToString(), "vllm:8000");
  EXPECT_EQ(HostPortOfUrl("http://[::1]")->ToString(), "[::1]:80");
  EXPECT_EQ(HostPortOfUrl("http://[::1]:9/")->ToString(), "[::1]:9");
  for (const char* wrong : {"", "vllm:8000", "http://", "http://a:b/", "https://a b/"})
    EXPECT_FALSE(HostPortOfUrl(wrong).ok()) << wrong;
}

TEST(PlacesOf, ThoseOfTheRole) {
  v1::RunConfig config;
  config.mutable_reward()->mutable_vqa_endpoint()->set_url("http://vllm:8000/v1");
  config.mutable_reward()->set_detector("/models/owlv2");
  config.mutable_reward()->add_external()->set_address("scorer:7000");
  config.mutable_checkpoints()->set_store("s3://bucket/prefix");
  config.mutable_checkpoints()->set_region("eu-central-1");
  const auto of = [&](const char* role) {
    std::string all;
    for (const Place& place : PlacesOf(config, role)) all += place.where.ToString() + " ";
    return all;
  };
  EXPECT_EQ(of("reward"), "vllm:8000 scorer:7000 ");
  EXPECT_EQ(of("learner"), "s3.eu-central-1.amazonaws.com:443 ");
  EXPECT_EQ(of("rollout"), "");
  EXPECT_EQ(of(""), "vllm:8000 scorer:7000 s3.eu-central-1.amazonaws.com:443 ");
}

TEST(CheckKeys, ThatAreNotSet) {
  v1::RunConfig config;
  config.mutable_reward()->mutable_vqa_endpoint()->set_url("http://vllm:8000/v1");
  EXPECT_TRUE(CheckKeys(config, "reward").empty());
  config.mutable_reward()->mutable_vqa_endpoint()->set_api_key_variable("LVRPO_TEST_NO_SUCH_KEY");
  EXPECT_THAT(LevelsOf(CheckKeys(config, "reward")), ElementsAre(Level::kFailure));
  EXPECT_TRUE(CheckKeys(config, "learner").empty());
  config.mutable_reward()->mutable_vqa_endpoint()->set_api_key_variable("PATH");
  EXPECT_THAT(LevelsOf(CheckKeys(config, "reward")), ElementsAre(Level::kOk));
}

TEST(Checks, AreALineEachAndAnExitCode) {
  const Check ok = Ok("clock", "steady"), warning = Warning("cores", "2 cores", "more");
  const Check machine = Failure("disk", "full", "free space");
  const Check reach = Failure("reach", "nobody", "start it", Check::About::kReach);
  const Check config = Failure("prompts", "none", "add some", Check::About::kConfiguration);
  const std::string text = FormatChecks({ok, warning, machine});
  EXPECT_THAT(text, HasSubstr("ok    clock              steady\n"));
  EXPECT_THAT(text, HasSubstr("FAIL  disk               full\n"));
  EXPECT_THAT(text, HasSubstr("-> free space\n"));
  EXPECT_THAT(text, HasSubstr("3 checks: 1 failed, 1 warnings\n"));
  EXPECT_EQ(ExitCodeOf({ok, warning}), 0);
  EXPECT_EQ(ExitCodeOf({ok, reach}), 69);
  EXPECT_EQ(ExitCodeOf({reach, machine}), 65);
  EXPECT_EQ(ExitCodeOf({reach, machine, config}), 64);
  EXPECT_EQ(ChecksJson({ok, machine})["checks"][1]["level"], "FAIL");
}

}  // namespace
}  // namespace lvrpo
