#include "data/tokenizer/hf_tokenizer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "data/unicode/unicode.h"

namespace lvrpo {
namespace {

// Ids of the text alone, cut so that `reserved` more fit.
absl::Status Truncate(const HfTokenizer::Truncation& truncation, size_t reserved, std::vector<int32_t>* ids) {
  const auto most = static_cast<size_t>(std::max(truncation.max_length, 0));
  if (most < reserved) {
    return absl::InvalidArgumentError(
        absl::StrCat("at most ", most, " ids are wanted, but the special tokens alone are ", reserved));
  }
  const size_t kept = most - reserved;
  if (ids->size() <= kept) return absl::OkStatus();
  if (truncation.left) ids->erase(ids->begin(), ids->end() - static_cast<ptrdiff_t>(kept));
  ids->resize(kept);
  return absl::OkStatus();
}

void Pad(const HfTokenizer::Padding& padding, std::vector<int32_t>* ids) {
  size_t length = padding.length > 0 ? static_cast<size_t>(padding.length) : ids->size();
  const auto multiple = static_cast<size_t>(std::max(padding.multiple, 0));
  if (multiple > 0) length = (length + multiple - 1) / multiple * multiple;
  if (ids->size() >= length) return;
  ids->insert(padding.left ? ids->begin() : ids->end(), length - ids->size(), padding.pad_id);
}

}  // namespace

absl::StatusOr<std::vector<int32_t>> HfTokenizer::Encode(absl::string_view text,
                                                         const EncodeOptions& options) const {
  if (text.size() > kMaxTextBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a text of ", text.size(), " bytes; at most ", kMaxTextBytes, " can be tokenized"));
  }
  std::string repaired;
  if (!unicode::IsValidUtf8(text)) {
    repaired = unicode::RepairUtf8(text);
    text = repaired;
  }
  absl::StatusOr<std::vector<AddedTokens::Piece>> pieces =
      added_.Cut(text, normalizer_.get(), options.specials_are_text);
  if (!pieces.ok()) return pieces.status();

  std::vector<int32_t> ids;
  for (AddedTokens::Piece& piece : *pieces) {
    if (piece.id >= 0) {
      ids.push_back(piece.id);
      continue;
    }
    TextPieces words;
    words.first_begins_text = &piece == &pieces->front();
    words.pieces.push_back(std::move(piece.text));
    if (splitter_ != nullptr) {
      if (absl::Status status = splitter_->Split(&words); !status.ok()) return status;
    }
    for (const std::string& word : words.pieces) {
      // With ignore_merges a word that spells a special token would become that token.
      const bool whole_word = !options.specials_are_text || !added_.IsSpecial(word);
      if (absl::Status status = bpe_.Encode(word, whole_word, &ids); !status.ok()) return status;
    }
  }

  const TokenTemplate around = options.add_special_tokens ? template_ : TokenTemplate();
  if (options.truncation.has_value()) {
    if (absl::Status status = Truncate(*options.truncation, around.count(), &ids); !status.ok())
      return status;
  }
  ids.insert(ids.begin(), around.before.begin(), around.before.end());
  ids.insert(ids.end(), around.after.begin(), around.after.end());
  if (options.padding.has_value()) Pad(*options.padding, &ids);
  return ids;
}

absl::StatusOr<std::string> HfTokenizer::Decode(std::span<const int32_t> ids,
                                                bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  size_t total = 0;
  for (const int32_t id : ids) {
    const AddedToken* added = added_.Find(id);
    const std::optional<absl::string_view> token =
        added != nullptr ? added_.DecodedForm(*added) : bpe_.TokenOf(id);
    if (!token.has_value() || (skip_special_tokens && added_.IsSpecial(*token))) continue;
    total += token->size();
    if (total > kMaxDecodedBytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the decoded text has more than ", kMaxDecodedBytes, " bytes"));
    }
    tokens.emplace_back(*token);
  }
  if (decoder_ == nullptr) return absl::StrJoin(tokens, " ");
  absl::StatusOr<std::vector<std::string>> decoded = decoder_->Decode(std::move(tokens));
  if (!decoded.ok()) return decoded.status();
  return absl::StrJoin(*decoded, "");
}

std::optional<int32_t> HfTokenizer::IdOf(absl::string_view token) const {
  const AddedToken* added = added_.Find(token);
  return added != nullptr ? std::optional(added->id) : bpe_.IdOf(token);
}

bool HfTokenizer::IsSpecial(int32_t id) const {
  const AddedToken* added = added_.Find(id);
  return added != nullptr && added->special;
}

}  // namespace lvrpo
