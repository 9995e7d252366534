#include "absl/strings/match.h"
#include "data/unicode/unicode.h"
#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/tokenizer.h"
#include "verifiers/number_tokens/word_set.h"

namespace lvrpo::numbers {
namespace {

constexpr size_t kMostQuoteMarks = 16;  // of a quoted line

// Whether a tag only says how its content looks; others divide what is before from what is after.
bool IsInlineTag(absl::string_view tag) {
  static const auto* const tags = new WordSet("b i u em strong span code tt kbd font small big mark a");
  const size_t begin = absl::StartsWith(tag, "</") ? 2 : 1;
  return tags->Has(tag.substr(begin, tag.find_first_of(" \t\n/>", begin) - begin));
}

}  // namespace

// Tags, arrows, relations of several characters, quoted lines. Whether there was one.
bool Tokenizer::Compound(char32_t raw, char32_t c) {
  if (raw == U'<' && Markup()) return true;
  if (Sequence()) return true;
  if (raw == U'>' && !options_.alone && BeginsLine()) {  // a quoted line
    Drop(at_ + 1, Gap::kBreak);
    return true;
  }
  return false;
}

bool Tokenizer::Markup() {
  if (const size_t struck = DelimitedEnd(Delimited::kStruck, text_, at_); struck > at_) {
    Drop(struck, Gap::kBlank);
    return true;
  }
  const size_t end = DelimitedEnd(Delimited::kMarkup, text_, at_);
  if (end == at_) return false;
  const absl::string_view tag = text_.substr(at_, end - at_);
  const bool sup = tag == "<sup>", sub = tag == "<sub>";
  const bool base = Glued() && last()->kind != TokenKind::kDigits &&
                    (last()->kind != TokenKind::kSymbol || IsClosing(*last()));
  if (const size_t fraction = DelimitedEnd(Delimited::kRaisedFraction, text_, at_); fraction > at_ && !base) {
    Add(TokenKind::kVulgar, fraction);
    return true;
  }
  if (sup || sub) {
    AddSymbol(sup ? U'^' : U'_', at_);
    AddSymbol(U'{', end);
  } else if (tag == "</sup>" || tag == "</sub>") {
    AddSymbol(U'}', end);
  } else {
    Drop(end, IsInlineTag(tag) ? Gap::kMark : Gap::kBreak);
  }
  return true;
}

// "=>", ">=", "!=", "==", ":=", "--".
bool Tokenizer::Sequence() {
  struct Row {
    absl::string_view text;
    char32_t symbol;  // 0: a break
  };
  static constexpr Row kRows[] = {
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
  for (const Row& row : kRows) {
    if (!absl::StartsWith(rest(), row.text)) continue;
    const size_t end = at_ + row.text.size();
    if (row.text == "<-" && DigitValue(Peek(end)) >= 0) continue;  // x<-2
    if (row.text == "!=" && Glued() && (last()->kind == TokenKind::kDigits || IsClosing(*last())))
      continue;  // 5!=120
    if (row.symbol != 0) {
      AddSymbol(row.symbol, end);
    } else if (options_.alone && !absl::StrContains(row.text, "=")) {
      AddSymbol(symbol::kRelation, end);  // an arrow that is no conclusion
    } else {
      Drop(end, Gap::kBreak);
    }
    return true;
  }
  return false;
}

// Whether nothing but marks of quoted lines stands before in the line.
bool Tokenizer::BeginsLine() const {
  size_t begin = at_;
  while (begin > 0 && at_ - begin < kMostQuoteMarks &&
         (text_[begin - 1] == ' ' || text_[begin - 1] == '>' || text_[begin - 1] == '\t'))
    --begin;
  return begin == 0 || text_[begin - 1] == '\n' || text_[begin - 1] == '\r';
}

// Between digits an apostrophe groups them, or is feet and minutes before inches and seconds; else a mark.
void Tokenizer::Quote(char32_t c, size_t end) {
  const bool follows = Glued() && (last()->kind == TokenKind::kDigits || last()->kind == TokenKind::kVulgar);
  if (follows && c != U'\u2018') {
    if (c == U'\'' && DigitValue(Peek(end)) >= 0) return AddSymbol(U'\'', end);
    const size_t next = text_.find_first_not_of(' ', end);
    if (next != absl::string_view::npos && DigitValue(Peek(next)) >= 0) return AddSymbol(symbol::kPrime, end);
  }
  Drop(end, Gap::kMark);
}

// "*" between two operands is a product, "**" a power; otherwise they are emphasis or a bullet.
void Tokenizer::Stars() {
  size_t end = text_.find_first_not_of('*', at_);
  if (end == absl::string_view::npos) end = text_.size();
  const char32_t after = Peek(end);
  const bool blank_after = after == 0 || IsBlank(after);
  const size_t next = text_.find_first_not_of(' ', end);
  const char32_t operand = next == absl::string_view::npos ? 0 : Peek(next);
  const bool left =
      last() != nullptr && gap_ <= Gap::kBlank && (last()->kind != TokenKind::kSymbol || IsClosing(*last()));
  const bool right = operand != 0 && (unicode::IsLetter(operand) || DigitValue(operand) >= 0 ||
                                      operand == U'(' || operand == U'\\' || operand == U'-');
  const bool symmetrical = gap_ == Gap::kBlank ? blank_after : Glued() && !blank_after && !emphasis_;
  if (left && right && symmetrical && end - at_ <= 2)
    return AddSymbol(end - at_ == 1 ? symbol::kTimes : U'^', end);
  emphasis_ = !blank_after && !(Glued() && emphasis_);
  Drop(end, Gap::kMark);
}

void Tokenizer::Underscore(size_t end) {
  const char32_t after = Peek(end);
  const bool digits = Glued() && last()->kind == TokenKind::kDigits && DigitValue(after) >= 0;
  const bool subscript = Glued() && !digits && last()->kind != TokenKind::kDigits &&
                         (last()->kind != TokenKind::kSymbol || IsClosing(*last())) &&
                         (after == U'{' || unicode::IsLetter(after) || DigitValue(after) >= 0);
  const bool base = Glued() && IsNumeral(*last()) && after == U'{';  // 101_{2}
  return digits || subscript || base ? AddSymbol(U'_', end) : Drop(end, Gap::kMark);
}

// What is struck out, LaTeX's blank, or "about" before a number.
void Tokenizer::Tilde(size_t end) {
  if (const size_t struck = DelimitedEnd(Delimited::kStruck, text_, at_); struck > at_)
    return Drop(struck, Gap::kBlank);
  const char32_t after = Peek(end);
  if (last() != nullptr && IsMinusSign(*last())) return Drop(end, Gap::kBlank);  // "-~5"
  const bool number = DigitValue(after) >= 0 || after == U'-' || after == U'$' || after == U'.';
  const bool operand = Glued() && last()->kind == TokenKind::kDigits;
  return number && !operand ? AddSymbol(symbol::kAlmost, end) : Drop(end, Gap::kBlank);
}

}  // namespace lvrpo::numbers
