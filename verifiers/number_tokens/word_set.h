#pragma once

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

// Sets of words in small letters and normal form C, looked up in any case and form. Pure functions.
namespace lvrpo::numbers {

class WordSet {
 public:
  // `words` are divided by blanks and outlive the set.
  explicit WordSet(absl::string_view words) { Add(words, 0); }
  WordSet() = default;
  // Gives all of `words` this value.
  void Add(absl::string_view words, double value);

  bool Has(absl::string_view word) const { return Find(word) != nullptr; }
  // The value of the word; null if it is not one of them.
  const double* Find(absl::string_view word) const;

 private:
  absl::flat_hash_map<absl::string_view, double> words_;
};

}  // namespace lvrpo::numbers
