#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "verifiers/choices/choice_words.h"

namespace lvrpo {

using Letters = uint32_t;  // bit i: the letter 'A' + i

struct Token {
  Term term = Term::kLine;
  size_t first = 0, last = 0;  // of the pieces it is made of: [first, last)
  char letter = 0;             // of kLetter, 'A' to 'Z'
  Letters box = 0;             // of kBox: what its content names, when NameBoxes has been there
  bool small = false;          // of kLetter: written as a small one
  bool spaced = false;         // a blank stands before it
};

// A text as terms (choice_words.h), without Markdown, HTML and LaTeX around them.
struct ChoiceText {
  // Words, numbers and marks, as folded.h folds them; one character each of Chinese, Japanese and Korean that
  // is in no phrase. Of a box: its content.
  std::vector<std::string> pieces;
  std::vector<Token> tokens;  // a phrase is one; kLine is the last one
};

// Of a text as Plain (folded.h) leaves it. Without `boxes` what stands in one is read like all the rest. One
// pass; thread-safe.
ChoiceText ReadChoiceText(absl::string_view plain, bool boxes = true);

}  // namespace lvrpo
