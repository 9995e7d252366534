#include "coordinator/page/samples.h"

#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

class SamplesTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& bytes) {
    const std::string path = JoinPath(dir_, name);
    ASSERT_TRUE(MakeFolder(ParentFolder(path)).ok());
    ASSERT_TRUE(WriteFileAtomic(path, bytes).ok());
  }

  const TemporaryFolder folder_;
  const std::string dir_ = folder_.path();
};

TEST(StepsOfEvaluation, ByName) {
  EXPECT_EQ(StepsOfEvaluation("before", 9), 0);
  EXPECT_EQ(StepsOfEvaluation("after", 9), 9);
  EXPECT_EQ(StepsOfEvaluation("step_000100", 9), 100);
  for (const char* name :
       {"", "step_", "step_1x", "step_-1", "step_9999999999999999999", "..", "before/", "After"})
    EXPECT_EQ(StepsOfEvaluation(name, 9), std::nullopt) << name;
}

TEST_F(SamplesTest, ShowsTheNewestEvaluationThatHasSome) {
  EXPECT_TRUE(SamplesJson(dir_, 0)["samples"].empty());
  Write("images/before/scores.json", R"({"score": 0.5, "standard_error": 0.1})");
  Write("images/step_000100/scores.json", R"({"score": 0.75})");
  Write(
      "images/step_000100/samples.json",
      R"([{"id": "a", "image": "sample-0000.png", "prompt": "a <b>\n", "kind": "single", "correct": true}])");
  Write("images/step_000100/rewards.json",
        R"([{"id": "a", "reward": 0.25, "scores": {"ocr": {"score": 1.0}, "odd": 3}}])");
  Write("images/after/scores.json", "not JSON");
  const nlohmann::json json = SamplesJson(dir_, 200);
  EXPECT_EQ(json["heldout"], nlohmann::json::parse("[[0, 0.5, 0.1], [100, 0.75, 0.0]]"));
  EXPECT_EQ(json["step"], 100);
  ASSERT_EQ(json["samples"].size(), 1u);
  const nlohmann::json& sample = json["samples"][0];
  EXPECT_EQ(sample["image"], "step_000100/sample-0000.png");
  EXPECT_EQ(sample["reward"], .25);
  EXPECT_EQ(sample["scores"], nlohmann::json::parse(R"({"ocr": 1.0})"));
  EXPECT_EQ(sample["correct"], true);
}

TEST_F(SamplesTest, OfAnyContents) {
  for (const char* samples :
       {"", "{}", "[1, null, []]", R"([{"image": 3}])", R"([{"image": "../../secret.png"}])",
        R"([{"id": 1, "image": "sample-0000.png/x"}])"}) {
    Write("images/after/samples.json", samples);
    Write("images/after/rewards.json", R"([1, {"id": 2}, {"scores": []}])");
    EXPECT_TRUE(SamplesJson(dir_, 1)["samples"].empty()) << samples;
  }
  nlohmann::json many = nlohmann::json::array();
  for (int i = 0; i < 1000; ++i)
    many.push_back(
        {{"id", std::to_string(i)}, {"image", "sample-0001.png"}, {"prompt", std::string(5000, 'x')}});
  Write("images/after/samples.json", JsonText(many));
  EXPECT_LT(JsonText(SamplesJson(dir_, 1)).size(), 40000u);
  EXPECT_EQ(SamplesJson(dir_, 1)["samples"].size(), 24u);
}

TEST_F(SamplesTest, ReadsImagesOfEvaluationsAlone) {
  const std::string png = "\x89PNG\r\n\x1a\nbytes";
  Write("images/after/sample-0000.png", png);
  Write("images/after/sample-0001.png", "<html>");
  Write("images/after/all.jsonl", png);
  Write("secret.png", png);
  Write("images/other/sample-0000.png", png);
  EXPECT_EQ(*ReadSample(dir_, "after/sample-0000.png"), png);
  for (const char* name :
       {"after/sample-0001.png", "after/all.jsonl", "secret.png", "../secret.png", "after/../../secret.png",
        "other/sample-0000.png", "after/sample-0000.png/", "after//sample-0000.png", "/etc/passwd",
        "after/sample-%30.png", "after/sample-0007.png", "", "/", "after/"}) {
    EXPECT_FALSE(ReadSample(dir_, name).ok()) << name;
  }
}

}  // namespace
}  // namespace lvrpo
