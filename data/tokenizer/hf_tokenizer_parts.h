#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/tokenizer/hf_tokenizer.h"

// For the files that make an HfTokenizer, data/hf_tokenizer_*.cc.
namespace lvrpo {

// The contents of the files before the tables are built.
struct HfTokenizer::Parts {
  VocabularyTable vocabulary;
  MergeTable merges;
  Bpe::Options bpe;
  std::vector<AddedToken> added;
  std::unique_ptr<const TextNormalizer> normalizer;
  std::unique_ptr<const TextSplitter> splitter;
  std::unique_ptr<const TokenDecoder> decoder;
  nlohmann::json post_processor;
  std::vector<std::string> extra_specials;  // added if missing, in front of Options::control_tokens
  std::optional<Truncation> truncation;
  std::optional<Padding> padding;
  std::string digest_input;
  bool added_follow_vocabulary = false;  // CheckAddedIds

  // Filled by Create.
  std::optional<Bpe> made_bpe;
  std::optional<AddedTokens> made_added;
  TokenTemplate made_template;
  int32_t vocabulary_size = 0;
};

// A file's part of Parts::digest_input.
std::string DigestPart(absl::string_view name, absl::string_view bytes);

// The content and the flags of an added token; flags that are missing are off, but a token that is not
// special is normalized.
absl::StatusOr<AddedToken> AddedTokenFromJson(const nlohmann::json& spec, int32_t id,
                                              const std::string& where);

absl::Status TooManyAddedTokens(const std::string& where);

}  // namespace lvrpo
