#include "verifiers/rules/question.h"

#include <map>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/files/file_kind.h"
#include "common/utf8.h"
#include "verifiers/answers/folded.h"

namespace lvrpo {
namespace {

std::string Quoted(const std::string& text) { return absl::StrCat("'", OneLine(text), "'"); }

std::string Compared(const std::string& text) { return Folded(unicode::RepairUtf8(text), Spaces::kSingle); }

// In words that follow "has a question "; "" when nothing is wrong.
std::string WhatIsWrong(const v1::Question& question) {
  if (absl::StripAsciiWhitespace(question.text()).empty()) return "without a text";
  const std::string about = absl::StrCat("(", Quoted(question.text()), ") ");
  if (question.choices_size() < 2) {
    return absl::StrCat(about, "with ", question.choices_size() == 0 ? "no choices" : "one choice",
                        "; give two or more");
  }
  std::map<std::string, std::string> seen;  // as it is compared -> as it stands there
  bool answered = false;
  for (const std::string& choice : question.choices()) {
    const std::string compared = Compared(choice);
    if (compared.empty()) return absl::StrCat(about, "with an empty choice");
    const auto [there, added] = seen.try_emplace(compared, choice);
    if (!added && there->second == choice)
      return absl::StrCat(about, "with the choice ", Quoted(choice), " twice");
    if (!added) {
      return absl::StrCat(about, "whose choices ", Quoted(there->second), " and ", Quoted(choice),
                          " count as the same");
    }
    answered = answered || choice == question.answer();
  }
  if (answered) return "";
  const auto nearly = seen.find(Compared(question.answer()));
  return absl::StrCat(about, "whose answer ", Quoted(question.answer()), " is none of its choices",
                      nearly == seen.end() ? "" : absl::StrCat("; it has ", Quoted(nearly->second)));
}

}  // namespace

absl::Status CheckQuestions(const v1::PromptRecord& prompt) {
  for (const v1::Question& question : prompt.questions()) {
    if (const std::string wrong = WhatIsWrong(question); !wrong.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("prompt ", Quoted(prompt.id()), " has a question ", wrong));
    }
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
