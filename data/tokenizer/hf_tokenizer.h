#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/tokenizer/added_tokens.h"
#include "data/tokenizer/bpe.h"
#include "data/tokenizer/text_normalizer.h"
#include "data/tokenizer/text_splitter.h"
#include "data/tokenizer/token_decoder.h"
#include "data/tokenizer/token_template.h"
#include "data/tokenizer/tokenizer_json.h"

namespace lvrpo {

// A byte-pair tokenizer of a published model, with the semantics of the Python package `tokenizers` 0.23:
// added tokens (data/tokenizer/added_tokens.h), normalizer, pre-tokenizer, BPE, post-processor, decoder. Ids
// equal those of the package. Immutable; thread-safe.
//
//   text -> added tokens | normalised pieces -> words -> BPE -> cut -> special tokens around -> padded ids
//
// Unsupported features of a file are refused, by name, when it is loaded.
class HfTokenizer {
 public:
  struct Options {
    bool lowercase = false;  // lower-case in front of the file's normalizer, as SigLIP 2 does
    // Special tokens that have to exist: those that the files lack get the next free ids.
    std::vector<std::string> control_tokens = {};
    // CLIP's published files name "!" as the pad token, so that it would be split off as a special token.
    // With this it is the ordinary character that CLIP was trained with. For vocab.json and merges.txt only.
    bool pad_token_is_text = false;
  };

  // Truncation: which ids of a longer text are kept, with room for the special tokens.
  struct Truncation {
    int32_t max_length = 0;
    bool left = false;  // truncated on the left instead of the right
  };
  struct Padding {
    int32_t length = 0;    // at least so many ids
    int32_t multiple = 0;  // then up to the next multiple; 0: any number
    int32_t pad_id = 0;
    bool left = false;  // left instead of right
  };
  struct EncodeOptions {
    bool add_special_tokens = true;  // what the post-processor puts around the text
    bool specials_are_text = false;  // a special token that the text spells is ordinary text
    std::optional<Truncation> truncation = {};
    std::optional<Padding> padding = {};
  };

  // From a parsed tokenizer.json. `where` begins every error; `bytes`, the file, enters the digest.
  static absl::StatusOr<std::unique_ptr<const HfTokenizer>> FromJson(TokenizerJson file,
                                                                     absl::string_view bytes,
                                                                     const std::string& where,
                                                                     const Options& options);
  // From vocab.json and merges.txt, the form of the Python tokenizers of Qwen2 (NFC, Qwen2's pattern, bytes)
  // and of CLIP (white space cleaned, lower case, CLIP's pattern, bytes, "</w>" at the end of a word, and
  // <|startoftext|> and <|endoftext|> around the text). Which one is said by tokenizer_class in
  // tokenizer_config.json; Qwen2's without it. Added tokens come from tokenizer_config.json or
  // added_tokens.json where these exist, otherwise <|endoftext|> is the only one, and <|startoftext|> with
  // CLIP. Ids are those that a tokenizer.json of the same model gives. Transformers 4's own reading of this
  // form has another version of Unicode in NFC and applies it before it looks for added tokens, so that a
  // U+0338 right after one hides it.
  static absl::StatusOr<std::unique_ptr<const HfTokenizer>> FromVocabularyFiles(const std::string& folder,
                                                                                const Options& options);
  // <folder>/tokenizer.json, or the other form if there is no such file.
  static absl::StatusOr<std::unique_ptr<const HfTokenizer>> Load(const std::string& folder,
                                                                 const Options& options);

  // Ill-formed UTF-8 counts as U+FFFD (unicode::RepairUtf8). ResourceExhausted: the text is longer than
  // kMaxTextBytes. InvalidArgument: an unknown character where the file's unknown token is none, or special
  // tokens that alone exceed max_length.
  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text, const EncodeOptions& options) const;

  // Ids that are no tokens are left out. ResourceExhausted: longer than kMaxDecodedBytes.
  absl::StatusOr<std::string> Decode(std::span<const int32_t> ids, bool skip_special_tokens) const;

  std::optional<int32_t> IdOf(absl::string_view token) const;
  bool IsSpecial(int32_t id) const;
  // The token of unknown characters; none for byte-level models.
  std::optional<int32_t> unknown_id() const { return bpe_.unknown_id(); }
  int32_t vocabulary_size() const { return vocabulary_size_; }  // greatest id + 1
  // SHA-256, in hex, over all that decides ids: the files, the options and the version of this code's tables.
  const std::string& digest() const { return digest_; }

  // The file's truncation and padding; as with the Python package `transformers`, the caller decides whether
  // to use them.
  const std::optional<Truncation>& file_truncation() const { return file_truncation_; }
  const std::optional<Padding>& file_padding() const { return file_padding_; }

 private:
  struct Parts;

  explicit HfTokenizer(Parts parts);
  static absl::StatusOr<std::unique_ptr<const HfTokenizer>> Create(Parts parts, const std::string& where,
                                                                   const Options& options);

  Bpe bpe_;
  AddedTokens added_;
  std::unique_ptr<const TextNormalizer> normalizer_;  // null: none
  std::unique_ptr<const TextSplitter> splitter_;      // null: none
  std::unique_ptr<const TokenDecoder> decoder_;       // null: tokens are joined by spaces
  TokenTemplate template_;
  int32_t vocabulary_size_;
  std::string digest_;
  std::optional<Truncation> file_truncation_;
  std::optional<Padding> file_padding_;
};

}  // namespace lvrpo
