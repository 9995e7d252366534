#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/tokenizer/text_normalizer.h"

namespace lvrpo {

// A token that is split off the text before any other step.
struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool single_word = false;  // no match where a word character (\w) touches it
  bool lstrip = false;       // includes the white space before it
  bool rstrip = false;       // and after it
  bool normalized = false;   // matched in its normal form in normalised text; otherwise as is in the raw text
  bool special = false;      // a control token: left out of decoded text
};

// The added tokens of a tokenizer. The text is split twice: at the raw-text tokens, then, after each piece
// between them was normalised, at the others. Of the leftmost matches the longest wins; a match that
// single_word rejects still consumes its text, as in the reference. Immutable; thread-safe.
class AddedTokens {
 public:
  // A part of the text: an added token, or normalised text.
  struct Piece {
    std::string text;
    int32_t id = -1;  // -1: text
  };

  // `normalizer` may be null. InvalidArgument: empty contents, contents or ids that occur twice, two tokens
  // with the same normal form.
  static absl::StatusOr<AddedTokens> Create(std::vector<AddedToken> tokens, const TextNormalizer* normalizer);

  // `specials_are_text`: special tokens are not split off. The normalizer is that of Create.
  absl::StatusOr<std::vector<Piece>> Cut(absl::string_view text, const TextNormalizer* normalizer,
                                         bool specials_are_text) const;

  // Null: no added token has this id.
  const AddedToken* Find(int32_t id) const;
  const AddedToken* Find(absl::string_view content) const;
  bool IsSpecial(absl::string_view content) const { return specials_.contains(content); }
  // The token as a decoder sees it: its normal form.
  absl::string_view DecodedForm(const AddedToken& token) const;

  const std::vector<AddedToken>& tokens() const { return tokens_; }

 private:
  // A trie over bytes. Its values are indices into tokens_.
  class Trie {
   public:
    void Insert(absl::string_view key, int32_t value);  // `key` is new
    std::optional<int32_t> At(absl::string_view key) const;
    // The longest key that begins at text[at]; value -1: none does.
    std::pair<size_t, int32_t> Longest(absl::string_view text, size_t at) const;
    bool empty() const { return values_.size() == 1; }

   private:
    std::vector<int32_t> values_ = {-1};                // of each node
    absl::flat_hash_map<uint64_t, uint32_t> children_;  // node, byte
    std::bitset<256> first_bytes_;
  };

  struct Span {
    size_t begin, end;
    int32_t token;  // index into tokens_; -1: text
  };

  std::vector<Span> Spans(absl::string_view text, const Trie& trie, bool specials_are_text) const;

  std::vector<AddedToken> tokens_;
  std::vector<std::string> normal_forms_;  // of each token; its content for a raw-text token
  absl::flat_hash_map<int32_t, size_t> by_id_;
  absl::flat_hash_map<std::string, size_t> by_content_;
  absl::flat_hash_set<std::string> specials_;
  Trie raw_, normalized_;
};

}  // namespace lvrpo
