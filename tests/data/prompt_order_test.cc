#include "data/prompts/prompt_order.h"

#include <set>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(PromptOrder, EveryPromptOnceBeforeAnyTwice) {
  const PromptOrder order(10, 5, 1.0 / 3, 7);
  std::multiset<size_t> images, texts;
  for (int64_t ordinal = 0; ordinal < 30; ++ordinal) {
    const PromptOrder::Choice choice = order.At(ordinal);
    (choice.text ? texts : images).insert(choice.index);
  }
  EXPECT_EQ(images.size(), 20u);
  EXPECT_EQ(texts.size(), 10u);
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(images.count(i), 2u);
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(texts.count(i), 2u);
  EXPECT_EQ(order.At(17).index, PromptOrder(10, 5, 1.0 / 3, 7).At(17).index);
  int moved = 0;
  for (int64_t ordinal = 0; ordinal < 30; ++ordinal)
    moved += order.At(ordinal).index != PromptOrder(10, 5, 1.0 / 3, 8).At(ordinal).index;
  EXPECT_GT(moved, 10);
}

TEST(PromptOrder, OneTaskAlone) {
  for (int64_t ordinal = 0; ordinal < 20; ++ordinal) {
    EXPECT_FALSE(PromptOrder(3, 0, 0.5, 1).At(ordinal).text);
    EXPECT_TRUE(PromptOrder(0, 3, 0.5, 1).At(ordinal).text);
  }
}

}  // namespace
}  // namespace lvrpo
