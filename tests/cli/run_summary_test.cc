#include "cli/report/run_summary.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Summary, ComparesPairs) {
  // 4 pairs: two gains, one loss, one equal: mean 1/4, variance of the differences 11/16.
  const PairedDifference difference =
      ComparePairs({{false, true}, {false, true}, {true, false}, {true, true}});
  EXPECT_DOUBLE_EQ(difference.mean, 0.25);
  EXPECT_NEAR(difference.half_width, 1.96 * std::sqrt((0.75 - 0.0625) / 3), 1e-12);
  EXPECT_EQ(ComparePairs({}).mean, 0);
  const auto line = [](const char* task, const char* id, bool correct) {
    return nlohmann::json{{"task", task}, {"id", id}, {"correct", correct}};
  };
  EXPECT_THAT(
      PairOutcomes({line("image", "a", false), line("image", "b", true), line("text", "a", true)},
                   {line("image", "b", false), line("image", "c", true), line("text", "a", true)}, "image"),
      ElementsAre(std::pair(true, false)));
}

TEST(Summary, HoldsEverythingThatWasPromised) {
  SummaryInput input;
  input.run_id = "r";
  input.records = {{"groups_consumed", 16}, {"groups_retired_by_reason", {{"zero_variance", 3}}}};
  for (int step = 0; step < 12; ++step) {
    input.steps.push_back(
        {{"step", step}, {"reward", step * 0.1}, {"reward_instruction", 1.0}, {"seconds_update", 0.5}});
  }
  input.before = {{"score", .25},
                  {"standard_error", .1},
                  {"presence_only", .5},
                  {"objects_per_image", 1.0},
                  {"objects_asked_per_image", 1.5},
                  {"unknown_share", 0.0},
                  {"color_entropy_bits", 2.0},
                  {"by_kind", {{"single", {{"score", .25}, {"images", 4}}}}}};
  input.after = input.before;
  input.after["score"] = .75;
  for (int i = 0; i < 4; ++i) {
    input.before_lines.push_back({{"task", "image"}, {"id", std::to_string(i)}, {"correct", i == 0}});
    input.after_lines.push_back({{"task", "image"}, {"id", std::to_string(i)}, {"correct", i != 3}});
  }
  // Questions are paired apart from images, whatever their ids.
  for (int i = 0; i < 2; ++i) {
    input.before_lines.push_back({{"task", "text"}, {"id", std::to_string(i)}, {"correct", false}});
    input.after_lines.push_back({{"task", "text"}, {"id", std::to_string(i)}, {"correct", true}});
  }
  input.seconds = {{"training", 60.0}, {"evaluate_before", 5.0}};
  const nlohmann::json summary = MakeSummary(input);
  EXPECT_EQ(summary["steps"], 12);
  EXPECT_EQ(summary["heldout_images"], 4);
  EXPECT_DOUBLE_EQ(summary["heldout_gain"].get<double>(), 0.5);
  EXPECT_DOUBLE_EQ(summary["text_gain"].get<double>(), 1);
  EXPECT_DOUBLE_EQ(summary["wall_seconds"].get<double>(), 65);
  EXPECT_DOUBLE_EQ(summary["seconds_by_phase"]["learner_update"].get<double>(), 6);
  EXPECT_NEAR(summary["reward_means_first_10_steps"]["combined"].get<double>(), 0.45, 1e-9);
  EXPECT_NEAR(summary["reward_means_last_10_steps"]["combined"].get<double>(), 0.65, 1e-9);
  EXPECT_EQ(summary["groups_retired_by_reason"]["zero_variance"], 3);
  EXPECT_THAT(FormatSummary(summary), HasSubstr("0.250 -> 0.750"));
  // A run that evaluates nothing still has a summary.
  EXPECT_THAT(FormatSummary(MakeSummary(SummaryInput())), Not(HasSubstr("held-out")));
}

TEST(Summary, OfOnePairClaimsNothing) {
  const PairedDifference one = ComparePairs({{false, true}});
  EXPECT_EQ(one.count, 1);
  EXPECT_EQ(one.mean, 0);
  EXPECT_EQ(one.half_width, 0);
  const PairedDifference equal = ComparePairs({{true, true}, {true, true}, {false, false}});
  EXPECT_EQ(equal.mean, 0);
  EXPECT_EQ(equal.half_width, 0);
}

TEST(Summary, PairsOnlyLinesThatAreWhole) {
  const nlohmann::json good = {{"task", "image"}, {"id", "a"}, {"correct", true}};
  const std::vector<nlohmann::json> damaged = {
      {{"task", "image"}, {"id", 7}, {"correct", true}},
      {{"task", "image"}, {"id", "a2"}, {"correct", "yes"}},
      {{"task", 1}, {"id", "a"}, {"correct", true}},
      {{"id", "a"}},
      nlohmann::json::object(),
  };
  std::vector<nlohmann::json> lines = damaged;
  lines.push_back(good);
  EXPECT_THAT(PairOutcomes(lines, lines, "image"), ElementsAre(std::pair(true, true)));
  EXPECT_THAT(PairOutcomes(damaged, {good}, "image"), ElementsAre());
}

TEST(Summary, ADamagedEvaluationIsNoScore) {
  for (const nlohmann::json& scores :
       {nlohmann::json(), nlohmann::json(7), nlohmann::json::array(), nlohmann::json::object(),
        nlohmann::json{{"score", "high"}}, nlohmann::json{{"score", 0.5}},
        nlohmann::json{{"score", 0.5}, {"by_kind", 3}}, nlohmann::json{{"text", 7}},
        nlohmann::json{{"text", {{"exact_match", "all"}}}},
        nlohmann::json{{"score", 0.5}, {"by_kind", {{"single", 7}}}}}) {
    SCOPED_TRACE(scores.dump());
    SummaryInput input;
    input.run_id = "r";
    input.before = scores;
    input.after = scores;
    EXPECT_THAT(FormatSummary(MakeSummary(input)), HasSubstr("run r: 0 steps"));
  }
}

TEST(Summary, TellsOfAnswersToo) {
  SummaryInput input;
  const auto scores = [](double right) {
    return nlohmann::json{{"text",
                           {{"exact_match", right},
                            {"answer_probability", right / 2},
                            {"questions", 8},
                            {"by_kind", {{"how_many", {{"exact_match", right}, {"standard_error", 0.1}}}}}}}};
  };
  input.before = scores(0.25);
  input.after = scores(0.75);
  const std::string text = FormatSummary(MakeSummary(input));
  EXPECT_THAT(text,
              AllOf(HasSubstr("answers right   0.250 -> 0.750"), HasSubstr("8 held-out questions"),
                    HasSubstr("0.125 -> 0.375"), HasSubstr("how_many"), Not(HasSubstr("held-out score"))));
}

TEST(Summary, OfAShortRunUsesTheStepsThatThereAre) {
  SummaryInput input;
  input.steps = {{{"step", 0}, {"reward", 0.2}, {"reward_std_in_group", 9.0}, {"reward_x", nullptr}},
                 {{"step", 1}, {"reward", 0.4}, {"seconds_wait", "long"}}};
  const nlohmann::json summary = MakeSummary(input);
  EXPECT_EQ(summary["reward_means_first_10_steps"], summary["reward_means_last_10_steps"]);
  EXPECT_NEAR(summary["reward_means_first_10_steps"]["combined"].get<double>(), 0.3, 1e-12);
  EXPECT_EQ(summary["reward_means_first_10_steps"].size(), 1u);
  EXPECT_EQ(summary["seconds_by_phase"], nlohmann::json::object());
}

TEST(JsonLines, GivesTheLinesThatAreWhole) {
  const TemporaryFolder folder;
  const std::string path =
      folder.Write("m.jsonl",
                   "{\"step\":0}\r\n\n[1]\n7\n{\"step\":\xff}\nnot json\n{\"id\":\"caf\xc3\xa9\"}\n"
                   "{\"step\":1}\n{\"step\":2");
  std::vector<std::string> lines;
  for (const nlohmann::json& line : ReadJsonLines(path)) lines.push_back(line.dump());
  EXPECT_THAT(lines, ElementsAre(R"({"step":0})", "{\"id\":\"caf\xc3\xa9\"}", R"({"step":1})"));
  EXPECT_TRUE(ReadJsonLines(folder / "none").empty());
  EXPECT_TRUE(ReadJsonLines(folder.path()).empty());
}

}  // namespace
}  // namespace lvrpo
