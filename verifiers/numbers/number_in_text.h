#pragma once

#include <optional>

#include "absl/strings/string_view.h"

// Reads numbers as written by people and LaTeX; docs/rules.md has the grammar and examples. Both functions
// use the same grammar (number_grammar.h) and differ in what may surround the number. Texts must be
// well-formed UTF-8. Pure functions; time linear in the text.
namespace lvrpo {

struct NumberInText {
  double value = 0;  // finite; of "12 %" it is 12
  bool percent = false;
};

// What a box or a tag says: [words | variable =] [sign] quantity [words]. All of the content must match; with
// a root, constant, letter, function, operator, relation or second number in it there is no number.
std::optional<NumberInText> WholeNumber(absl::string_view content);

// The last number of a text, with its sign, unit and exponent. When the last one is part of something else
// ("√2", "2x", "3 + 4", "12:30"), the text ends with no number. Names with digits ("H2O", "x_1", "v1.2") are
// words.
std::optional<NumberInText> LastNumber(absl::string_view text);

// The number of a box whose content reads as `content`, in a text with `before` and `after` around it: with
// the sign, percent sign and scale that stand there. None where the box is only a part of an expression
// ("2[5]", "x > [5]") or is denied ("not [5]", "[5] is wrong").
std::optional<NumberInText> NumberOfBox(const NumberInText& content, absl::string_view before,
                                        absl::string_view after);

}  // namespace lvrpo
