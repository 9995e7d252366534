#include "verifiers/numbers/number_tokens.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "data/unicode/unicode.h"
#include "verifiers/numbers/latex_commands.h"
#include "verifiers/numbers/number_characters.h"
#include "verifiers/numbers/number_scan.h"
#include "verifiers/numbers/number_words.h"

namespace lvrpo::numbers {
namespace {

class Tokenizer {
 public:
  explicit Tokenizer(absl::string_view text) : text_(text) {}

  std::vector<Token> Run() {
    while (at_ < text_.size()) Step();
    return std::move(tokens_);
  }

 private:
  char32_t Peek(size_t at) const { return PeekCodePoint(text_, at); }
  absl::string_view rest() const { return text_.substr(at_); }
  const Token* last() const { return tokens_.empty() ? nullptr : &tokens_.back(); }
  // Whether the token before ends right here.
  bool Glued() const { return last() != nullptr && gap_ == Gap::kNone; }

  void Widen(Gap gap) { gap_ = std::max(gap_, gap); }

  void Add(TokenKind kind, size_t end, char32_t symbol = 0) {
    tokens_.push_back({kind, gap_, in_words_ > 0, symbol, kNoPartner, text_.substr(at_, end - at_)});
    gap_ = Gap::kNone;
    at_ = end;
  }
  void AddSymbol(char32_t symbol, size_t end) {
    Add(TokenKind::kSymbol, end, symbol);
    if (symbol == U'(' || symbol == U'[' || symbol == U'{') {
      open_.push_back({symbol, tokens_.size() - 1, 0});
    } else if (symbol == U')' || symbol == U']' || symbol == U'}') {
      Close(symbol);
    }
  }
  void Close(char32_t closing) {
    const char32_t opening = closing == U')' ? U'(' : closing == U']' ? U'[' : U'{';
    // "[1, 2)" is an interval: round and square ones close each other, braces only themselves.
    if (open_.empty() || open_.back().symbol == 0 || (open_.back().symbol == U'{') != (opening == U'{'))
      return;
    const size_t place = open_.back().token;
    tokens_.back().partner = place;
    tokens_[place].partner = tokens_.size() - 1;
    open_.pop_back();
  }

  void Step() {
    size_t end = at_;
    const char32_t raw = unicode::NextCodePoint(text_, &end);
    if (IsInvisible(raw)) return Drop(end, Gap::kNone);
    if (IsBlank(raw)) return Drop(end, IsLineBreak(raw) ? Gap::kBreak : Gap::kBlank);
    if (DigitValue(raw) >= 0) return Add(TokenKind::kDigits, DigitsEnd(text_, at_));
    if (SuperscriptValue(raw) >= 0) return Superscript();
    if (SubscriptValue(raw) >= 0) return AddSymbol(U'_', end);
    if (VulgarFraction(raw)) return Add(TokenKind::kVulgar, end);
    if (raw == U'\\') return Backslash();
    const char32_t c = Canonical(raw);
    if (c != symbol::kConstant && c != symbol::kDegree && unicode::IsLetter(raw)) return Letters(raw);
    if (c == U'<' || c == U'=' || c == U'!' || c == U':' || c == symbol::kHyphen || c == symbol::kRelation) {
      if (Compound(raw, c)) return;
    }
    if (c == U'*') return Stars();
    if (c == U'_') return Underscore(end);
    if (c == U'~') return Tilde(end);
    if (c == U'{') return Brace(end);
    if (c == U'}' && !open_.empty() && open_.back().symbol == 0) {
      in_words_ -= open_.back().words;
      open_.pop_back();
      return Drop(end, Gap::kNone);
    }
    if (c == U'^') {
      if (const size_t degree = RaisedDegreeEnd(text_, at_); degree > at_)
        return AddSymbol(symbol::kDegree, degree);
    }
    if (c == U'\'' || c == U'\u2018') {
      const bool between = Glued() && last()->kind == TokenKind::kDigits && DigitValue(Peek(end)) >= 0;
      return between ? AddSymbol(U'\'', end) : Drop(end, Gap::kMark);
    }
    if (c == U'.' && absl::StartsWith(rest(), "...")) return AddSymbol(symbol::kEllipsis, at_ + 3);
    if (c == U'&') return Drop(end, Gap::kBlank);
    if (IsMark(c) || (IsCombining(raw) && !(Glued() && last()->kind == TokenKind::kDigits)))
      return Drop(end, Gap::kMark);
    AddSymbol(c, end);
  }

  void Drop(size_t end, Gap gap) {
    Widen(gap);
    at_ = end;
  }

  // "^{...}", or the upper part of a fraction.
  void Superscript() {
    const size_t begin = at_;
    size_t first = begin;
    const bool minus = SuperscriptValue(Peek(at_)) == kRaisedMinus;
    if (minus) unicode::NextCodePoint(text_, &first);
    const size_t end = SuperscriptEnd(text_, first);
    if (end == first) return AddSymbol(symbol::kMinus, end);
    if (const size_t below = LowerPartEnd(text_, end); !minus && below > end)
      return Add(TokenKind::kVulgar, below);
    AddSymbol(U'^', begin);
    AddSymbol(U'{', begin);
    if (minus) AddSymbol(symbol::kMinus, first);
    Add(TokenKind::kDigits, end);
    AddSymbol(U'}', end);
  }

  void Letters(char32_t first) {
    if (IsUnspaced(first)) {
      size_t end = at_;
      unicode::NextCodePoint(text_, &end);
      while (IsCombining(Peek(end))) unicode::NextCodePoint(text_, &end);
      return Add(TokenKind::kWord, std::max(end, at_ + LeadingTerm(rest()).size()));
    }
    const size_t end = LettersEnd(text_, at_);
    const absl::string_view word = text_.substr(at_, end - at_);
    if (const size_t exponent = ExponentEnd(text_, end);
        exponent > end && (word == "e" || word == "E") && BehindDigits())
      return Add(TokenKind::kExponent, exponent);
    if ((word == "x" || word == "X") && IsTimes(end)) return AddSymbol(symbol::kTimes, end);
    const bool apart = IsMinusWord(word) || IsCurrencyCode(word) || ChangesNumberBehind(word);
    const size_t name = apart ? end : NameEnd(text_, end);
    Add(name > end ? TokenKind::kName : TokenKind::kWord, name);
  }

  // Whether digits, or digits and a point, end right here.
  bool BehindDigits() const {
    if (!Glued()) return false;
    const size_t point = IsSymbol(*last(), U'.') ? 1 : 0;
    return tokens_.size() > point && tokens_[tokens_.size() - 1 - point].kind == TokenKind::kDigits;
  }

  // Whether an "x" that ends at `end` stands between numbers: "1.5x10", "1.5 x 10", "5cm x 3cm", not "0x10".
  bool IsTimes(size_t end) const {
    if (last() == nullptr) return false;
    const bool digits = last()->kind == TokenKind::kDigits;
    if (Glued()) return digits && last()->raw != "0" && DigitValue(Peek(end)) >= 0;
    const bool unit = tokens_.size() > 1 && last()->kind == TokenKind::kWord && IsUnit(last()->raw) &&
                      tokens_[tokens_.size() - 2].kind == TokenKind::kDigits;
    const size_t next = text_.find_first_not_of(' ', end);
    return (digits || unit) && gap_ == Gap::kBlank && next != absl::string_view::npos && next > end &&
           DigitValue(Peek(next)) >= 0;
  }

  void Backslash() {
    size_t end = at_ + 1;
    if (end >= text_.size()) return Drop(end, Gap::kMark);
    const unsigned char c = text_[end];
    if (!absl::ascii_isalpha(c)) {
      if (c == '\\') return Drop(end + 1, Gap::kBreak);
      if (c == '!') return Drop(end + 1, Gap::kNone);
      if (absl::StrContains(",;:> /", absl::string_view(text_.data() + end, 1)))
        return Drop(end + 1, Gap::kBlank);
      if (c == '{' || c == '}') return AddSymbol(c == '{' ? U'[' : U']', end + 1);
      if (c == '|' || c == '%' || c == '_' || c == '\'') {
        ++at_;
        return c == '_' ? Underscore(end + 1) : AddSymbol(c, end + 1);
      }
      return Drop(c < 0x80 ? end + 1 : end, Gap::kMark);  // \$, \(, \[, \# and their like
    }
    while (end < text_.size() && absl::ascii_isalpha(static_cast<unsigned char>(text_[end]))) ++end;
    const absl::string_view name = text_.substr(at_ + 1, end - at_ - 1);
    switch (CommandOf(name)) {
      case Command::kFraction:
        return Add(TokenKind::kFraction, end);
      case Command::kLetter:
        return Add(TokenKind::kCommand, end);
      case Command::kSymbol:
        return AddSymbol(CommandSymbol(name), end);
      case Command::kIgnored:
        return Drop(end, Gap::kNone);
      case Command::kBlank:
        return Drop(end, Gap::kBlank);
      case Command::kBreak:
        return Drop(end, Gap::kBreak);
      case Command::kTransparent:
      case Command::kWords: {
        const size_t brace = text_.find_first_not_of(" \t\n", end);
        if (brace == absl::string_view::npos || text_[brace] != '{') return Drop(end, Gap::kNone);
        const int words = CommandOf(name) == Command::kWords ? 1 : 0;
        in_words_ += words;
        open_.push_back({0, 0, words});
        return Drop(brace + 1, Gap::kNone);
      }
      case Command::kSkipped: {
        Drop(end, name == "begin" || name == "end" ? Gap::kBreak : Gap::kNone);
        at_ = ArgumentEnd(text_, end);
        return;
      }
    }
  }

  // Tags, "=>", "->", ">=", "!=", "==", ":=", "--", quoted lines. Whether there was one.
  bool Compound(char32_t raw, char32_t c) {
    if (raw == U'<') {
      if (const size_t end = MarkupEnd(text_, at_); end > at_) {
        const absl::string_view tag = text_.substr(at_, end - at_);
        const bool sup = tag == "<sup>", sub = tag == "<sub>";
        if (sup || sub) {
          AddSymbol(sup ? U'^' : U'_', at_);
          AddSymbol(U'{', end);
        } else if (tag == "</sup>" || tag == "</sub>") {
          AddSymbol(U'}', end);
        } else {
          Drop(end, absl::StartsWith(tag, "<br") ? Gap::kBreak : Gap::kMark);
        }
        return true;
      }
    }
    struct Sequence {
      absl::string_view text;
      char32_t symbol;  // 0: a break
    };
    static constexpr Sequence kSequences[] = {
        {"<=>", 0},
        {"==>", 0},
        {"-->", 0},
        {"=>", 0},
        {"->", 0},
        {"<-", 0},
        {">=", symbol::kRelation},
        {"<=", symbol::kRelation},
        {"!=", symbol::kRelation},
        {"<>", symbol::kRelation},
        {"===", U'='},
        {"==", U'='},
        {":=", U'='},
        {"---", symbol::kSeparator},
        {"--", symbol::kSeparator},
    };
    for (const Sequence& sequence : kSequences) {
      if (!absl::StartsWith(rest(), sequence.text)) continue;
      const size_t end = at_ + sequence.text.size();
      if (sequence.text == "<-" && DigitValue(Peek(end)) >= 0) continue;  // x<-2
      if (sequence.text == "!=" && Glued() && (last()->kind == TokenKind::kDigits || IsClosing(*last())))
        continue;  // 5!=120
      if (sequence.symbol == 0) {
        Drop(end, Gap::kBreak);
      } else {
        AddSymbol(sequence.symbol, end);
      }
      return true;
    }
    if (raw == U'>' && (gap_ == Gap::kBreak || last() == nullptr)) {  // a quoted line
      Drop(at_ + 1, Gap::kBreak);
      return true;
    }
    return false;
  }

  // "*" between two operands is a product, "**" a power; otherwise they are emphasis or a bullet.
  void Stars() {
    size_t end = text_.find_first_not_of('*', at_);
    if (end == absl::string_view::npos) end = text_.size();
    const char32_t after = Peek(end);
    const bool blank_after = after == 0 || IsBlank(after);
    const size_t next = text_.find_first_not_of(' ', end);
    const char32_t operand = next == absl::string_view::npos ? 0 : Peek(next);
    const bool left = last() != nullptr && gap_ <= Gap::kBlank &&
                      (last()->kind != TokenKind::kSymbol || IsClosing(*last()));
    const bool right = operand != 0 && (unicode::IsLetter(operand) || DigitValue(operand) >= 0 ||
                                        operand == U'(' || operand == U'\\' || operand == U'-');
    const bool symmetrical = gap_ == Gap::kBlank ? blank_after : Glued() && !blank_after && !emphasis_;
    if (left && right && symmetrical && end - at_ <= 2)
      return AddSymbol(end - at_ == 1 ? symbol::kTimes : U'^', end);
    emphasis_ = !blank_after && !(Glued() && emphasis_);
    Drop(end, Gap::kMark);
  }

  void Underscore(size_t end) {
    const char32_t after = Peek(end);
    const bool digits = Glued() && last()->kind == TokenKind::kDigits && DigitValue(after) >= 0;
    const bool subscript = Glued() && !digits && last()->kind != TokenKind::kDigits &&
                           (last()->kind != TokenKind::kSymbol || IsClosing(*last())) &&
                           (after == U'{' || unicode::IsLetter(after) || DigitValue(after) >= 0);
    return digits || subscript ? AddSymbol(U'_', end) : Drop(end, Gap::kMark);
  }

  // LaTeX's blank, or "about" before a number.
  void Tilde(size_t end) {
    const char32_t after = Peek(end);
    const bool number = DigitValue(after) >= 0 || after == U'-' || after == U'$' || after == U'.';
    const bool operand = Glued() && last()->kind == TokenKind::kDigits;
    return number && !operand ? AddSymbol(symbol::kAlmost, end) : Drop(end, Gap::kBlank);
  }

  // "{-}", "{,}", "{.}", "{}" and "{\,}" are replaced by the content of the braces.
  void Brace(size_t end) {
    const size_t close = text_.substr(0, end + 4).find('}', end);
    const absl::string_view inside = close == absl::string_view::npos ? "" : text_.substr(end, close - end);
    if (close == end) return Drop(end + 1, Gap::kNone);
    if (inside == "\\," || inside == "\\;" || inside == "\\:" || inside == "~" || inside == " " ||
        inside == "\\ ")
      return Drop(close + 1, Gap::kBlank);
    if (!inside.empty()) {
      size_t after = 0;
      const char32_t c = Canonical(unicode::NextCodePoint(inside, &after));
      const bool sign = c == symbol::kHyphen || c == symbol::kMinus || c == symbol::kDash || c == U'+';
      if (after == inside.size() && (sign || c == U',' || c == U'.' || c == U'\''))
        return AddSymbol(c, close + 1);
    }
    AddSymbol(U'{', end);
  }

  struct Open {
    char32_t symbol;  // 0: a brace that is not shown
    size_t token;
    int words;
  };

  absl::string_view text_;
  size_t at_ = 0;
  Gap gap_ = Gap::kNone;
  int in_words_ = 0;
  bool emphasis_ = false;
  std::vector<Open> open_;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> Tokenize(absl::string_view text) {
  std::vector<Token> tokens = Tokenizer(text).Run();
  if (!tokens.empty()) tokens.front().gap = Gap::kBreak;
  return tokens;
}

bool IsSymbol(const Token& token, char32_t symbol) {
  return token.kind == TokenKind::kSymbol && token.symbol == symbol;
}
bool IsOpening(const Token& token) {
  return token.kind == TokenKind::kSymbol &&
         (token.symbol == U'(' || token.symbol == U'[' || token.symbol == U'{');
}
bool IsClosing(const Token& token) {
  return token.kind == TokenKind::kSymbol &&
         (token.symbol == U')' || token.symbol == U']' || token.symbol == U'}');
}
bool IsMinusSign(const Token& token) {
  return IsSymbol(token, symbol::kHyphen) || IsSymbol(token, symbol::kDash) ||
         IsSymbol(token, symbol::kMinus);
}
bool IsUnspacedWord(const Token& token) {
  if (token.kind != TokenKind::kWord) return false;
  size_t at = 0;
  return IsUnspaced(unicode::NextCodePoint(token.raw, &at));
}
bool IsLetter(const Token& token) {
  if (token.kind != TokenKind::kWord || IsUnspacedWord(token)) return false;
  size_t at = 0;
  unicode::NextCodePoint(token.raw, &at);
  return at == token.raw.size();
}

}  // namespace lvrpo::numbers
