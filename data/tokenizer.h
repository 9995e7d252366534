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
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // InvalidArgument names what cannot be encoded.
  virtual absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text) const = 0;
  // Special tokens are left out.
  virtual std::string Decode(std::span<const int32_t> ids) const = 0;

  virtual int32_t bos() const = 0;             // <|im_start|>
  virtual int32_t eos() const = 0;             // <|im_end|>
  virtual int32_t start_of_image() const = 0;  // <|vision_start|>
  virtual int32_t end_of_image() const = 0;    // <|vision_end|>
  virtual int32_t vocabulary_size() const = 0;
  virtual std::string digest() const = 0;  // of the tokenizer file
};

// Reads <folder>/tokenizer.json.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& folder);

// The embedded default's tokenizer: a closed list of words, split at blanks; text is lower-cased and , . ?
// are words of their own. File form: {"type": "word", "words": [...]}; ids are places in the list, and the
// special tokens <|endoftext|> <|im_start|> <|im_end|> <|vision_start|> <|vision_end|> follow the words.
std::unique_ptr<Tokenizer> MakeWordTokenizer(std::vector<std::string> words);
absl::Status WriteWordTokenizer(const std::string& path, const std::vector<std::string>& words);

}  // namespace lvrpo
