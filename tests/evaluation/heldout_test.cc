// Checks of held-out records before anything is evaluated.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/config/config.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "data/image/png.h"
#include "evaluation/evaluator.h"

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

  HeldOut() : folder_(absl::StrCat(::testing::TempDir(), "/lvrpo-held-out-", getpid())) {
    EXPECT_TRUE(MakeFolder(folder_).ok());
  }
  ~HeldOut() override { RemoveTree(folder_).IgnoreError(); }

  void Picture(const std::string& name, int width, int height) const {
    const RgbImage image{width, height, std::vector<uint8_t>(static_cast<size_t>(width * height * 3), 255)};
    EXPECT_TRUE(WritePng(folder_ + "/" + name, image).ok());
  }
  void Write(const std::string& name, const std::string& bytes) const {
    EXPECT_TRUE(WriteFileAtomic(folder_ + "/" + name, bytes).ok());
  }
  absl::StatusOr<std::vector<HeldOutPrompt>> Read(const std::string& lines, v1::TaskKind task,
                                                  int per_kind = 100) const {
    Write("p.jsonl", lines);
    return ReadHeldOut(Config(), Policy(), task, folder_ + "/p.jsonl", per_kind);
  }

  const std::string folder_;
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
  Write("page.png", "<html>404</html>");
  Write("cut.png", ReadFile(folder_ + "/good.png")->substr(0, 60));
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

}  // namespace
}  // namespace lvrpo
