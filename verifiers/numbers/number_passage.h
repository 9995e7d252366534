#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "verifiers/number_tokens/number_tokens.h"
#include "verifiers/numbers/number_grammar.h"
#include "verifiers/numbers/number_in_text.h"

// What stands left and right of a number in a text, and changes it. Pure functions; each looks at a bounded
// number of tokens.
namespace lvrpo::numbers {

struct Passage {
  Passage(absl::string_view text, const TokenizeOptions& options);

  absl::string_view text;  // outlives the passage
  std::vector<Token> tokens;
  bool one_line = false, has_words = false;
};

// The result at digits, a fraction, a root or a constant.
struct Item {
  std::optional<NumberInText> number;  // nullopt: not a number
  bool plain = false, ranged = false, has_unit = false, scaled = false, currency = false;
  double value = 0, scale = 1;
  size_t unit = 0, end = 0;  // tokens, as in Quantity
};

struct Left {
  bool changes = false;  // it is no separate number
  bool negative = false, ranged = false, percent = false;
  bool signed_number = false;  // the token before is a sign
};
// Of the quantity that begins at `at`, or of the brackets around it; `last` is the item before.
Left LookLeft(const Passage& passage, size_t at, const Quantity& quantity, const Item& last);
// Whether the word at `at`, right before a number, makes it part of something else: "times", "the root of".
bool ChangesAfterWord(const Passage& passage, const Item& last, size_t at);
// Whether the quantity at `begin` is the second piece of one that begins with `last`: "5 ft 3 in".
bool IsSecondPiece(const Passage& passage, size_t begin, const Quantity& quantity, const Item& last);
// Whether what begins at `at` changes the value of the number before it.
bool ChangesBehind(const Passage& passage, size_t at);
// The same for a box, which no second number may follow as an operand.
bool ChangesBoxBefore(const Passage& passage, size_t at);

}  // namespace lvrpo::numbers
