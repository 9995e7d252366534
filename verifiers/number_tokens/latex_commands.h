#pragma once

#include "absl/strings/string_view.h"

// The LaTeX commands that matter for reading numbers. Names without the backslash. Pure functions.
namespace lvrpo::numbers {

enum class Command {
  kLetter,       // anything that is not listed: a variable, a function, something unknown
  kIgnored,      // \left, \displaystyle
  kBlank,        // \quad
  kBreak,        // \implies, \item: what follows is another statement
  kArrow,        // \rightarrow: the same, and in a box a relation
  kTransparent,  // \text{...}, \mathbf{...}: the content counts
  kWords,        // \text{...}: the same, and it is words
  kQuantity,     // \SI{...}{...}: a number and its unit
  kCurrency,     // \euro
  kSkipped,      // \begin{...}: the argument is for the typesetter
  kFraction,     // \frac
  kSymbol,       // see CommandSymbol
};
Command CommandOf(absl::string_view name);
// The symbol of the command, as in number_characters.h: \times, \le, \pi.
char32_t CommandSymbol(absl::string_view name);

// Whether the command is a variable or belongs to its name, and is no function: \theta, \vec, \angle.
bool IsNameCommand(absl::string_view name);

}  // namespace lvrpo::numbers
