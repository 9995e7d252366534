#include "verifiers/answers/final_text.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(FinalText, LeavesOutWhatWasThought) {
  const struct {
    const char *text, *rest;
  } cases[] = {
      {"", ""},
      {"B", "B"},
      {"<think>A or B?</think>B", "B"},
      {"<think>\nA\n</think>\n\nB", "B"},
      {"A <THINK>no</Think>B", "A B"},
      {"<think>A", ""},
      {"B <think>or A", "B "},
      {"A? </think> B", "B"},  // begun by the prompt
      {"<think>one <think> mark</think>B", "B"},
      {"<think>a <think>b</think> c</think>B", "B"},
      {"<think>a</think>x<think>b</think>y", "xy"},
      {"<think>a</thinking>b", ""},
      {"<thinking>a</thinking>b", "b"},
      {"<reasoning>a <think> </reasoning>b", "b"},
      {"[THINK]a[/THINK]b", "b"},
      {"\u25C1think\u25B7a\u25C1/think\u25B7b", "b"},
      {"<|begin_of_thought|>a<|end_of_thought|>b", "b"},
      {"<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>", "b"},
      {"<|channel|>final<|message|>b", "b"},
      {"<thinker>a", "<thinker>a"},
      {"think a", "think a"},
  };
  for (const auto& test : cases) EXPECT_EQ(FinalText(test.text), test.rest) << test.text;
}

TEST(FinalText, EndsWithTheTurn) {
  const struct {
    const char *text, *rest;
  } cases[] = {
      {"B<|im_end|>", "B"},
      {"B</s></s>", "B"},
      {"B<|endoftext|>A", "B"},
      {"B<|im_end|>\n<|im_start|>user\nA?", "B"},
      {"<s> B </s>", "B "},
      {"<|im_start|>assistant\n<think>\n\n</think>\n\nB<|im_end|>", "B"},
      {"<\uFF5CAssistant\uFF5C>B<\uFF5Cend\u2581of\u2581sentence\uFF5C>", "B"},
      {"<|EOT_ID|>", ""},
      {"<pad><pad>", ""},
      {"a < b, c |> d", "a < b, c |> d"},
      {"<b>B</b>", "<b>B</b>"},
      {"The <s>A</s> B</s> C", "The <s>A</s> B"},  // struck out
      {"The <s>A</s><s>C</s> B", "The <s>A</s><s>C</s> B"},
      {"B <s>", "B <s>"},
  };
  for (const auto& test : cases) EXPECT_EQ(FinalText(test.text), test.rest) << test.text;
}

TEST(FinalText, KeepsTheTagOfARule) {
  EXPECT_EQ(FinalText("<reasoning>B</reasoning>", "reasoning"), "<reasoning>B</reasoning>");
  EXPECT_EQ(FinalText("<think>A</think><reasoning>B</reasoning>", "reasoning"), "<reasoning>B</reasoning>");
}

}  // namespace
}  // namespace lvrpo
