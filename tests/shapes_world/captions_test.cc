#include "shapes_world/captions.h"

#include <set>

#include "data/tokenizer/tokenizer.h"
#include "gtest/gtest.h"
#include "shapes_world/words.h"

namespace lvrpo::shapes {
namespace {

constexpr std::array<double, kKindCount> kEven = {1, 1, 1, 1, 1, 1};

TEST(TrainingPairs, UseOnlyWordsOfTheVocabulary) {
  const auto tokenizer = MakeWordTokenizer(AllWords());
  const TrainingPairs pairs(5, kEven);
  for (uint64_t i = 0; i < 500; ++i) {
    const TrainingPair pair = pairs.Get(i);
    std::vector<std::string> texts = {pair.prompt, pair.full_caption, pair.dense_caption};
    for (const QuestionAnswer& question : pair.questions) {
      texts.push_back(question.question);
      texts.push_back(question.answer);
    }
    for (const std::string& text : texts) {
      const auto ids = tokenizer->Encode(text);
      ASSERT_TRUE(ids.ok()) << text << ": " << ids.status();
      EXPECT_EQ(tokenizer->Decode(*ids), text);
    }
  }
}

TEST(TrainingPairs, NeverAskForAHeldOutComposition) {
  // All wordings of all held-out compositions.
  std::set<std::string> held_out;
  Random random(1);
  for (int kind = 0; kind < kKindCount; ++kind) {
    int count = 0;
    for (const Composition& composition : AllCompositions(static_cast<Composition::Kind>(kind))) {
      if (!IsHeldOut(composition)) continue;
      ++count;
      for (int i = 0; i < 8; ++i) held_out.insert(MakeWording(composition, random));
    }
    EXPECT_GT(count, 0) << kKindNames[static_cast<size_t>(kind)];
  }
  const TrainingPairs pairs(9, kEven);
  for (uint64_t i = 0; i < 3000; ++i) {
    const TrainingPair pair = pairs.Get(i);
    EXPECT_FALSE(held_out.contains(pair.prompt)) << pair.prompt;
    EXPECT_FALSE(held_out.contains(pair.full_caption)) << pair.full_caption;
  }
}

TEST(TrainingPairs, AreAFunctionOfSeedAndIndex) {
  const TrainingPairs pairs(5, kEven);
  EXPECT_EQ(pairs.Get(17).dense_caption, TrainingPairs(5, kEven).Get(17).dense_caption);
  EXPECT_NE(pairs.Get(17).dense_caption + pairs.Get(18).dense_caption,
            TrainingPairs(6, kEven).Get(17).dense_caption + TrainingPairs(6, kEven).Get(18).dense_caption);
}

TEST(AskAbout, YesAndNoAreBalanced) {
  Random random(2);
  int yes = 0, no = 0;
  for (int i = 0; i < 5000; ++i) {
    const QuestionAnswer question = AskAbout(RandomScene(random), random);
    yes += question.answer == "yes";
    no += question.answer == "no";
  }
  EXPECT_NEAR(static_cast<double>(yes) / (yes + no), 0.5, 0.12);
}

}  // namespace
}  // namespace lvrpo::shapes
