#include "pretraining/policy_data.h"

#include <cmath>

#include "gtest/gtest.h"
#include "pretraining/policy_task.h"
#include "shapes_world/words.h"

namespace lvrpo {
namespace {

constexpr int64_t kIgnore = -100;

// Ids of one row's segments, each from bos to eos.
std::vector<std::vector<int64_t>> Segments(const torch::Tensor& row, const Tokenizer& tokenizer) {
  std::vector<std::vector<int64_t>> segments;
  for (int64_t i = 0; i < row.size(0); ++i) {
    const int64_t id = row[i].item<int64_t>();
    if (id == tokenizer.bos()) segments.emplace_back();
    if (segments.empty() || (!segments.back().empty() && segments.back().back() == tokenizer.eos()))
      continue;  // padding
    segments.back().push_back(id);
  }
  return segments;
}

// Texts of the answers: every second segment of every row.
std::vector<std::string> Answers(const UnderstandingBatch& batch, const Tokenizer& tokenizer) {
  std::vector<std::string> answers;
  for (int64_t b = 0; b < batch.text.size(0); ++b) {
    const auto segments = Segments(batch.text[b], tokenizer);
    for (size_t k = 1; k < segments.size(); k += 2)
      answers.push_back(tokenizer.Decode(std::vector<int32_t>(segments[k].begin(), segments[k].end())));
  }
  return answers;
}

TEST(ChooseCaption, DropsMixesAndKeepsInTheGivenShares) {
  Random random(3);
  int none = 0, own = 0, full = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const CaptionChoice choice = ChooseCaption(random, 7, 1000, 0.1, 0.25);
    ASSERT_LT(choice.pair, 1000);
    none += choice.pair < 0;
    own += choice.pair == 7;
    full += choice.full;
  }
  EXPECT_NEAR(none / double{kDraws}, 0.1, 0.01);
  EXPECT_NEAR(own / double{kDraws}, 0.9 * 0.75, 0.015);
  EXPECT_NEAR(full / double{kDraws}, 0.9 * 0.4, 0.015);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(ChooseCaption(random, i, 1000, 0, 0).pair, i);
}

class UnderstandingTest : public ::testing::Test {
 protected:
  const std::unique_ptr<Tokenizer> tokenizer_ = MakeWordTokenizer(shapes::AllWords());
};

TEST_F(UnderstandingTest, ABatchIsAFunctionOfSeedAndIteration) {
  const UnderstandingData data = {.batch = 8};
  const UnderstandingBatch one = MakeUnderstandingBatch(3, 5, data, *tokenizer_);
  const UnderstandingBatch same = MakeUnderstandingBatch(3, 5, data, *tokenizer_);
  EXPECT_TRUE(torch::equal(one.pixels, same.pixels));
  EXPECT_TRUE(torch::equal(one.text, same.text));
  EXPECT_TRUE(torch::equal(one.targets, same.targets));
  EXPECT_EQ(one.pixels.sizes().vec(), std::vector<int64_t>({8, 3, 64, 64}));
  EXPECT_EQ(one.text.sizes(), one.targets.sizes());
  EXPECT_FALSE(torch::equal(one.pixels, MakeUnderstandingBatch(3, 6, data, *tokenizer_).pixels));
  EXPECT_FALSE(torch::equal(one.pixels, MakeUnderstandingBatch(4, 5, data, *tokenizer_).pixels));
}

TEST_F(UnderstandingTest, OnlyAnswersAndCaptionsAreLearned) {
  const UnderstandingData data = {.batch = 40, .questions_per_image = 2, .caption_share = 0.5};
  const UnderstandingBatch batch = MakeUnderstandingBatch(1, 0, data, *tokenizer_);
  int captions = 0;
  for (int64_t b = 0; b < data.batch; ++b) {
    const auto segments = Segments(batch.text[b], *tokenizer_);
    const bool caption = segments.size() == 1;
    captions += caption;
    ASSERT_EQ(segments.size(), caption ? 1u : 4u);  // question, answer, question, answer
    std::vector<int64_t> expected;
    for (size_t k = 0; k < segments.size(); ++k) {
      const bool learned = caption || k % 2 == 1;
      for (size_t i = 0; i < segments[k].size(); ++i) {
        const bool has_next = i + 1 < segments[k].size();  // nothing is to be said after eos
        expected.push_back(learned && has_next ? segments[k][i + 1] : kIgnore);
      }
    }
    expected.resize(static_cast<size_t>(batch.text.size(1)), kIgnore);
    EXPECT_TRUE(torch::equal(batch.targets[b], torch::tensor(expected, torch::kInt64))) << "row " << b;
  }
  EXPECT_NEAR(captions, 20, 10);
}

TEST_F(UnderstandingTest, HabitualAnswersReplaceTheShareThatIsSet) {
  UnderstandingData data = {.batch = 240, .questions_per_image = 3, .caption_share = 0};
  const auto answers = [&](double habitual) {
    data.habitual_answers = habitual;
    return Answers(MakeUnderstandingBatch(9, 0, data, *tokenizer_), *tokenizer_);
  };
  // The share changes no scene and no question, so the three can be compared.
  const std::vector<std::string> right = answers(0), habitual = answers(1), mixed = answers(0.4);
  ASSERT_EQ(right.size(), 720u);
  ASSERT_EQ(habitual.size(), right.size());
  ASSERT_EQ(mixed.size(), right.size());
  int telling = 0, replaced = 0;
  for (size_t i = 0; i < right.size(); ++i) {
    EXPECT_TRUE(mixed[i] == right[i] || mixed[i] == habitual[i]) << mixed[i];
    if (right[i] == habitual[i]) continue;
    ++telling;
    replaced += mixed[i] == habitual[i];
  }
  ASSERT_GT(telling, 300);
  // Four standard deviations of a share of 0.4 among 300.
  EXPECT_NEAR(static_cast<double>(replaced) / telling, 0.4, 0.115);
}

TEST(HabitualAnswer, IsOnePerKindOfQuestion) {
  const auto tokenizer = MakeWordTokenizer(shapes::AllWords());
  for (const auto& [kind, answer] : {std::pair{"how_many", "two"},
                                     {"is_there", "yes"},
                                     {"what_color", "blue"},
                                     {"what_shape", "circle"},
                                     {"where", "yes"},
                                     {"which_cell", "circle"}}) {
    EXPECT_EQ(HabitualAnswer({.kind = kind, .question = "?", .answer = "no"}), answer) << kind;
    EXPECT_TRUE(tokenizer->Encode(answer).ok()) << answer;
  }
}

TEST(DrawTimes, FollowsItsMixtureOfThree) {
  constexpr int64_t kCount = 20000;
  const torch::Tensor t = DrawTimes(1, 0, kCount);
  ASSERT_EQ(t.sizes().vec(), std::vector<int64_t>({kCount}));
  EXPECT_GT(t.min().item<double>(), 0);
  EXPECT_LT(t.max().item<double>(), 1);
  // With shift s, t > .83 where sigmoid(n) > x = .83 / (s - .83 (s - 1)), n ~ N(0, 1).
  const auto above = [](double shift) {
    const double x = .83 / (shift - .83 * (shift - 1));
    return 0.5 * std::erfc(std::log(x / (1 - x)) / std::sqrt(2.0));
  };
  const double expected = .45 * above(6) + .12 * .17 + .43 * above(2);
  EXPECT_NEAR(expected, .362, .001);
  // Four standard deviations: sqrt(.362 * .638 / 20000) = .0034.
  EXPECT_NEAR(t.gt(.83).to(torch::kFloat64).mean().item<double>(), expected, .0136);
}

TEST(DrawTimes, IsAFunctionOfSeedAndIteration) {
  EXPECT_TRUE(torch::equal(DrawTimes(1, 2, 64), DrawTimes(1, 2, 64)));
  EXPECT_FALSE(torch::equal(DrawTimes(1, 2, 64), DrawTimes(1, 3, 64)));
  EXPECT_FALSE(torch::equal(DrawTimes(1, 2, 64), DrawTimes(2, 2, 64)));
}

}  // namespace
}  // namespace lvrpo
