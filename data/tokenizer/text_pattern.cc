#include "data/tokenizer/text_pattern.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/unicode/unicode.h"

namespace lvrpo {

const char kQwen2Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char kLlama3Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char kGpt2Pattern[] = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const char kClipPattern[] =
    R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";
const char kSpacesPattern[] = R"(\s+)";

namespace {

using unicode::IsLetter;
using unicode::IsNumber;
using unicode::IsSpace;
using unicode::NextCodePoint;

bool IsLineEnd(char32_t c) { return c == '\r' || c == '\n'; }
bool IsOther(char32_t c) { return !IsSpace(c) && !IsLetter(c) && !IsNumber(c); }

// The end of the longest run of characters of a kind that begins at `at`, of at most `most` characters.
template <typename Kind>
size_t Run(absl::string_view text, size_t at, Kind kind, size_t most = absl::string_view::npos) {
  for (size_t count = 0; at < text.size() && count < most; ++count) {
    size_t next = at;
    if (!kind(NextCodePoint(text, &next))) break;
    at = next;
  }
  return at;
}

// ` ?X+`
template <typename Kind>
size_t SpaceAndRun(absl::string_view text, size_t at, Kind kind) {
  const size_t begin = text[at] == ' ' ? at + 1 : at;
  const size_t end = Run(text, begin, kind);
  return end == begin ? at : end;
}

// `'s|'t|'re|'ve|'m|'ll|'d`; with (?i:) also in capitals and with the long s, which folds to s.
size_t Contraction(absl::string_view text, size_t at, bool any_case) {
  if (text[at] != '\'') return at;
  const absl::string_view rest = text.substr(at + 1);
  for (const char* ending : {"s", "t", "re", "ve", "m", "ll", "d"}) {
    if (any_case ? absl::StartsWithIgnoreCase(rest, ending) : absl::StartsWith(rest, ending)) {
      return at + 1 + absl::string_view(ending).size();
    }
  }
  constexpr absl::string_view kLongS = "\xC5\xBF";
  return any_case && absl::StartsWith(rest, kLongS) ? at + 1 + kLongS.size() : at;
}

// `\s+(?!\S)|\s+`: all white space but the last character, which is left to what follows it.
size_t Spaces(absl::string_view text, size_t at) {
  size_t end = at, last = at;
  while (end < text.size()) {
    size_t next = end;
    if (!IsSpace(NextCodePoint(text, &next))) break;
    last = end;
    end = next;
  }
  return end < text.size() && last > at ? last : end;
}

// `\s*[\r\n]+`: white space up to its last line end.
size_t SpacesToLineEnd(absl::string_view text, size_t at) {
  size_t end = at;
  for (size_t next = at; next < text.size();) {
    const char32_t c = NextCodePoint(text, &next);
    if (!IsSpace(c)) break;
    if (IsLineEnd(c)) end = next;
  }
  return end;
}

template <size_t kDigits>
size_t MatchQwen2(absl::string_view text, size_t at) {
  if (const size_t end = Contraction(text, at, /*any_case=*/true); end > at) return end;
  size_t behind_first = at;
  const char32_t first = NextCodePoint(text, &behind_first);
  if (IsLetter(first)) return Run(text, behind_first, IsLetter);
  if (IsNumber(first)) return Run(text, at, IsNumber, kDigits);
  if (!IsLineEnd(first)) {
    if (const size_t end = Run(text, behind_first, IsLetter); end > behind_first) return end;
  }
  if (const size_t end = SpaceAndRun(text, at, IsOther); end > at) return Run(text, end, IsLineEnd);
  if (const size_t end = SpacesToLineEnd(text, at); end > at) return end;
  return Spaces(text, at);
}

size_t MatchGpt2(absl::string_view text, size_t at) {
  if (const size_t end = Contraction(text, at, /*any_case=*/false); end > at) return end;
  if (const size_t end = SpaceAndRun(text, at, IsLetter); end > at) return end;
  if (const size_t end = SpaceAndRun(text, at, IsNumber); end > at) return end;
  if (const size_t end = SpaceAndRun(text, at, IsOther); end > at) return end;
  return Spaces(text, at);
}

size_t MatchClip(absl::string_view text, size_t at) {
  for (const absl::string_view token : {"<|startoftext|>", "<|endoftext|>"}) {
    if (absl::StartsWith(text.substr(at), token)) return at + token.size();
  }
  if (const size_t end = Contraction(text, at, /*any_case=*/false); end > at) return end;
  if (const size_t end = Run(text, at, IsLetter); end > at) return end;
  if (const size_t end = Run(text, at, IsNumber, 1); end > at) return end;
  return Run(text, at, IsOther);
}

size_t MatchSpaces(absl::string_view text, size_t at) { return Run(text, at, IsSpace); }

size_t MatchWords(absl::string_view text, size_t at) {
  if (const size_t end = Run(text, at, unicode::IsWordCharacter); end > at) return end;
  return Run(text, at, [](char32_t c) { return !unicode::IsWordCharacter(c) && !IsSpace(c); });
}

size_t MatchOneSpace(absl::string_view text, size_t at) { return Run(text, at, IsSpace, 1); }
size_t MatchOneDigit(absl::string_view text, size_t at) { return Run(text, at, IsNumber, 1); }

struct KnownPattern {
  const char* regex;
  size_t (*matcher)(absl::string_view, size_t);
};

constexpr KnownPattern kKnown[] = {
    {kQwen2Pattern, MatchQwen2<1>}, {kLlama3Pattern, MatchQwen2<3>}, {kGpt2Pattern, MatchGpt2},
    {kClipPattern, MatchClip},      {kSpacesPattern, MatchSpaces},
};

}  // namespace

TextPattern TextPattern::Literal(std::string text) {
  TextPattern pattern;
  pattern.literal_ = std::move(text);
  return pattern;
}

TextPattern TextPattern::Known(absl::string_view regex) {
  TextPattern pattern;
  for (const KnownPattern& known : kKnown) {
    if (regex == known.regex) pattern.matcher_ = known.matcher;
  }
  return pattern;
}

TextPattern TextPattern::By(Matcher matcher) {
  TextPattern pattern;
  pattern.matcher_ = matcher;
  return pattern;
}

TextPattern WordsPattern() { return TextPattern::By(MatchWords); }
TextPattern OneSpacePattern() { return TextPattern::By(MatchOneSpace); }
TextPattern OneDigitPattern() { return TextPattern::By(MatchOneDigit); }

absl::StatusOr<TextPattern> PunctuationPattern() {
  return TextPattern::FromJson({{"Regex", R"([!-/:-@\[-`{-~\p{P}])"}}, "Punctuation");
}

absl::StatusOr<TextPattern> TextPattern::FromJson(const nlohmann::json& spec, const std::string& where) {
  if (spec.is_object() && spec.size() == 1 && spec.front().is_string()) {
    const std::string& text = spec.front().get_ref<const std::string&>();
    if (text.empty()) return absl::InvalidArgumentError(absl::StrCat(where, ": the pattern is empty"));
    if (spec.contains("String")) return Literal(text);
    if (spec.contains("Regex")) {
      TextPattern pattern = Known(text);
      if (pattern.matcher_ != nullptr) return pattern;
      absl::StatusOr<std::shared_ptr<const SplitRegex>> regex = SplitRegex::Create(text);
      if (!regex.ok())
        return absl::Status(regex.status().code(), absl::StrCat(where, ": ", regex.status().message()));
      pattern.regex_ = *std::move(regex);
      return pattern;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(where, ": want {\"String\": ...} or {\"Regex\": ...}"));
}

absl::StatusOr<std::optional<TextPattern::Match>> TextPattern::Find(absl::string_view text,
                                                                    size_t from) const {
  using Found = std::optional<Match>;
  if (regex_ != nullptr) return regex_->Find(text, from);
  if (matcher_ == nullptr) {
    const size_t begin = text.find(literal_, from);
    return begin == absl::string_view::npos ? Found() : Found({begin, begin + literal_.size()});
  }
  for (size_t at = from; at < text.size(); NextCodePoint(text, &at)) {
    if (const size_t end = matcher_(text, at); end > at) return Found({at, end});
  }
  return Found();
}

absl::StatusOr<Replacement> Replacement::FromJson(const nlohmann::json& spec, const std::string& where) {
  absl::StatusOr<TextPattern> pattern =
      TextPattern::FromJson(spec.value("pattern", nlohmann::json()), where + ".pattern");
  if (!pattern.ok()) return pattern.status();
  absl::StatusOr<std::string> content = StringMember(spec, "content", where);
  if (!content.ok()) return content.status();
  return Replacement{*std::move(pattern), *std::move(content)};
}

absl::StatusOr<std::string> Replacement::Apply(absl::string_view text, size_t most) const {
  std::string out;
  size_t done = 0;
  while (true) {
    const absl::StatusOr<std::optional<TextPattern::Match>> match = pattern.Find(text, done);
    if (!match.ok()) return match.status();
    const size_t end = match->has_value() ? (*match)->begin : text.size();
    absl::StrAppend(&out, text.substr(done, end - done));
    if (match->has_value()) out += content;
    if (out.size() > most) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the text has more than ", most, " bytes after a replacement"));
    }
    if (!match->has_value()) return out;
    done = (*match)->end;
  }
}

}  // namespace lvrpo
