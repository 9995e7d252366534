#pragma once

#include <optional>

#include "absl/strings/string_view.h"

// Words that multiply the number before them. Pure functions.
namespace lvrpo::numbers {

// Where the word stands.
struct ScalePlace {
  bool glued = false;     // no space between number and word
  bool currency = false;  // a currency sign before the number
};

// "k", "million", "Mrd", "kEUR", the Chinese for ten thousand: what the number is multiplied by. NaN for a
// word that scales, or may, and is not the same everywhere: "billon", "5 M" without a currency.
std::optional<double> ScaleOf(absl::string_view word, const ScalePlace& place);

}  // namespace lvrpo::numbers
