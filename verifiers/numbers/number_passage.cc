#include "verifiers/numbers/number_passage.h"

#include <algorithm>

namespace lvrpo::numbers {

Passage::Passage(absl::string_view read, const TokenizeOptions& options)
    : text(read), tokens(Tokenize(read, options)) {
  one_line = std::none_of(tokens.begin(), tokens.end(), [this](const Token& token) {
    return &token != &tokens.front() && token.gap == Gap::kBreak;
  });
  has_words = std::any_of(tokens.begin(), tokens.end(), [](const Token& token) {
    return token.kind == TokenKind::kWord && !IsLetter(token);
  });
}

}  // namespace lvrpo::numbers
