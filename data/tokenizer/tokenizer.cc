#include "data/tokenizer/tokenizer.h"

#include <initializer_list>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/files/filesystem.h"
#include "data/tokenizer/hf_tokenizer.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/tokenizer/word_tokenizer.h"

namespace lvrpo {
namespace {

constexpr char kBos[] = "<|im_start|>", kEos[] = "<|im_end|>";
constexpr char kStartOfImage[] = "<|vision_start|>", kEndOfImage[] = "<|vision_end|>";

// A published tokenizer, with special tokens only where this program puts them.
class PublishedTokenizer : public Tokenizer {
 public:
  explicit PublishedTokenizer(std::unique_ptr<const HfTokenizer> inner)
      : inner_(std::move(inner)),
        bos_(FirstOf({kBos, "<bos>"})),
        eos_(FirstOf({kEos, "<eos>"})),
        pad_(FirstOf({"<|endoftext|>", "<pad>"})),
        start_of_image_(FirstOf({kStartOfImage})),
        end_of_image_(FirstOf({kEndOfImage})) {}

  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text) const override {
    absl::StatusOr<std::vector<int32_t>> ids =
        inner_->Encode(text, {.add_special_tokens = false, .specials_are_text = true});
    if (!ids.ok()) return ids;
    if (absl::Status status = CheckPlain(*ids); !status.ok()) return status;
    return ids;
  }

  absl::StatusOr<std::vector<int32_t>> EncodeFixed(absl::string_view text, int32_t length) const override {
    if (pad_ < 0)
      return absl::FailedPreconditionError("the tokenizer has no <|endoftext|> or <pad> to pad with");
    if (const absl::StatusOr<std::vector<int32_t>> plain = Encode(text); !plain.ok()) return plain.status();
    return inner_->Encode(text, {.specials_are_text = true,
                                 .truncation = HfTokenizer::Truncation{.max_length = length},
                                 .padding = HfTokenizer::Padding{.length = length, .pad_id = pad_}});
  }

  std::string Decode(std::span<const int32_t> ids) const override {
    // A text beyond the limit, which a malicious decoder in a file can produce, becomes empty.
    return inner_->Decode(ids, /*skip_special_tokens=*/true).value_or("");
  }

  int32_t bos() const override { return bos_; }
  int32_t eos() const override { return eos_; }
  int32_t pad() const override { return pad_; }
  int32_t start_of_image() const override { return start_of_image_; }
  int32_t end_of_image() const override { return end_of_image_; }
  int32_t vocabulary_size() const override { return inner_->vocabulary_size(); }
  std::string digest() const override { return inner_->digest(); }

 private:
  int32_t FirstOf(std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      if (const std::optional<int32_t> id = inner_->IdOf(name)) return *id;
    }
    return -1;
  }

  // A file could still let ordinary text become a special token, e.g. by its merges.
  absl::Status CheckPlain(const std::vector<int32_t>& ids) const {
    for (const int32_t id : ids) {
      if (inner_->IsSpecial(id) && id != inner_->unknown_id()) {
        return absl::InvalidArgumentError(
            absl::StrCat("the text becomes the special token ", id, ", which text must not"));
      }
    }
    return absl::OkStatus();
  }

  const std::unique_ptr<const HfTokenizer> inner_;
  const int32_t bos_, eos_, pad_, start_of_image_, end_of_image_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& folder,
                                                         const TokenizerOptions& options) {
  HfTokenizer::Options published{.lowercase = options.lowercase};
  if (options.add_control_tokens) published.control_tokens = {kBos, kEos, kStartOfImage, kEndOfImage};
  absl::StatusOr<std::unique_ptr<const HfTokenizer>> inner;
  const std::string path = JoinPath(folder, "tokenizer.json");
  if (const auto kind = KindOf(path); !kind.ok()) return kind.status();  // no permission
  if (Exists(path) || !WhatIsAt(path).empty()) {                         // a link without its target too
    const absl::StatusOr<std::string> bytes = ReadTokenizerFile(path);
    if (!bytes.ok()) return bytes.status();
    absl::StatusOr<TokenizerJson> file = ParseTokenizerJson(*bytes, path);
    if (!file.ok()) return file.status();
    if (!file->rest.contains("model")) return WordTokenizerFromJson(file->rest, path);
    inner = HfTokenizer::FromJson(*std::move(file), *bytes, path, published);
  } else {
    inner = HfTokenizer::Load(folder, published);
  }
  if (!inner.ok()) return inner.status();
  return std::make_unique<PublishedTokenizer>(*std::move(inner));
}

}  // namespace lvrpo
