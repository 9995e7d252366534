// Checks of held-out records before anything is evaluated.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/config/config.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "data/image/png.h"
#include "evaluation/evaluator.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class HeldOut : public ::testing::Test {
 protected:
  static const EvaluatedPolicy& Policy() {
    static const EvaluatedPolicy* const policy = new EvaluatedPolicy(*LoadEvaluatedPolicy(Config(), ""));
    return *policy;
  }
  static const v1::RunConfig& Config() {
    static const v1::RunConfig* const config =
        new v1::RunConfig(LoadRunConfig("configs/shapes.yaml", {})->config);
    return *config;
  }

  void Picture(const std::string& name, int width, int height) const {
    const RgbImage image{width, height, std::vector<uint8_t>(static_cast<size_t>(width * height * 3), 255)};
    EXPECT_TRUE(WritePng(folder_ / name, image).ok());
  }
  absl::StatusOr<std::vector<HeldOutPrompt>> Read(const std::string& lines, v1::TaskKind task,
                                                  int per_kind = 100) const {
    return ReadHeldOut(Config(), Policy(), task, folder_.Write("p.jsonl", lines), per_kind);
  }

  const TemporaryFolder folder_;
};

std::string Question(const std::string& id, const std::string& image, const std::string& kind = "k",
                     const std::string& answer = "red") {
  return absl::StrCat(R"({"id":")", id, R"(","task":"TASK_KIND_TEXT","kind":")", kind,
                      R"(","text":"what color is the heart ?","source_image":")", image, R"(","answer":")",
                      answer, "\"}\n");
}

TEST_F(HeldOut, AllBadImagesAreNamedWithTheirLines) {
  Picture("good.png", 64, 64);
  Picture("odd.png", 63, 64);
  folder_.Write("page.png", "<html>404</html>");
  folder_.Write("cut.png", ReadFile(folder_ / "good.png")->substr(0, 60));
  const absl::Status refused =
      Read(Question("a", "good.png") + Question("b", "none.png") + Question("c", "good.png") +
               Question("d", "page.png") + Question("e", "cut.png") + Question("f", "odd.png") +
               Question("g", ".") + Question("h", "good.png", "k", "zeppelin"),
           v1::TASK_KIND_TEXT)
          .status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  const std::vector<std::string> lines = absl::StrSplit(refused.message(), '\n');
  EXPECT_THAT(lines, ElementsAre(AllOf(HasSubstr("p.jsonl:2: prompt 'b': "), HasSubstr("none.png")),
                                 AllOf(HasSubstr("p.jsonl:4: prompt 'd': "), HasSubstr("page.png")),
                                 AllOf(HasSubstr("p.jsonl:5: prompt 'e': "), HasSubstr("cut.png")),
                                 AllOf(HasSubstr("p.jsonl:6: prompt 'f': "), HasSubstr("63x64 pixels")),
                                 HasSubstr("p.jsonl:7: prompt 'g': "),
                                 AllOf(HasSubstr("p.jsonl:8: prompt 'h': "), HasSubstr("zeppelin"))));
}

TEST_F(HeldOut, OnlyRecordsThatAreTakenNeedTheirImages) {
  Picture("good.png", 64, 64);
  const std::string lines = Question("a", "good.png") + Question("b", "good.png", "other") +
                            Question("c", "none.png") + Question("d", "good.png", "other");
  const auto one = Read(lines, v1::TASK_KIND_TEXT, 1);
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_EQ(one->size(), 2u);
  EXPECT_EQ((*one)[1].record.id(), "b");
  EXPECT_EQ((*one)[1].place, 1u);
  EXPECT_THAT(std::string(Read(lines, v1::TASK_KIND_TEXT, 2).status().message()), HasSubstr("p.jsonl:3: "));
}

TEST_F(HeldOut, RecordsAreOfTheFilesTask) {
  const std::string image = R"({"id":"a","task":"TASK_KIND_IMAGE","text":"a red circle"})";
  EXPECT_TRUE(Read(image, v1::TASK_KIND_IMAGE).ok());
  EXPECT_THAT(
      std::string(Read(image, v1::TASK_KIND_TEXT).status().message()),
      HasSubstr("p.jsonl:1: prompt 'a' is a TASK_KIND_IMAGE; this file is listed for TASK_KIND_TEXT"));
}

TEST_F(HeldOut, ImagesAreSampledInTheirPromptsSize) {
  const auto prompt = [](const std::string& id, const std::string& constraints) {
    return absl::StrCat(R"({"id":")", id,
                        R"(","task":"TASK_KIND_IMAGE","text":"a red circle","constraints":)", constraints,
                        "}\n");
  };
  const auto read = Read(prompt("a", R"({"width":32,"height":48})") + prompt("b", "{}") + prompt("c", "{}"),
                         v1::TASK_KIND_IMAGE);
  ASSERT_TRUE(read.ok()) << read.status();
  v1::RunConfig config = Config();
  config.mutable_evaluation()->set_timesteps(3);
  const auto images = EvaluateImages(config, Policy(), *read, {});
  ASSERT_TRUE(images.ok()) << images.status();
  ASSERT_EQ(images->size(), 3u);
  for (const auto& [i, width, height] : {std::tuple{0u, 32, 48}, {1u, 64, 64}, {2u, 64, 64}}) {
    EXPECT_EQ((*images)[i].judgement.id, (*read)[i].record.id());
    EXPECT_EQ((*images)[i].image.width, width);
    EXPECT_EQ((*images)[i].image.height, height);
  }
  EXPECT_THAT(
      std::string(
          Read(prompt("a", "{}") + prompt("b", R"({"width":72})"), v1::TASK_KIND_IMAGE).status().message()),
      HasSubstr("p.jsonl:2: prompt 'b' asks for images of 72x64 pixels"));
}

}  // namespace
}  // namespace lvrpo
