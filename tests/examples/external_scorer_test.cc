// The example's two servers, asked by the reward server's own code.

#include "reward_server/remote/external_scorer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/local/process.h"
#include "data/image/png.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reward_server/remote/external_scorer_client.h"
#include "reward_server/remote/json_scorer.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

constexpr char kPython[] = "/usr/bin/python3";  // Debian's, which Debian's grpcio is for
constexpr char kExample[] = LVRPO_SOURCE_DIR "/examples/external_scorer/";

class ExampleTest : public ::testing::TestWithParam<bool> {
 protected:
  static bool UseHttp() { return GetParam(); }

  void SetUp() override {
    std::vector<std::string> command = {kPython, "-B", absl::StrCat(kExample, "serve_http.py"), "--listen",
                                        "127.0.0.1:0"};
    if (!UseHttp()) {
      const auto made = Capture({absl::StrCat(kExample, "make_stubs.sh"), folder_ / "stubs"});
      ASSERT_TRUE(made.ok()) << made.status();
      command[2] = absl::StrCat(kExample, "serve_grpc.py");
      command.insert(command.end(), {"--stubs", folder_ / "stubs"});
    }
    // What it prints comes through a pipe with a name.
    const std::string pipe = folder_ / "output";
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    const int end = open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ASSERT_GE(end, 0);
    auto server = Process::Start({.command = command, .log = pipe, .environment = {}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    ASSERT_EQ(fcntl(end, F_SETFL, 0), 0);  // reading waits from here on
    output_ = fdopen(end, "r");
    ASSERT_NE(output_, nullptr);
    std::string said;
    char line[1000];
    while (address_.empty() && std::fgets(line, sizeof(line), output_) != nullptr) {
      absl::string_view words = line;
      if (absl::ConsumePrefix(&words, "listening on "))
        address_ = std::string(absl::StripSuffix(words, "\n"));
      said += line;
    }
    ASSERT_NE(address_, "") << said;
    if (UseHttp()) address_ = "http://" + address_;
  }

  // Told to end, it does.
  void TearDown() override {
    if (server_.has_value()) {
      server_->Signal(SIGTERM);
      const auto code = server_->Wait(absl::Seconds(30));
      EXPECT_EQ(code, 0);
      if (!code.has_value()) server_->Signal(SIGKILL);
    }
    if (output_ != nullptr) std::fclose(output_);
  }

  const TemporaryFolder folder_;
  std::string address_;
  std::optional<Process> server_;
  std::FILE* output_ = nullptr;
};

TEST_P(ExampleTest, ScoresImagesAndTexts) {
  v1::ExternalScorerConfig config;
  config.set_name("simplicity");
  config.set_address(address_);
  config.set_task("both");
  const auto scorer = ExternalScorer::Create(config, LinkOptions());
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  EXPECT_EQ((*scorer)->digest(), "external/simplicity/simplicity/1");

  ScoringGroup images;
  images.prompt.set_id("p");
  images.prompt.set_task(v1::TASK_KIND_IMAGE);
  images.prompt.set_text("a red circle");
  RgbImage plain = {.width = 64, .height = 32, .pixels = std::vector<uint8_t>(64 * 32 * 3, 200)};
  RgbImage busy = plain;
  uint32_t state = 1;
  for (uint8_t& value : busy.pixels)
    value = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  images.images = {plain, busy};
  const auto scores = (*scorer)->ScoreGroup(images);
  ASSERT_TRUE(scores.ok()) << scores.status();
  ASSERT_EQ(scores->size(), 2u);
  const size_t bytes = EncodePng(plain)->size();
  EXPECT_NEAR((*scores)[0].value, 1 - static_cast<double>(bytes) / (3 * 64 * 32), 1e-6);
  EXPECT_EQ((*scores)[0].detail, absl::StrCat(bytes, " bytes for 64 x 32 pixels"));
  EXPECT_EQ((*scores)[1].value, 0);

  ScoringGroup texts;
  texts.prompt.set_id("q");
  texts.prompt.set_task(v1::TASK_KIND_TEXT);
  std::string forty;
  for (int i = 0; i < 40; ++i) forty += "word ";
  texts.texts = {"two words", "", forty};
  const auto answers = (*scorer)->ScoreGroup(texts);
  ASSERT_TRUE(answers.ok()) << answers.status();
  EXPECT_EQ((*answers)[0].value, 1);
  EXPECT_EQ((*answers)[1].value, 1);
  EXPECT_EQ((*answers)[2].value, .5);  // 20 words of 40
}

TEST_P(ExampleTest, RefusesWhatNobodyCanScore) {
  const auto link = UseHttp() ? MakeJsonLink(address_, {}) : MakeGrpcLink(address_, {});
  v1::ScoreSamplesRequest request;
  request.mutable_prompt()->set_task(v1::TASK_KIND_IMAGE);
  request.add_samples()->set_png("nonsense");
  const absl::Status status = link->ScoreSamples(request).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("this is no PNG"));
}

INSTANTIATE_TEST_SUITE_P(Servers, ExampleTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Http" : "Grpc"; });

}  // namespace
}  // namespace lvrpo
