#include "verifiers/rules/answer_rules.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "data/tokenizer/tokenizer_json.h"
#include "verifiers/answers/boxed.h"
#include "verifiers/answers/final_text.h"
#include "verifiers/answers/folded.h"
#include "verifiers/answers/tag.h"
#include "verifiers/choices/choice_letter.h"
#include "verifiers/judgement.h"
#include "verifiers/numbers/number_in_text.h"

namespace lvrpo {
namespace {

constexpr int kMostAnswers = 64;
constexpr size_t kMostAnswerBytes = 4096;
constexpr int kMostChoices = 26;
constexpr size_t kMostChoiceBytes = 512;
constexpr double kRelativeTolerance = 1e-6;  // when no tolerance is given

bool IsNear(const v1::NumericAnswerRule& rule, double value) {
  const bool given = rule.relative_tolerance() > 0 || rule.absolute_tolerance() > 0;
  const double relative = given ? rule.relative_tolerance() : kRelativeTolerance;
  return std::abs(value - rule.value()) <=
         std::max(rule.absolute_tolerance(), relative * std::abs(rule.value()));
}

// The number in the box, as its context takes it, or in the tag, or else the last number of the text.
std::optional<NumberInText> AnsweredNumber(absl::string_view part, bool tagged) {
  if (const std::optional<Boxed> boxed = LastBoxed(part)) {
    const std::optional<NumberInText> content = WholeNumber(boxed->content);
    return content ? NumberOfBox(*content, boxed->before, boxed->after) : std::nullopt;
  }
  return tagged ? WholeNumber(part) : LastNumber(part);
}

}  // namespace

absl::Status CheckExactAnswerRule(const v1::ExactAnswerRule& rule) {
  if (rule.answers_size() < 1 || rule.answers_size() > kMostAnswers) {
    return absl::InvalidArgumentError(
        absl::StrCat("exact_answer.answers has ", rule.answers_size(), " entries; give 1 to ", kMostAnswers));
  }
  for (int i = 0; i < rule.answers_size(); ++i) {
    const std::string& answer = rule.answers(i);
    if (answer.size() > kMostAnswerBytes || Folded(answer, Spaces::kNone).empty()) {
      return absl::InvalidArgumentError(absl::StrCat("exact_answer.answers[", i, "] has ", answer.size(),
                                                     " bytes; give one that is not blank, of at most ",
                                                     kMostAnswerBytes));
    }
  }
  return CheckOptionalTag(rule.tag(), "exact_answer.tag");
}

absl::StatusOr<Verdict> VerifyExactAnswer(const v1::ExactAnswerRule& rule, absl::string_view text) {
  if (absl::Status status = CheckExactAnswerRule(rule); !status.ok()) return status;
  const std::string final_text = FinalText(text, rule.tag());
  const std::optional<absl::string_view> part = AnswerPart(final_text, rule.tag());
  if (!part) return Broken(0, NotOnce(rule.tag()));
  const Case letters = rule.case_sensitive() ? Case::kKeep : Case::kFold;
  const std::string given = Folded(*part, Spaces::kSingle, letters);
  for (const std::string& answer : rule.answers()) {
    if (given == Folded(answer, Spaces::kSingle, letters)) return Holds();
  }
  return Broken(0, absl::StrCat("the answer is ", QuoteToken(given), " where ", QuoteToken(rule.answers(0)),
                                " is asked"));
}

absl::Status CheckNumericAnswerRule(const v1::NumericAnswerRule& rule) {
  const double relative = rule.relative_tolerance(), absolute = rule.absolute_tolerance();
  if (!std::isfinite(rule.value()))
    return absl::InvalidArgumentError("numeric_answer.value is not finite; give a number");
  if (!(relative >= 0 && relative < 1)) {
    return absl::InvalidArgumentError(absl::StrCat("numeric_answer.relative_tolerance is ", relative,
                                                   "; it must be at least 0 and below 1"));
  }
  if (!(absolute >= 0 && std::isfinite(absolute))) {
    return absl::InvalidArgumentError(absl::StrCat("numeric_answer.absolute_tolerance is ", absolute,
                                                   "; it must be at least 0 and finite"));
  }
  return CheckOptionalTag(rule.tag(), "numeric_answer.tag");
}

absl::StatusOr<Verdict> VerifyNumericAnswer(const v1::NumericAnswerRule& rule, absl::string_view text) {
  if (absl::Status status = CheckNumericAnswerRule(rule); !status.ok()) return status;
  const std::string final_text = FinalText(text, rule.tag());
  const std::optional<absl::string_view> part = AnswerPart(final_text, rule.tag());
  if (!part) return Broken(0, NotOnce(rule.tag()));
  const std::optional<NumberInText> number = AnsweredNumber(*part, !rule.tag().empty());
  if (!number) return Broken(0, "the answer is not one number");
  if (IsNear(rule, number->value) || (number->percent && IsNear(rule, number->value / 100))) return Holds();
  return Broken(0, absl::StrCat("the number is ", number->value, number->percent ? " %" : "", " where ",
                                rule.value(), " is asked"));
}

absl::Status CheckChoiceAnswerRule(const v1::ChoiceAnswerRule& rule) {
  const std::string& letter = rule.letter();
  if (letter.size() != 1 || letter[0] < 'A' || letter[0] > 'Z') {
    return absl::InvalidArgumentError(
        absl::StrCat("choice_answer.letter is ", QuoteToken(letter), "; give one of \"A\" to \"Z\""));
  }
  const int choices = rule.choices_size();
  if (choices > kMostChoices || (choices > 0 && letter[0] - 'A' >= choices)) {
    return absl::InvalidArgumentError(absl::StrCat("choice_answer has ", choices, " choices and the letter ",
                                                   letter, "; give at most ", kMostChoices,
                                                   ", its own among them, or none"));
  }
  std::set<std::string> texts;
  for (int i = 0; i < choices; ++i) {
    const std::string folded = Folded(rule.choices(i), Spaces::kSingle);
    if (folded.empty() || rule.choices(i).size() > kMostChoiceBytes || !texts.insert(folded).second) {
      return absl::InvalidArgumentError(absl::StrCat(
          "choice_answer.choices[", i, "] ", QuoteToken(rule.choices(i)), " is blank, longer than ",
          kMostChoiceBytes, " bytes, or there twice; give each choice a text of its own"));
    }
  }
  return CheckOptionalTag(rule.tag(), "choice_answer.tag");
}

absl::StatusOr<Verdict> VerifyChoiceAnswer(const v1::ChoiceAnswerRule& rule, absl::string_view text) {
  if (absl::Status status = CheckChoiceAnswerRule(rule); !status.ok()) return status;
  const std::string final_text = FinalText(text, rule.tag());
  const std::optional<absl::string_view> part = AnswerPart(final_text, rule.tag());
  if (!part) return Broken(0, NotOnce(rule.tag()));
  const std::set<char> letters =
      ClaimedLetters(*part, {rule.choices().begin(), rule.choices().end()}, !rule.tag().empty());
  if (letters.empty()) return Broken(0, "no choice is named");
  if (letters.size() > 1) {
    const std::string named =
        absl::StrJoin(letters, ", ", [](std::string* out, char c) { out->push_back(c); });
    return Broken(0, absl::StrCat("several choices are named: ", named));
  }
  const char letter = *letters.begin();
  if (letter == rule.letter()[0]) return Holds();
  return Broken(
      0, absl::StrCat("the choice is ", std::string(1, letter), " where ", rule.letter(), " is asked"));
}

}  // namespace lvrpo
