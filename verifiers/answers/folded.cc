#include "verifiers/answers/folded.h"

#include "data/unicode/unicode.h"
#include "data/unicode/unicode_forms.h"

namespace lvrpo {
namespace {

// Tags (of flags: England's and Scotland's differ in nothing else) are kept.
bool HasNoWidth(char32_t c) { return unicode::IsIgnorable(c) && !(c >= 0xE0020 && c <= 0xE007F); }

bool IsSuperscript(char32_t c) {
  return c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 || (c >= 0x2074 && c <= 0x207B);
}
bool IsSubscript(char32_t c) { return c >= 0x2080 && c <= 0x208B; }
bool IsFraction(char32_t c) { return (c >= 0xBC && c <= 0xBE) || (c >= 0x2150 && c <= 0x215F); }

bool BeginsWithLetter(absl::string_view text) {
  size_t at = 0;
  return unicode::IsLetter(unicode::NextCodePoint(text, &at));
}

// Replacements that must be made before normalisation.
std::string Prepared(absl::string_view text) {
  std::string prepared;
  prepared.reserve(text.size());
  bool behind_digit = false, behind_term = false;
  char32_t before = 0;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = unicode::NextCodePoint(text, &at);
    if (HasNoWidth(c)) continue;
    if (behind_term && IsSuperscript(c)) prepared += '^';
    if (behind_digit && IsSubscript(c)) prepared += '_';
    if (behind_digit && IsFraction(c)) prepared += ' ';
    behind_digit = unicode::IsNumber(c) && !IsSuperscript(c) && !IsSubscript(c) && !IsFraction(c);
    behind_term = behind_digit || unicode::IsLetter(c) || IsSubscript(c) || c == ')' || c == ']' || c == '}';
    const bool apostrophe =
        c == '`' && unicode::IsLetter(before) && at < text.size() && BeginsWithLetter(text.substr(at));
    before = c;
    // The form KC takes an acute accent for a blank with an accent, and a double prime for two primes.
    if (c == 0xB4 || apostrophe) {
      prepared += '\'';
    } else if (c == 0x2033 || c == 0x2036) {
      prepared += '"';
    } else {
      unicode::AppendUtf8(c, &prepared);
    }
  }
  return prepared;
}

// The ASCII mark that a typographic one stands for; or itself.
char32_t PlainMark(char32_t c) {
  switch (c) {
    case 0x2018:
    case 0x2019:
    case 0x201A:
    case 0x201B:
    case 0x2039:
    case 0x203A:
    case 0x2032:
    case 0x2035:
    case 0x02B9:
    case 0x02BB:
    case 0x02BC:
    case 0x02BD:
    case 0x05F3:
    case 0xA78C:
    case 0x275B:
    case 0x275C:
      return '\'';
    case 0x201C:
    case 0x201D:
    case 0x201E:
    case 0x201F:
    case 0x00AB:
    case 0x00BB:
    case 0x02BA:
    case 0x02EE:
    case 0x05F4:
    case 0x300C:
    case 0x300D:
    case 0x300E:
    case 0x300F:
    case 0x301D:
    case 0x301E:
    case 0x301F:
    case 0x275D:
    case 0x275E:
      return '"';
    case 0x2010:
    case 0x2011:
    case 0x2012:
    case 0x2013:
    case 0x2014:
    case 0x2015:
    case 0x2212:
    case 0x2043:
    case 0x02D7:
    case 0x2796:
    case 0x2E3A:
    case 0x2E3B:
      return '-';
    case 0x2044:
      return '/';
    default:
      return c;
  }
}

}  // namespace

std::string Plain(absl::string_view text) {
  const std::string normal = unicode::ToNfkc(Prepared(text));
  std::string plain;
  plain.reserve(normal.size());
  for (size_t at = 0; at < normal.size();)
    unicode::AppendUtf8(PlainMark(unicode::NextCodePoint(normal, &at)), &plain);
  return plain;
}

std::string Folded(absl::string_view text, Spaces spaces, Case letters) {
  std::string plain = Plain(text);
  if (letters == Case::kFold) plain = unicode::ToNfkc(unicode::CaseFold(plain));
  std::string folded;
  folded.reserve(plain.size());
  bool space_before = false;
  for (size_t at = 0; at < plain.size();) {
    const size_t begin = at;
    if (unicode::IsSpace(unicode::NextCodePoint(plain, &at))) {
      space_before = true;
      continue;
    }
    if (space_before && spaces == Spaces::kSingle && !folded.empty()) folded += ' ';
    space_before = false;
    folded.append(plain, begin, at - begin);
  }
  return folded;
}

}  // namespace lvrpo
