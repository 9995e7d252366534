#pragma once

#include <cstddef>
#include <vector>

#include "verifiers/number_tokens/number_tokens.h"

// The grammar of one number, without its sign:
//   quantity = number [times power of ten] {scale word} [percent | unit]
//   number   = decimal | whole proper-fraction | decimal "/" ["-"] decimal | "(" decimal ")" "/" decimal |
//              \frac{..}{..} | one-character fraction
//   decimal  = digits, grouped in threes or not, [point digits] [exponent]
//   unit     = known unit [exponent] {("/" | "per" | times | blank) unit [exponent]}
namespace lvrpo::numbers {

struct Quantity {
  enum class State {
    kNone,  // no number begins here
    kBad,   // malformed numbers: "1,23,456", "1/2/3", "10^x", "1e999"
    kRead,
  };
  State state = State::kNone;
  double value = 0;  // finite when it was read; of "12 %" it is 12
  bool percent = false;
  bool has_unit = false, scaled = false;  // a known unit or a scale word stands after the digits
  bool currency = false;                  // a currency stands before it
  double scale = 1;                       // of all scale words
  size_t unit = 0;                        // the token after digits and scale words, where a unit may stand
  bool plain = false;                     // ASCII-like digits with nothing after them but a unit or percent
  size_t end = 0;                         // the token after all that belongs to it
};

// Parses the number that begins at tokens[at]. Linear in the tokens it consumes.
Quantity ReadQuantity(const std::vector<Token>& tokens, size_t at);

// Whether the word at tokens[at] is percent, or the first of two that are; *end is the token after them.
bool ReadPercent(const std::vector<Token>& tokens, size_t at, size_t* end);

}  // namespace lvrpo::numbers
