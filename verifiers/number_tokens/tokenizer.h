#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "verifiers/number_tokens/number_scan.h"
#include "verifiers/number_tokens/number_tokens.h"

namespace lvrpo::numbers {

// Makes the tokens of number_tokens.h in one pass. Used once, by Tokenize.
class Tokenizer {
 public:
  Tokenizer(absl::string_view text, const TokenizeOptions& options) : text_(text), options_(options) {}

  std::vector<Token> Run() {
    while (at_ < text_.size()) Step();
    return std::move(tokens_);
  }

 private:
  struct Open {
    char32_t symbol;  // 0: a brace that is not shown
    size_t token;
    int words;
    bool unit = false;  // the number of \SI, whose unit is the next argument
  };

  char32_t Peek(size_t at) const { return PeekCodePoint(text_, at); }
  absl::string_view rest() const { return text_.substr(at_); }
  const Token* last() const { return tokens_.empty() ? nullptr : &tokens_.back(); }
  // Whether the token before ends right here.
  bool Glued() const { return last() != nullptr && gap_ == Gap::kNone; }
  bool BehindDigits() const;

  void Widen(Gap gap) { gap_ = std::max(gap_, gap); }
  void Drop(size_t end, Gap gap) {
    Widen(gap);
    at_ = end;
  }
  void DropMark(char32_t c, size_t end);
  void Add(TokenKind kind, size_t end, char32_t symbol = 0);
  void AddSymbol(char32_t symbol, size_t end);
  void Close(char32_t closing);

  // One item each: of any kind, and then by its first character.
  void Step();
  bool StepCharacter(char32_t raw, size_t end);
  void StepSymbol(char32_t raw, size_t end);
  void Superscript();
  void Letters(char32_t first);
  bool IsTimes(size_t end) const;

  // LaTeX (tokenizer_latex.cc).
  void Backslash();
  void Escaped(size_t end);
  void Argument(size_t end, absl::string_view name);
  void Brace(size_t end);
  void CloseHidden(size_t end);

  // Markdown and HTML (tokenizer_marks.cc).
  bool Compound(char32_t raw, char32_t c);
  bool Markup();
  bool Sequence();
  bool BeginsLine() const;
  void Quote(char32_t c, size_t end);
  void Stars();
  void Underscore(size_t end);
  void Tilde(size_t end);

  const absl::string_view text_;
  const TokenizeOptions options_;
  size_t at_ = 0;
  Gap gap_ = Gap::kNone;
  bool currency_ = false;  // a currency sign is in the gap
  bool formula_ = false;   // a dollar is open
  int in_words_ = 0;
  bool emphasis_ = false;
  std::vector<Open> open_;
  std::vector<Token> tokens_;
};

}  // namespace lvrpo::numbers
