#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/prompts/phrase_words.h"

namespace lvrpo::phrase {

// A word of a prompt, or a separator. For data/prompts/key_phrases.h.
struct Token {
  enum class Kind {
    kWord,
    kComma,       // also "/", "+" and whatever else is neither letter nor digit nor one of those below
    kStop,        // . ; : ! ? brackets, dashes, a new line, the end
    kQuote,       // a whole quotation: what should be written in the picture
    kPossessive,  // the 's after a word
  };
  Kind kind = Kind::kStop;
  std::string text;  // kWord: lower-case
  bool capital = false;
  WordClass word_class = WordClass::kNoun;  // kWord

  bool IsWord(WordClass c) const { return kind == Kind::kWord && word_class == c; }
  bool Has(Trait trait) const { return kind == Kind::kWord && phrase::Has(text, trait); }
};

// Words are runs of letters, digits and marks, with hyphens and apostrophes inside; longer ones than 64 bytes
// become a comma. The last token is a kStop. At most kMostTokens, the rest of the text is ignored. `prompt`
// is well-formed UTF-8; linear time.
constexpr size_t kMostTokens = size_t{1} << 14;
std::vector<Token> Tokenize(std::string_view prompt);

}  // namespace lvrpo::phrase
