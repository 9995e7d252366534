#include "verifiers/number_tokens/word_set.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "data/unicode/unicode.h"

namespace lvrpo::numbers {
namespace {

constexpr size_t kMostWordBytes = 48;  // longer than any word that is looked up

}  // namespace

void WordSet::Add(absl::string_view words, double value) {
  for (const absl::string_view word : absl::StrSplit(words, ' ')) words_[word] = value;
}

const double* WordSet::Find(absl::string_view word) const {
  if (word.size() > kMostWordBytes) return nullptr;
  char small[kMostWordBytes];
  bool ascii = true;
  for (size_t i = 0; i < word.size(); ++i) {
    small[i] = absl::ascii_tolower(static_cast<unsigned char>(word[i]));
    ascii = ascii && absl::ascii_isascii(static_cast<unsigned char>(word[i]));
  }
  const auto found = ascii ? words_.find(absl::string_view(small, word.size()))
                           : words_.find(absl::StrReplaceAll(unicode::ToLower(unicode::ToNfc(word)),
                                                             {{"\u2019", "'"}}));  // isn't
  return found == words_.end() ? nullptr : &found->second;
}

}  // namespace lvrpo::numbers
