#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

// Options whose value is one of a few words: one table each, from which a word is checked and read.
namespace lvrpo {

// One word, and what it stands for.
template <class Value>
struct Choice {
  absl::string_view word;
  Value value;
  bool settable = true;  // false: code can ask for it, and no configuration yet
};

// The words of a table that a configuration may use, in the table's order.
template <class Value, size_t size>
std::vector<absl::string_view> SettableWords(const Choice<Value> (&table)[size]) {
  std::vector<absl::string_view> words;
  for (const Choice<Value>& choice : table) {
    if (choice.settable) words.push_back(choice.word);
  }
  return words;
}

// What `word` stands for, settable or not. InvalidArgument names the option and every word of the table.
template <class Value, size_t size>
absl::StatusOr<Value> Choose(const Choice<Value> (&table)[size], absl::string_view option,
                             absl::string_view word) {
  std::vector<absl::string_view> words;
  for (const Choice<Value>& choice : table) {
    if (choice.word == word) return choice.value;
    words.push_back(choice.word);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(option, ": '", word, "' is not one of ", absl::StrJoin(words, ", ")));
}

}  // namespace lvrpo
