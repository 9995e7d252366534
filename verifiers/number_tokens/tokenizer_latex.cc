#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "data/unicode/unicode.h"
#include "verifiers/number_tokens/latex_commands.h"
#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/tokenizer.h"

namespace lvrpo::numbers {

// A backslash before a character that is no letter.
void Tokenizer::Escaped(size_t end) {
  const unsigned char c = text_[end];
  const auto is_one_of = [c](absl::string_view set) {
    return set.find(static_cast<char>(c)) != absl::string_view::npos;
  };
  if (c == '\\') return Drop(end + 1, Gap::kBreak);
  if (c == '!') return Drop(end + 1, Gap::kNone);
  if (is_one_of(",;:> /")) return Drop(end + 1, Gap::kBlank);
  if (is_one_of("^*-+=~.<")) return Drop(end, Gap::kNone);  // Markdown's
  if (c == '{' || c == '}') return AddSymbol(c == '{' ? U'[' : U']', end + 1);
  if (c == '|' || c == '%' || c == '_' || c == '\'') {
    ++at_;
    return c == '_' ? Underscore(end + 1) : AddSymbol(c, end + 1);
  }
  if (c == '$') currency_ = true;
  Drop(c < 0x80 ? end + 1 : end, Gap::kMark);  // \$, \(, \[, \# and their like
}

void Tokenizer::Backslash() {
  size_t end = at_ + 1;
  if (end >= text_.size()) return Drop(end, Gap::kMark);
  if (!absl::ascii_isalpha(static_cast<unsigned char>(text_[end]))) return Escaped(end);
  if (const size_t struck = DelimitedEnd(Delimited::kStruck, text_, at_); struck > at_)
    return Drop(struck, Gap::kBlank);
  while (end < text_.size() && absl::ascii_isalpha(static_cast<unsigned char>(text_[end]))) ++end;
  const absl::string_view name = text_.substr(at_ + 1, end - at_ - 1);
  switch (CommandOf(name)) {
    case Command::kFraction:
      return Add(TokenKind::kFraction, end);
    case Command::kLetter:
      return Add(TokenKind::kCommand, end);
    case Command::kSymbol:
      return AddSymbol(CommandSymbol(name), end);
    case Command::kCurrency:
      currency_ = true;
      return Drop(end, Gap::kNone);
    case Command::kIgnored:
      return Drop(end, Gap::kNone);
    case Command::kBlank:
      return Drop(end, Gap::kBlank);
    case Command::kArrow:
      if (options_.alone) return AddSymbol(symbol::kRelation, end);
      return Drop(end, Gap::kBreak);
    case Command::kBreak:
      return Drop(end, Gap::kBreak);
    case Command::kTransparent:
    case Command::kWords:
    case Command::kQuantity:
      return Argument(end, name);
    case Command::kSkipped:
      Drop(end, name == "begin" || name == "end" ? Gap::kBreak : Gap::kNone);
      at_ = DelimitedEnd(Delimited::kArgument, text_, end);
  }
}

// The braces of a command whose content counts are not shown.
void Tokenizer::Argument(size_t end, absl::string_view name) {
  const Command command = CommandOf(name);
  const size_t brace = text_.find_first_not_of(" \t\n", end);
  if (brace == absl::string_view::npos || text_[brace] != '{') return Drop(end, Gap::kNone);
  const int words = command == Command::kWords ? 1 : 0;
  in_words_ += words;
  open_.push_back({0, 0, words, command == Command::kQuantity});
  Drop(brace + 1, Gap::kNone);
}

// Closes such braces. The unit of \SI says no more than whether it is percent.
void Tokenizer::CloseHidden(size_t end) {
  const Open open = open_.back();
  in_words_ -= open.words;
  open_.pop_back();
  Drop(end, Gap::kNone);
  const size_t unit = open.unit ? DelimitedEnd(Delimited::kArgument, text_, at_) : at_;
  if (unit == at_) return;
  const absl::string_view argument = text_.substr(at_, unit - at_);
  if (absl::StrContains(argument, "mille") || absl::StrContains(argument, "mega") ||
      absl::StrContains(argument, "sqrt"))
    return AddSymbol(U'\u2030', unit);
  if (absl::StrContains(argument, "percent") || absl::StrContains(argument, "%"))
    return AddSymbol(U'%', unit);
  Drop(unit, Gap::kBlank);
}

// "{-}", "{,}", "{.}", "{\%}", "{}" and "{\,}" are replaced by the content of the braces.
void Tokenizer::Brace(size_t end) {
  const size_t close = text_.substr(0, end + 4).find('}', end);
  const absl::string_view inside = close == absl::string_view::npos ? "" : text_.substr(end, close - end);
  if (close == end) return Drop(end + 1, Gap::kNone);
  if (inside == "\\," || inside == "\\;" || inside == "\\:" || inside == "~" || inside == " " ||
      inside == "\\ ")
    return Drop(close + 1, Gap::kBlank);
  if (inside == "\\%") return AddSymbol(U'%', close + 1);
  if (!inside.empty()) {
    size_t after = 0;
    const char32_t c = Canonical(unicode::NextCodePoint(inside, &after));
    const bool sign = c == symbol::kHyphen || c == symbol::kMinus || c == symbol::kDash || c == U'+';
    if (after == inside.size() && (sign || c == U',' || c == U'.' || c == U'\''))
      return AddSymbol(c, close + 1);
  }
  AddSymbol(U'{', end);
}

}  // namespace lvrpo::numbers
