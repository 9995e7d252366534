#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// Text to token ids and back. Immutable after loading; thread-safe. Special tokens are never produced from
// text: written inside a prompt they are plain text (and unknown words to a word tokenizer).
// data/tokenizer/hf_tokenizer.h can parse them too.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // InvalidArgument names what cannot be encoded. Ill-formed UTF-8 counts as U+FFFD to a byte-pair tokenizer.
  virtual absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text) const = 0;
  // For text towers of fixed length: with the special tokens that the file puts around a text (SigLIP 2:
  // <eos>, which stays when the text is cut), then pad() up to `length` ids. FailedPrecondition: no pad().
  virtual absl::StatusOr<std::vector<int32_t>> EncodeFixed(absl::string_view text, int32_t length) const = 0;
  // Special tokens are left out.
  virtual std::string Decode(std::span<const int32_t> ids) const = 0;

  // -1: the tokenizer has no such token.
  virtual int32_t bos() const = 0;             // <|im_start|>, or else <bos>
  virtual int32_t eos() const = 0;             // <|im_end|>, or else <eos>
  virtual int32_t pad() const = 0;             // <|endoftext|>, or else <pad>
  virtual int32_t start_of_image() const = 0;  // <|vision_start|>
  virtual int32_t end_of_image() const = 0;    // <|vision_end|>
  virtual int32_t vocabulary_size() const = 0;
  virtual std::string digest() const = 0;  // over all that decides ids
};

// For byte-pair tokenizers.
struct TokenizerOptions {
  bool lowercase = false;  // SigLIP 2
  // BAGEL's <|im_start|> <|im_end|> <|vision_start|> <|vision_end|> get the next free ids where the files
  // lack them. Off for models that have none, such as SigLIP 2.
  bool add_control_tokens = true;
};

// From <folder>/tokenizer.json, a word tokenizer (below) or a byte-pair one of a published model, or from
// vocab.json and merges.txt (data/tokenizer/hf_tokenizer.h). Errors name the file and what is wrong with it.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& folder,
                                                         const TokenizerOptions& options = {});

// The embedded default's tokenizer: a closed list of words, split at blanks; text is lower-cased and , . ?
// are words of their own. File form: {"type": "word", "words": [...]}; ids are places in the list, and the
// special tokens <|endoftext|> <|im_start|> <|im_end|> <|vision_start|> <|vision_end|> follow the words.
std::unique_ptr<Tokenizer> MakeWordTokenizer(std::vector<std::string> words);
absl::Status WriteWordTokenizer(const std::string& path, const std::vector<std::string>& words);

}  // namespace lvrpo
