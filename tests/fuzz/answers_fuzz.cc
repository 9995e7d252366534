#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/unicode/unicode.h"
#include "tests/fuzz/fuzz.h"
#include "verifiers/answers/boxed.h"
#include "verifiers/answers/final_text.h"
#include "verifiers/choices/choice_letter.h"
#include "verifiers/numbers/number_in_text.h"
#include "verifiers/rules/answer_rules.h"

namespace {

using lvrpo::NumberInText;

// A number is finite, and saying nothing more after it changes nothing.
void CheckNumber(const std::string& text) {
  for (const bool whole : {false, true}) {
    const auto read = whole ? lvrpo::WholeNumber : lvrpo::LastNumber;
    const std::optional<NumberInText> number = read(text), again = read(absl::StrCat(text, "\n \n"));
    if (number.has_value() != again.has_value()) __builtin_trap();
    if (!number) continue;
    if (!std::isfinite(number->value) || number->value != again->value || number->percent != again->percent)
      __builtin_trap();
  }
}

// The value read from a box does not depend on plain words around it.
void CheckBox(const std::string& text) {
  lvrpo::v1::NumericAnswerRule rule;
  const std::optional<NumberInText> number = lvrpo::WholeNumber(text);
  rule.set_value(number ? number->value : 1);
  const std::string boxed = absl::StrCat("7, so \\boxed{", text, "}, as 8");
  const std::optional<lvrpo::Boxed> box = lvrpo::LastBoxed(boxed);
  if (lvrpo::FinalText(boxed) != boxed) return;  // thinking and ends of turns are taken out
  if (!box || box->content != text) return;      // its own braces or boxes come in between
  const absl::StatusOr<lvrpo::Verdict> verdict = lvrpo::VerifyNumericAnswer(rule, boxed);
  if (!verdict.ok() || verdict->holds != number.has_value()) __builtin_trap();
}

// Letters are what they should be, and blanks after an answer claim nothing.
void CheckChoice(const std::string& text) {
  const std::vector<std::string> choices = {"Rome", "Paris", "5", "a dog"};
  const std::set<char> letters = lvrpo::ClaimedLetters(text, choices);
  for (const char letter : letters) {
    if (letter < 'A' || letter > 'Z') __builtin_trap();
  }
  if (lvrpo::ClaimedLetters(absl::StrCat(text, "\n \n"), choices) != letters) __builtin_trap();
}

}  // namespace

// Any bytes as the answer to a question for a number or a choice.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = lvrpo::unicode::RepairUtf8(lvrpo::fuzz::Bytes(data, size));
  CheckNumber(text);
  CheckBox(text);
  CheckChoice(text);
  return 0;
}
