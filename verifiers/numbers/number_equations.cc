#include "verifiers/numbers/number_equations.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "verifiers/number_tokens/latex_commands.h"
#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/number_units.h"
#include "verifiers/number_tokens/number_words.h"

namespace lvrpo::numbers {
namespace {

constexpr size_t kMostSideTokens = 64;

// "xy": two small letters that are no word.
bool IsProduct(const Token& token) {
  const absl::string_view word = token.raw;
  if (token.kind != TokenKind::kWord || word.size() != 2 || token.in_words || IsUnit(word)) return false;
  if (word == "ab" || word == "ac" || word == "ad" || word == "ay") return true;
  for (const char c : word) {
    if (!absl::ascii_islower(static_cast<unsigned char>(c)) || absl::StrContains("aeiou", c)) return false;
  }
  return word != "by" && word != "my";
}

// One side of an equation, read from its end: an unknown, and what is done to it.
class SideReader {
 public:
  SideReader(const Passage& passage, const Quantity& value) : tokens_(passage.tokens), value_(value) {}

  // Whether the sides before `equals` are all expressions with an unknown in them.
  bool Transformed(size_t equals) {
    bool transformed = false;
    for (size_t left = kMostSideTokens; equals > 0; --equals) {
      size_t at = SquaredNameBegin(tokens_, equals, value_);
      unknown_ = at < equals;
      changed_ = false;
      while (left > 0 && at > 0 && Takes(&at)) --left;
      const bool name = unknown_ ? !changed_ : at == equals && at > 0 && IsWord(at - 1);
      if (name) return false;
      transformed = transformed || unknown_;
      if (at == 0 || left == 0 || !IsSymbol(tokens_[at - 1], U'=')) return transformed;
      equals = at;
    }
    return transformed;
  }

 private:
  bool IsWord(size_t at) const {
    return tokens_[at].kind == TokenKind::kWord && tokens_[at + 1].gap != Gap::kBreak;
  }

  // Takes the token before *at, with its bracket if it ends one, where it belongs to the side.
  bool Takes(size_t* at) {
    const Token& token = tokens_[*at - 1];
    if (*at < tokens_.size() && tokens_[*at].gap == Gap::kBreak) return false;
    if (IsClosing(token)) return TakesBracket(at);
    if (!Belongs(*at - 1)) return false;
    --*at;
    return true;
  }

  bool Belongs(size_t at) {
    const Token& token = tokens_[at];
    switch (token.kind) {
      case TokenKind::kDigits:
        changed_ = changed_ || at == 0 || !IsSymbol(tokens_[at - 1], U'_');
        return true;
      case TokenKind::kVulgar:
      case TokenKind::kExponent:
      case TokenKind::kFraction:
      case TokenKind::kBox:
        changed_ = true;
        return true;
      case TokenKind::kName:
        unknown_ = true;
        return true;
      case TokenKind::kCommand:
        (IsFunctionWord(token.raw.substr(1)) ? changed_ : unknown_) = true;
        return true;
      case TokenKind::kWord:
        return BelongsWord(at);
      case TokenKind::kSymbol:
        return BelongsSymbol(at);
    }
    return false;
  }

  bool BelongsWord(size_t at) {
    const Token& token = tokens_[at];
    if (IsUnspacedWord(token)) return false;
    const bool behind_digits = at > 0 && IsNumeral(tokens_[at - 1]) && token.gap <= Gap::kBlank;
    if (IsLetter(token)) {
      const bool divides = at > 0 && IsSymbol(tokens_[at - 1], U'/');
      unknown_ = unknown_ || !(value_.has_unit && IsUnit(token.raw) && (behind_digits || divides));
      return true;
    }
    if (IsFunctionWord(token.raw) || ChangesNumberBefore(token.raw) || ChangesNumberBehind(token.raw) ||
        IsMathNoun(token.raw)) {
      changed_ = true;
      return token.raw != "max" && token.raw != "min" && token.raw != "gcd" && token.raw != "lcm";
    }
    if (IsProduct(token)) {
      unknown_ = changed_ = true;
      return true;
    }
    if (IsOfWord(token.raw)) return at > 0 && IsMathNoun(tokens_[at - 1].raw);
    if (!behind_digits || token.gap != Gap::kNone) return false;
    unknown_ = unknown_ || !IsUnit(token.raw);  // "2xy"
    return true;
  }

  bool BelongsSymbol(size_t at) {
    const Token& token = tokens_[at];
    if (IsMinusSign(token) && token.gap >= Gap::kBlank && tokens_[at + 1].gap >= Gap::kBlank &&
        (at == 0 || token.gap == Gap::kBreak ||
         (tokens_[at - 1].kind == TokenKind::kWord && !IsLetter(tokens_[at - 1]))))
      return false;  // a dash
    switch (token.symbol) {
      case U'_':
      case U'\'':
        return true;
      case U'^':
      case U'|':
      case U'!':
      case symbol::kRoot:
      case symbol::kConstant:
      case U'(':
      case U'[':
      case U'{':
        changed_ = true;
        return true;
      default:
        if (!IsOperator(token) && !IsMathSign(token.symbol)) return false;
        changed_ = true;
        return true;
    }
  }

  // "f(2)", "x_{1}" and "\vec{v}" are names; the content of other brackets is part of the side.
  bool TakesBracket(size_t* at) {
    const size_t open = tokens_[*at - 1].partner;
    if (open == kNoPartner) return false;
    if (open > 0 && tokens_[open].gap <= Gap::kMark) {
      const Token& before = tokens_[open - 1];
      const bool word =
          before.kind == TokenKind::kWord && !IsUnspacedWord(before) && !IsFunctionWord(before.raw);
      const bool command = before.kind == TokenKind::kCommand && !IsFunctionWord(before.raw.substr(1));
      if (word || before.kind == TokenKind::kName || IsSymbol(before, U'_')) {
        *at = open;
        return true;
      }
      if (command) {
        unknown_ = true;
        *at = open - 1;
        return true;
      }
    }
    changed_ = changed_ || !IsSymbol(tokens_[open], U'{') || open == 0 ||
               tokens_[open - 1].kind == TokenKind::kFraction;
    --*at;
    return true;
  }

  const std::vector<Token>& tokens_;
  const Quantity& value_;
  bool unknown_ = false, changed_ = false;
};

// "x, y" and "a:b" are two names.
bool Divides(const std::vector<Token>& tokens, size_t mark) { return mark > 0 && IsLetter(tokens[mark - 1]); }

// "|AB|" is a length; other bars are an absolute value.
bool IsLength(const std::vector<Token>& tokens, size_t bar, size_t end) {
  const auto is_name = [&](size_t at) {
    return at < end && tokens[at].kind == TokenKind::kWord && tokens[at].raw.size() > 1;
  };
  return is_name(bar + 1) || (bar > 0 && is_name(bar - 1));
}

}  // namespace

bool IsTransformed(const Passage& passage, size_t equals, const Quantity& value) {
  return SideReader(passage, value).Transformed(equals);
}

bool IsName(const std::vector<Token>& tokens, size_t begin, size_t end) {
  bool named = false;
  int brackets = 0;
  for (size_t at = begin; at < end; ++at) {
    const Token& token = tokens[at];
    switch (token.kind) {
      case TokenKind::kWord:
        if (DeniesAnswer(token.raw) || (IsFunctionWord(token.raw) && at + 1 < end)) return false;
        if (IsProduct(token) || (at > begin && ChangesNumberBefore(token.raw))) return false;
        named = true;
        break;
      case TokenKind::kName:
        named = true;
        break;
      case TokenKind::kCommand:
        if (!IsNameCommand(token.raw.substr(1))) return false;
        named = true;
        break;
      case TokenKind::kDigits:
        // Only as an index or an argument.
        if (!named || !(IsOpening(tokens[at - 1]) || IsSymbol(tokens[at - 1], U'_') ||
                        IsSymbol(tokens[at - 1], U',') || IsMinusSign(tokens[at - 1])))
          return false;
        break;
      case TokenKind::kSymbol:
        brackets += IsOpening(token) ? 1 : IsClosing(token) ? -1 : 0;
        if (IsMinusSign(token) && at > begin && IsOpening(tokens[at - 1])) break;  // f(-2)
        if (token.symbol == U'|' && !IsLength(tokens, at, end)) return false;
        if (IsOpening(token) || IsClosing(token) || token.symbol == U'_' || token.symbol == U'|' ||
            token.symbol == U'\'')
          break;
        if (token.symbol == U':' && !Divides(tokens, at)) break;
        if (token.symbol == U',' && named && (brackets > 0 || !Divides(tokens, at))) break;
        return false;
      default:
        return false;
    }
  }
  return named;
}

}  // namespace lvrpo::numbers
