#include "data/heldout/evaluation.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;

class HeldOut : public ::testing::Test {
 protected:
  void Put(const std::string& name, const std::string& scores, const std::string& lines = "") const {
    run_.Write("images/" + name + "/scores.json", scores);
    run_.Write("images/" + name + "/all.jsonl", lines);
  }
  // Image lines: right or wrong, ids counted.
  static std::string Lines(const std::vector<bool>& right) {
    std::string lines;
    for (size_t i = 0; i < right.size(); ++i) {
      lines += R"({"task":"image","id":")" + std::to_string(i) + R"(","correct":)" +
               (right[i] ? "true}\n" : "false}\n");
    }
    return lines;
  }

  const TemporaryFolder run_;
};

TEST_F(HeldOut, EvaluationsAreFoundByTheirSteps) {
  for (const char* name : {"before", "step_000100", "step_000020", "after"}) Put(name, "{}");
  run_.Write("images/step_000030/all.jsonl", "");  // not complete
  for (const char* other : {"step_", "step_x", "step_100", "step_000300", "other"}) Put(other, "{}");
  EXPECT_THAT(CompleteEvaluations(run_.path(), 300), ElementsAre(0, 20, 100, 300));
  EXPECT_TRUE(CompleteEvaluations(run_ / "none", 300).empty());
  EXPECT_EQ(EvaluationName(0, 300), "before");
  EXPECT_EQ(EvaluationName(100, 300), "step_000100");
  EXPECT_EQ(EvaluationName(300, 300), "after");
}

TEST_F(HeldOut, GainIsThatOfTheSameImages) {
  Put("before", R"({"images":4,"score":0.25,"standard_error":0.2})", Lines({true, false, false, false}));
  Put("step_000100",
      R"({"images":2,"score":1,"standard_error":0,"version_digest":"d","text":{"exact_match":0.5,"questions":6}})",
      Lines({true, true}));
  const auto before = ReadEvaluation(run_.path(), "before", 0);
  ASSERT_TRUE(before.ok());
  EXPECT_EQ(before->score(), .25);
  EXPECT_FALSE(before->has_gain());
  EXPECT_EQ(EvaluationJson(*before)["gain"], nullptr);
  const auto trained = ReadEvaluation(run_.path(), "step_000100", 100);
  ASSERT_TRUE(trained.ok());
  EXPECT_EQ(trained->gain(), .5);  // of two images: one was right before
  EXPECT_EQ(trained->pairs(), 2);
  EXPECT_EQ(trained->digest(), "d");
  EXPECT_EQ(trained->text_accuracy(), .5);
  EXPECT_EQ(trained->questions(), 6);
  EXPECT_EQ(EvaluationJson(*trained)["score"], 1);
}

TEST_F(HeldOut, ThatAreMissingOrDamagedSaySo) {
  EXPECT_TRUE(absl::IsNotFound(ReadEvaluation(run_.path(), "before", 0).status()));
  for (const char* damaged : {"", "[]", "7", R"({"images":"many"})", R"({"images":1})", R"({"text":7})"}) {
    Put("before", damaged);
    EXPECT_TRUE(absl::IsDataLoss(ReadEvaluation(run_.path(), "before", 0).status())) << damaged;
  }
  Put("before", R"({"images":0})");  // of no prompts
  EXPECT_FALSE(ReadEvaluation(run_.path(), "before", 0)->has_score());
}

}  // namespace
}  // namespace lvrpo
