#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lvrpo {

// The letters ('A' to 'Z') that an answer to a multiple-choice question claims. One letter is an answer;
// none, or several, is not. `choices` are the texts of A, B, ...; may be empty. Needs well-formed UTF-8;
// linear.
//
// The first of these that finds any letter decides:
//   1. the whole answer is a letter ("B", "(b)", "**B.**", "\boxed{B}"), or, but for case, white space and
//   the
//      period, the text of a choice;
//   2. every \boxed{} letter and every "answer is", "answer:", "correct option is" with a letter ("B", "(B)",
//      "either A or B" claims both) or with a choice's text up to the line's end;
//   3. every line that is a letter, or begins with one and a delimiter ("B. Paris", "(B) Paris"). Who lists
//   all
//      the options claims all of them.
// A small letter counts where it stands alone ("answer: b"), not in "the answer is a dog".
std::set<char> ClaimedLetters(absl::string_view answer, const std::vector<std::string>& choices);

}  // namespace lvrpo
