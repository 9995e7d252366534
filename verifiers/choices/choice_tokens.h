#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "verifiers/lexicon/choice_words.h"

namespace lvrpo {

using Letters = uint32_t;  // bit i: the letter 'A' + i

struct Token {
  Term term = Term::kLine;
  size_t first = 0, last = 0;  // its pieces: [first, last)
  char letter = 0;             // of kLetter, 'A' to 'Z'
  Letters box = 0;             // of kBox: what its content names, set by NameBoxes
  bool no_choice = false;      // of kBox: its content is an answer that is none of the choices
  bool small = false;          // of kLetter: written as a small one
  bool spaced = false;         // preceded by a space
};

// A text as terms (choice_words.h), without Markdown, HTML and LaTeX around them.
struct ChoiceText {
  // Words, numbers and marks, as folded.h folds them; one character each of Chinese, Japanese and Korean that
  // is in no phrase. Of a box: its content.
  std::vector<std::string> pieces;
  std::vector<Token> tokens;  // a phrase is one; kLine is the last one
};

// Splits a text in the form of Plain (folded.h). Without `boxes` the content of a box is read as ordinary
// text. One pass; thread-safe.
ChoiceText ReadChoiceText(absl::string_view plain, bool boxes = true);

}  // namespace lvrpo
