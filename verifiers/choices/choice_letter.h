#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lvrpo {

// The letters ('A' to 'Z') that an answer to a multiple-choice question claims. Exactly one letter is an
// answer. `choices` are the texts of A, B, ...; may be empty. `marked`: the answer was in a tag. Needs
// well-formed UTF-8; linear; thread-safe.
//
// docs/rules.md says what is a claim, with examples; choice_words.h has the words of ten languages.
std::set<char> ClaimedLetters(absl::string_view answer, const std::vector<std::string>& choices,
                              bool marked = false);

}  // namespace lvrpo
