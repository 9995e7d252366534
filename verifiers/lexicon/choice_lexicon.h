#pragma once

#include <string>
#include <unordered_map>

#include "absl/strings/string_view.h"
#include "verifiers/lexicon/choice_words.h"

// Words: where they end in a text, and what they mean. Texts are well-formed UTF-8; pure functions.
namespace lvrpo {

// Chinese, Japanese and Korean, whose words are not separated by spaces.
bool IsEastAsian(char32_t c);
// A part of a word of any other language, or of a number.
bool IsWordPart(char32_t c);
// The code point at text[at]; 0 at the end.
char32_t CodePointAt(absl::string_view text, size_t at);

// The end of the word, or number, at text[at]. Apostrophes, hyphens and underscores between letters belong to
// it, periods, commas and colons between digits; "l'", "d'" and the like are separate words; "U.S." is one.
size_t WordEnd(absl::string_view text, size_t at);

// A word that ends with its period: "ans.".
bool IsAbbreviation(absl::string_view folded);

// Whether a text of one word answers a question with yes or no.
bool IsYesOrNo(absl::string_view folded);

// The words of choice_words.h.
class Lexicon {
 public:
  static const Lexicon& Get();

  // Words with a blank between them, or a phrase of Chinese, Japanese or Korean, in the form of Folded;
  // nullptr: it has none.
  const Term* Find(const std::string& phrase) const;
  // The end of the longest phrase of Chinese, Japanese or Korean at text[at], and its meaning; of one
  // character when there is none.
  size_t EastAsianEnd(absl::string_view text, size_t at, Term* term) const;
  size_t most_words() const { return most_words_; }

 private:
  Lexicon();
  void Add(Term term, absl::string_view words);

  std::unordered_map<std::string, Term> terms_;
  size_t most_words_ = 1, most_east_asian_ = 1;  // words; characters
};

}  // namespace lvrpo
