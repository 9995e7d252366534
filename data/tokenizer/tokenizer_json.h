#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

// Reads the JSON files of a tokenizer, which are untrusted: the parser stops at bad UTF-8, duplicate keys,
// deep nesting and too many values, and the two large tables never become JSON objects.
namespace lvrpo {

// Limits, several times what the largest published tokenizers need.
constexpr size_t kMaxTokenizerFileBytes = size_t{64} << 20;
constexpr size_t kMaxTokens = size_t{1} << 21;  // also the greatest id + 1
constexpr size_t kMaxMerges = size_t{1} << 22;
constexpr size_t kMaxAddedTokens = size_t{1} << 17;
constexpr size_t kMaxTokenBytes = 4096;
constexpr size_t kMaxComponents = 64;  // members of a Sequence, pieces of a template

// Token text -> id, in the order of the file. The texts are concatenated in one string.
struct VocabularyTable {
  struct Entry {
    uint32_t begin, end;
    int32_t id;
  };
  std::string text;
  std::vector<Entry> entries;

  absl::string_view token(const Entry& entry) const {
    return absl::string_view(text).substr(entry.begin, entry.end - entry.begin);
  }
};

// Pairs of tokens that merge, in order of rank.
struct MergeTable {
  struct Entry {
    uint32_t begin, middle, end;
  };
  std::string text;
  std::vector<Entry> entries;

  std::pair<absl::string_view, absl::string_view> pair(const Entry& entry) const {
    const absl::string_view all = text;
    return {all.substr(entry.begin, entry.middle - entry.begin),
            all.substr(entry.middle, entry.end - entry.middle)};
  }
};

struct TokenizerJson {
  nlohmann::json rest;  // the file, an object, without model.vocab and model.merges
  bool has_vocabulary = false, has_merges = false;
  VocabularyTable vocabulary;
  MergeTable merges;
};

// Errors begin with `where`, the path. All are InvalidArgument.
absl::StatusOr<TokenizerJson> ParseTokenizerJson(absl::string_view bytes, const std::string& where);
// vocab.json and added_tokens.json: one object of ids.
absl::StatusOr<VocabularyTable> ParseVocabularyJson(absl::string_view bytes, const std::string& where);
// merges.txt: a pair per line, separated by one space; an optional first line "#version: ...".
absl::StatusOr<MergeTable> ParseMergesText(absl::string_view bytes, const std::string& where);
// Small files, e.g. tokenizer_config.json: one object.
absl::StatusOr<nlohmann::json> ParseConfigJson(absl::string_view bytes, const std::string& where);

// ReadTextFile within kMaxTokenizerFileBytes.
absl::StatusOr<std::string> ReadTokenizerFile(const std::string& path);

// Members of a component, named in the error if they have another type or are missing without a default.
absl::StatusOr<bool> BoolMember(const nlohmann::json& object, const char* name, const std::string& where);
absl::StatusOr<std::string> StringMember(const nlohmann::json& object, const char* name,
                                         const std::string& where);

// The members of a component "Sequence": each made by T::FromJson(spec, where), which gives a unique_ptr.
template <typename T>
absl::StatusOr<std::vector<std::unique_ptr<const T>>> ListMember(const nlohmann::json& object,
                                                                 const char* name, const std::string& where) {
  const auto list = object.find(name);
  if (list == object.end() || !list->is_array() || list->size() > kMaxComponents) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": ", name, " has to be a list of at most ", kMaxComponents));
  }
  std::vector<std::unique_ptr<const T>> members;
  for (const nlohmann::json& spec : *list) {
    absl::StatusOr<std::unique_ptr<const T>> member =
        T::FromJson(spec, absl::StrCat(where, ".", name, "[", members.size(), "]"));
    if (!member.ok()) return member.status();
    if (*member == nullptr)
      return absl::InvalidArgumentError(absl::StrCat(where, ".", name, "[", members.size(), "] is null"));
    members.push_back(*std::move(member));
  }
  return members;
}

// Text for an error message: in single quotes, on one line, shortened.
std::string QuoteToken(absl::string_view text);

}  // namespace lvrpo
