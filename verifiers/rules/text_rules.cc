#include "verifiers/rules/text_rules.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/unicode/unicode.h"
#include "re2/re2.h"
#include "verifiers/answers/tag.h"
#include "verifiers/judgement.h"
#include "verifiers/rules/text_measure.h"

namespace lvrpo {
namespace {

constexpr size_t kMostPatternBytes = 1000;
constexpr int kMostProgram = 2000;           // instructions
constexpr int64_t kPatternMemory = 4 << 20;  // bytes
constexpr double kScriptShare = 0.9;

re2::StringPiece Piece(absl::string_view text) { return {text.data(), text.size()}; }

RE2::Options Quiet() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemory);
  return options;
}

absl::Status CheckPattern(const std::string& pattern, const RE2& compiled) {
  if (pattern.empty()) return absl::InvalidArgumentError("regex.pattern is empty; give an RE2 pattern");
  if (!compiled.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("regex.pattern ", QuoteToken(pattern),
                                                   " is not an RE2 pattern: ", compiled.error(),
                                                   "; RE2 has no look-around and no back-references"));
  }
  if (pattern.size() > kMostPatternBytes || compiled.ProgramSize() > kMostProgram) {
    return absl::InvalidArgumentError(
        absl::StrCat("regex.pattern ", QuoteToken(pattern), " has ", pattern.size(),
                     " bytes and compiles to ", compiled.ProgramSize(), " instructions; at most ",
                     kMostPatternBytes, " and ", kMostProgram, " are allowed: shorten its repetitions"));
  }
  return absl::OkStatus();
}

const char* NameOf(v1::LengthRule::Unit unit) {
  switch (unit) {
    case v1::LengthRule::UNIT_WORDS:
      return "words";
    case v1::LengthRule::UNIT_SENTENCES:
      return "sentences";
    case v1::LengthRule::UNIT_LINES:
      return "lines";
    default:
      return "characters";
  }
}

int64_t Measure(absl::string_view text, v1::LengthRule::Unit unit) {
  switch (unit) {
    case v1::LengthRule::UNIT_WORDS:
      return CountWords(text);
    case v1::LengthRule::UNIT_SENTENCES:
      return CountSentences(text);
    case v1::LengthRule::UNIT_LINES:
      return CountLines(text);
    default:
      return CountCharacters(text);
  }
}

// RE2's other names in \p{} are general categories of one or two letters, and "Any".
bool IsScriptName(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(),
                                 [](unsigned char c) { return absl::ascii_isalpha(c) || c == '_'; });
  if (!plain || (name.size() < 3 && name != "Yi")) return false;
  if (name == "Any" || name == "Common" || name == "Inherited") return false;
  return RE2(absl::StrCat("\\p{", name, "}"), Quiet()).ok();
}

int64_t CountLetters(absl::string_view text) {
  int64_t letters = 0;
  for (size_t at = 0; at < text.size();)
    letters += unicode::IsLetter(unicode::NextCodePoint(text, &at)) ? 1 : 0;
  return letters;
}

// Letters in the class, e.g. "\p{Latin}".
int64_t CountLettersOf(const std::string& character_class, absl::string_view text) {
  const RE2 runs(absl::StrCat("([", character_class, "]+)"), Quiet());
  re2::StringPiece rest = Piece(text), run;
  int64_t letters = 0;
  while (RE2::FindAndConsume(&rest, runs, &run)) letters += CountLetters({run.data(), run.size()});
  return letters;
}

std::string Percent(double share) { return absl::StrCat(std::round(share * 1000) / 10, " %"); }

}  // namespace

absl::Status CheckRegexRule(const v1::RegexRule& rule) {
  return CheckPattern(rule.pattern(), RE2(rule.pattern(), Quiet()));
}

absl::StatusOr<Verdict> VerifyRegex(const v1::RegexRule& rule, absl::string_view text) {
  const RE2 pattern(rule.pattern(), Quiet());
  if (absl::Status status = CheckPattern(rule.pattern(), pattern); !status.ok()) return status;
  const bool found = RE2::PartialMatch(Piece(text), pattern);
  if (found != rule.must_not_match()) return Holds();
  return Broken(0, absl::StrCat("the pattern ", QuoteToken(rule.pattern()), " is ",
                                found ? "found where it must not be" : "not found"));
}

absl::Status CheckAnswerTagRule(const v1::AnswerTagRule& rule) {
  return CheckTag(rule.tag(), "answer_tag.tag");
}

absl::StatusOr<Verdict> VerifyAnswerTag(const v1::AnswerTagRule& rule, absl::string_view text) {
  if (absl::Status status = CheckAnswerTagRule(rule); !status.ok()) return status;
  const TagPlaces places = FindTag(text, rule.tag());
  const std::string opening = absl::StrCat("<", rule.tag(), ">"),
                    closing = absl::StrCat("</", rule.tag(), ">");
  if (places.opened != 1)
    return Broken(0, absl::StrCat(opening, " is there ", places.opened, " times, not once"));
  if (places.closed != 1)
    return Broken(0.25, absl::StrCat(closing, " is there ", places.closed, " times, not once"));
  if (!places.paired) return Broken(0.25, absl::StrCat(closing, " stands before ", opening));
  if (CountWords(places.content) == 0) return Broken(0.5, absl::StrCat(opening, " is empty"));
  if (CountWords(places.after) > 0) return Broken(0.75, absl::StrCat("there is text behind ", closing));
  return Holds();
}

absl::Status CheckLengthRule(const v1::LengthRule& rule) {
  if (!v1::LengthRule::Unit_IsValid(rule.unit())) {
    return absl::InvalidArgumentError(absl::StrCat("length.unit is ", static_cast<int>(rule.unit()),
                                                   "; write UNIT_CHARACTERS, UNIT_WORDS, UNIT_SENTENCES or "
                                                   "UNIT_LINES"));
  }
  const bool bounded = rule.least() > 0 || rule.most() > 0;
  if (rule.least() < 0 || rule.most() < 0 || !bounded || (rule.most() > 0 && rule.least() > rule.most())) {
    return absl::InvalidArgumentError(
        absl::StrCat("length has least ", rule.least(), " and most ", rule.most(),
                     "; give one of them or both, from 0 on, least not above most (most 0 = no bound)"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Verdict> VerifyLength(const v1::LengthRule& rule, absl::string_view text) {
  if (absl::Status status = CheckLengthRule(rule); !status.ok()) return status;
  const int64_t count = Measure(text, rule.unit());
  const double length = static_cast<double>(count);
  const std::string has = absl::StrCat(count, " ", NameOf(rule.unit()), " where ");
  const std::string asked = rule.most() == 0 ? absl::StrCat(rule.least(), " or more are asked")
                            : rule.least() == 0
                                ? absl::StrCat("at most ", rule.most(), " are asked")
                                : absl::StrCat(rule.least(), " to ", rule.most(), " are asked");
  if (count < rule.least()) return Broken(length / rule.least(), absl::StrCat(has, asked));
  if (rule.most() > 0 && count > rule.most()) return Broken(rule.most() / length, absl::StrCat(has, asked));
  return Holds();
}

absl::Status CheckScriptRule(const v1::ScriptRule& rule) {
  if (!IsScriptName(rule.script())) {
    return absl::InvalidArgumentError(
        absl::StrCat("script.script is ", QuoteToken(rule.script()),
                     "; write the name of a script of letters as Unicode does, such as \"Latin\", \"Han\", "
                     "\"Cyrillic\", \"Arabic\", \"Old_Italic\""));
  }
  if (!(rule.least_share() >= 0 && rule.least_share() <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("script.least_share is ", rule.least_share(),
                                                   "; it must be 0 to 1 (0 = ", kScriptShare, ")"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Verdict> VerifyScript(const v1::ScriptRule& rule, absl::string_view text) {
  if (absl::Status status = CheckScriptRule(rule); !status.ok()) return status;
  const double least = rule.least_share() > 0 ? rule.least_share() : kScriptShare;
  const int64_t letters = CountLetters(text) - CountLettersOf("\\p{Common}\\p{Inherited}", text);
  if (letters == 0) return Broken(0, "there are no letters");
  const int64_t of_script = CountLettersOf(absl::StrCat("\\p{", rule.script(), "}"), text);
  const double share = static_cast<double>(of_script) / static_cast<double>(letters);
  if (share >= least) return Holds();
  return Broken(share / least, absl::StrCat(Percent(share), " of the letters are ", rule.script(), " where ",
                                            Percent(least), " are asked"));
}

}  // namespace lvrpo
