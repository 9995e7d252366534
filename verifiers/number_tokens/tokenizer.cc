#include "verifiers/number_tokens/tokenizer.h"

#include "absl/strings/match.h"
#include "data/unicode/unicode.h"
#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/number_units.h"
#include "verifiers/number_tokens/number_words.h"

namespace lvrpo::numbers {

void Tokenizer::Add(TokenKind kind, size_t end, char32_t symbol) {
  tokens_.push_back({kind, gap_, in_words_ > 0, currency_, symbol, kNoPartner, text_.substr(at_, end - at_)});
  gap_ = Gap::kNone;
  currency_ = false;
  at_ = end;
}

void Tokenizer::AddSymbol(char32_t symbol, size_t end) {
  Add(TokenKind::kSymbol, end, symbol);
  if (symbol == U'(' || symbol == U'[' || symbol == U'{') {
    open_.push_back({symbol, tokens_.size() - 1, 0});
  } else if (symbol == U')' || symbol == U']' || symbol == U'}') {
    Close(symbol);
  }
}

void Tokenizer::Close(char32_t closing) {
  const char32_t opening = closing == U')' ? U'(' : closing == U']' ? U'[' : U'{';
  // "[1, 2)" is an interval: round and square ones close each other, braces only themselves.
  if (open_.empty() || open_.back().symbol == 0 || (open_.back().symbol == U'{') != (opening == U'{')) return;
  const size_t place = open_.back().token;
  tokens_.back().partner = place;
  tokens_[place].partner = tokens_.size() - 1;
  open_.pop_back();
}

void Tokenizer::DropMark(char32_t c, size_t end) {
  if (c == U'$' && Peek(end) == U'$') {
    ++end;
  } else if (c == U'$' && (formula_ || DelimitedEnd(Delimited::kFormula, text_, at_) > at_)) {
    formula_ = !formula_;
  } else if (IsCurrencySign(c)) {
    currency_ = true;
  }
  Drop(end, Gap::kMark);
}

void Tokenizer::Step() {
  size_t end = at_;
  const char32_t raw = unicode::NextCodePoint(text_, &end);
  if (!StepCharacter(raw, end)) StepSymbol(raw, end);
}

// Blanks, digits, letters and commands. Whether it is one.
bool Tokenizer::StepCharacter(char32_t raw, size_t end) {
  if (at_ == options_.box) {
    Add(TokenKind::kBox, end);
  } else if (IsInvisible(raw)) {
    Drop(end, Gap::kNone);
  } else if (IsBlank(raw)) {
    Drop(end, IsLineBreak(raw) ? Gap::kBreak : Gap::kBlank);
  } else if (DigitValue(raw) >= 0) {
    Add(TokenKind::kDigits, DigitsEnd(text_, at_));
  } else if (SuperscriptValue(raw) >= 0) {
    Superscript();
  } else if (SubscriptValue(raw) >= 0) {
    AddSymbol(U'_', end);
  } else if (VulgarFraction(raw)) {
    Add(TokenKind::kVulgar, end);
  } else if (raw == U'\\') {
    Backslash();
  } else {
    const char32_t c = Canonical(raw);
    if (c == symbol::kConstant || c == symbol::kDegree || !unicode::IsLetter(raw)) return false;
    Letters(raw);
  }
  return true;
}

void Tokenizer::StepSymbol(char32_t raw, size_t end) {
  const char32_t c = Canonical(raw);
  const bool compound =
      c == U'<' || c == U'=' || c == U'!' || c == U':' || c == symbol::kHyphen || c == symbol::kRelation;
  if (compound && Compound(raw, c)) return;
  if (c == U'*') return Stars();
  if (c == U'_') return Underscore(end);
  if (c == U'~') return Tilde(end);
  if (c == U'{') return Brace(end);
  if (c == U'}' && !open_.empty() && open_.back().symbol == 0) return CloseHidden(end);
  if (c == U'^') {
    if (const size_t degree = DelimitedEnd(Delimited::kRaisedDegree, text_, at_); degree > at_)
      return AddSymbol(symbol::kDegree, degree);
    const bool base = Glued() && (last()->kind != TokenKind::kSymbol || IsClosing(*last()));
    if (const size_t fraction = DelimitedEnd(Delimited::kRaisedFraction, text_, at_); fraction > at_ && !base)
      return Add(TokenKind::kVulgar, fraction);
  }
  if (c == U'\'' || c == U'\u2018' || c == U'\u2032') return Quote(c, end);
  if (c == U'.' && absl::StartsWith(rest(), "...")) return AddSymbol(symbol::kEllipsis, at_ + 3);
  if (c == U'&') return Drop(end, Gap::kBlank);
  if (IsMark(c) || (IsCombining(raw) && !(Glued() && last()->kind == TokenKind::kDigits)))
    return DropMark(c, end);
  AddSymbol(c, end);
}

// "^{...}", or the upper part of a fraction.
void Tokenizer::Superscript() {
  const size_t begin = at_;
  size_t first = begin;
  const int sign = SuperscriptValue(Peek(at_));
  const bool is_signed = sign >= kRaisedMinus;
  if (is_signed) unicode::NextCodePoint(text_, &first);
  const size_t end = SuperscriptEnd(text_, first);
  if (end == first) return AddSymbol(sign == kRaisedMinus && !BehindDigits() ? symbol::kMinus : U'^', end);
  if (const size_t below = LowerPartEnd(text_, end); !is_signed && below > end)
    return Add(TokenKind::kVulgar, below);
  AddSymbol(U'^', begin);
  AddSymbol(U'{', begin);
  if (is_signed) AddSymbol(sign == kRaisedMinus ? symbol::kMinus : U'+', first);
  Add(TokenKind::kDigits, end);
  AddSymbol(U'}', end);
}

void Tokenizer::Letters(char32_t first) {
  if (IsUnspaced(first)) {
    size_t end = at_;
    unicode::NextCodePoint(text_, &end);
    while (IsCombining(Peek(end))) unicode::NextCodePoint(text_, &end);
    return Add(TokenKind::kWord, std::max(end, at_ + LeadingTerm(rest()).size()));
  }
  const size_t end = LettersEnd(text_, at_);
  const absl::string_view word = text_.substr(at_, end - at_);
  size_t second = at_;
  unicode::NextCodePoint(text_, &second);
  const char32_t letter = end == second ? Canonical(first) : 0;  // of a word of one letter
  if (const size_t exponent = ExponentEnd(text_, end);
      exponent > end && (letter == U'e' || letter == U'E') && BehindDigits())
    return Add(TokenKind::kExponent, exponent);
  if ((letter == U'x' || letter == U'X') && IsTimes(end)) return AddSymbol(symbol::kTimes, end);
  const bool apart = IsMinusWord(word) || IsCurrencyCode(word) || ChangesNumberBehind(word);
  size_t name = apart ? end : NameEnd(text_, end);
  if (name == end && word.size() > 1 && IsCapitals(word)) name = HyphenNameEnd(text_, end);
  Add(name > end ? TokenKind::kName : TokenKind::kWord, name);
}

// Whether digits, or digits and a point, end here, or before a blank.
bool Tokenizer::BehindDigits() const {
  if (last() == nullptr || gap_ > Gap::kBlank || gap_ == Gap::kMark) return false;
  const size_t point = Glued() && IsSymbol(*last(), U'.') ? 1 : 0;
  return tokens_.size() > point && tokens_[tokens_.size() - 1 - point].kind == TokenKind::kDigits;
}

// Whether an "x" that ends at `end` stands between numbers: "1.5x10", "1.5 x 10", "5cm x 3cm", not "0x10".
bool Tokenizer::IsTimes(size_t end) const {
  if (last() == nullptr) return false;
  const bool vulgar = last()->kind == TokenKind::kVulgar || last()->kind == TokenKind::kBox;
  const bool digits = last()->kind == TokenKind::kDigits || vulgar;
  if (Glued()) return digits && last()->raw != "0" && DigitValue(Peek(end)) >= 0;
  const bool unit = tokens_.size() > 1 && last()->kind == TokenKind::kWord && IsUnit(last()->raw) &&
                    tokens_[tokens_.size() - 2].kind == TokenKind::kDigits;
  const bool fraction = IsSymbol(*last(), U'}');
  const size_t next = text_.find_first_not_of(' ', end);
  return (digits || unit || fraction) && gap_ == Gap::kBlank && next != absl::string_view::npos &&
         next > end && DigitValue(Peek(next)) >= 0;
}

}  // namespace lvrpo::numbers
