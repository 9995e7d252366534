#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/tokenizer/tokenizer_json.h"

namespace lvrpo {

// Byte pair encoding (Sennrich et al., arXiv 1508.07909): a word is split into characters, then the adjacent
// pair of the lowest merge rank (the leftmost of equals) is merged, until no pair has a rank. O(n log n) in
// the length of the word. Immutable after Create; thread-safe.
class Bpe {
 public:
  struct Options {
    std::string unknown_token;       // "": characters without a token are dropped
    bool fuse_unknown = false;       // a run of unknown characters gives one unknown token
    bool byte_fallback = false;      // they become "<0x0A>" ..., if there is a token for each of their bytes
    bool ignore_merges = false;      // a word that is a token itself is emitted without merging
    std::string continuing_prefix;   // precedes every character of a word but the first
    std::string end_of_word_suffix;  // follows the last one
  };

  // InvalidArgument: a token or an id that occurs twice, a merge whose parts or result are no tokens. Errors
  // begin with `where`.
  static absl::StatusOr<Bpe> Create(VocabularyTable vocabulary, const MergeTable& merges, Options options,
                                    const std::string& where);

  // Appends the ids of one word of well-formed UTF-8. `whole_word`: ignore_merges holds for this call.
  // InvalidArgument: an unknown character, but the unknown token is none.
  absl::Status Encode(absl::string_view word, bool whole_word, std::vector<int32_t>* ids) const;

  std::optional<int32_t> IdOf(absl::string_view token) const;
  // nullopt: no token has this id.
  std::optional<absl::string_view> TokenOf(int32_t id) const;

  size_t token_count() const { return vocabulary_.entries.size(); }
  int32_t greatest_id() const { return static_cast<int32_t>(by_id_.size()) - 1; }  // -1: no tokens
  std::optional<int32_t> unknown_id() const { return unknown_id_; }

 private:
  struct Merge {
    int32_t left, right, result;
  };
  struct Symbol {
    int32_t id, previous, next;  // neighbours' indices; -1: none. id -1: merged into a symbol before it
  };

  Bpe() = default;
  absl::Status Cut(absl::string_view word, std::vector<Symbol>* symbols) const;
  void MergeAll(std::vector<Symbol>* symbols) const;
  std::optional<uint32_t> RankOf(int32_t left, int32_t right) const;

  VocabularyTable vocabulary_;
  Options options_;
  std::vector<int32_t> by_id_;                         // id -> entry of the vocabulary; -1: none
  absl::flat_hash_map<std::string, int32_t> ids_;      // token -> id
  std::vector<Merge> merges_;                          // by rank
  absl::flat_hash_map<uint64_t, uint32_t> ranks_;      // left id, right id
  absl::flat_hash_map<char32_t, int32_t> characters_;  // tokens of one character
  std::vector<int32_t> byte_ids_;                      // "<0x00>" ...; -1: no such token
  std::optional<int32_t> unknown_id_;
};

}  // namespace lvrpo
