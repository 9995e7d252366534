#include "data/tokenizer/word_tokenizer.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files/file.h"
#include "common/hash.h"
#include "common/json/json_text.h"

namespace lvrpo {
namespace {

constexpr int32_t kSpecialTokens = 5;

class WordTokenizer : public Tokenizer {
 public:
  explicit WordTokenizer(std::vector<std::string> words)
      : words_(std::move(words)), digest_(Sha256Hex(absl::StrJoin(words_, "\n"))) {
    for (size_t i = 0; i < words_.size(); ++i) ids_.emplace(words_[i], static_cast<int32_t>(i));
  }

  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text) const override {
    std::string spaced;
    for (const char c : text) {
      if (c == ',' || c == '.' || c == '?') {
        absl::StrAppend(&spaced, " ", std::string(1, c), " ");
      } else {
        spaced.push_back(absl::ascii_tolower(static_cast<unsigned char>(c)));
      }
    }
    std::vector<int32_t> ids;
    for (absl::string_view word : absl::StrSplit(spaced, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty())) {
      const auto found = ids_.find(std::string(word));
      if (found == ids_.end()) {
        return absl::InvalidArgumentError(absl::StrCat("the word '", word, "' is not among the ",
                                                       words_.size(), " words that this model knows"));
      }
      ids.push_back(found->second);
    }
    return ids;
  }

  std::string Decode(std::span<const int32_t> ids) const override {
    std::vector<std::string> words;
    for (const int32_t id : ids) {
      if (id >= 0 && id < word_count()) words.push_back(words_[static_cast<size_t>(id)]);
    }
    return absl::StrJoin(words, " ");
  }

  absl::StatusOr<std::vector<int32_t>> EncodeFixed(absl::string_view text, int32_t length) const override {
    absl::StatusOr<std::vector<int32_t>> ids = Encode(text);
    if (ids.ok()) ids->resize(static_cast<size_t>(std::max(length, 0)), pad());
    return ids;
  }

  int32_t pad() const override { return word_count(); }
  int32_t bos() const override { return word_count() + 1; }
  int32_t eos() const override { return word_count() + 2; }
  int32_t start_of_image() const override { return word_count() + 3; }
  int32_t end_of_image() const override { return word_count() + 4; }
  int32_t vocabulary_size() const override { return word_count() + kSpecialTokens; }
  std::string digest() const override { return digest_; }

 private:
  int32_t word_count() const { return static_cast<int32_t>(words_.size()); }

  const std::vector<std::string> words_;
  const std::string digest_;
  std::map<std::string, int32_t> ids_;
};

}  // namespace

std::unique_ptr<Tokenizer> MakeWordTokenizer(std::vector<std::string> words) {
  return std::make_unique<WordTokenizer>(std::move(words));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> WordTokenizerFromJson(const nlohmann::json& json,
                                                                 const std::string& path) {
  const auto list = json.find("words");
  if (json.value("type", nlohmann::json()) != "word" || list == json.end() || !list->is_array()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     " is neither a word tokenizer, {\"type\": \"word\", \"words\": [...]}, nor a "
                     "published one, which has an object model"));
  }
  std::vector<std::string> words;
  std::set<std::string> seen;
  for (const nlohmann::json& word : *list) {
    if (!word.is_string() || word.get_ref<const std::string&>().empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": entry ", words.size(), " of words is not a word"));
    }
    if (!seen.insert(word.get<std::string>()).second)
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": the word ", JsonText(word), " is listed twice"));
    words.push_back(word.get<std::string>());
  }
  return MakeWordTokenizer(std::move(words));
}

absl::Status WriteWordTokenizer(const std::string& path, const std::vector<std::string>& words) {
  return WriteFileAtomic(path, JsonText(nlohmann::json({{"type", "word"}, {"words", words}}), 1) + "\n");
}

}  // namespace lvrpo
