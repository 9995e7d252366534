#include "data/tokenizer/tokenizer_json.h"

#include <algorithm>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files/filesystem.h"
#include "common/files/text_file.h"
#include "common/json/json_text.h"
#include "data/unicode/unicode.h"

namespace lvrpo {
namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 32;
constexpr size_t kMaxValues = size_t{1} << 20;  // outside of the two tables: 100 MB at the most

absl::Status Append(absl::string_view token, int64_t id, const std::string& where, VocabularyTable* table) {
  if (table->entries.size() == kMaxTokens)
    return absl::InvalidArgumentError(absl::StrCat(where, ": more than ", kMaxTokens, " tokens"));
  if (token.size() > kMaxTokenBytes) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": the token ", QuoteToken(token), " has ",
                                                   token.size(), " bytes; at most ", kMaxTokenBytes,
                                                   " are allowed"));
  }
  if (id < 0 || id >= static_cast<int64_t>(kMaxTokens)) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": the token ", QuoteToken(token), " has the id ",
                                                   id, "; ids are 0 to ", kMaxTokens - 1));
  }
  const auto begin = static_cast<uint32_t>(table->text.size());
  table->text.append(token.data(), token.size());
  table->entries.push_back({begin, static_cast<uint32_t>(table->text.size()), static_cast<int32_t>(id)});
  return absl::OkStatus();
}

absl::Status Append(absl::string_view left, absl::string_view right, const std::string& where,
                    MergeTable* table) {
  if (table->entries.size() == kMaxMerges)
    return absl::InvalidArgumentError(absl::StrCat(where, ": more than ", kMaxMerges, " merges"));
  const auto begin = static_cast<uint32_t>(table->text.size());
  table->text.append(left.data(), left.size());
  const auto middle = static_cast<uint32_t>(table->text.size());
  table->text.append(right.data(), right.size());
  table->entries.push_back({begin, middle, static_cast<uint32_t>(table->text.size())});
  return absl::OkStatus();
}

// "a b"
absl::Status AppendLine(absl::string_view line, const std::string& where, MergeTable* table) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(' ', 1));
  if (parts.first.empty() || parts.second.empty() || absl::StrContains(parts.second, ' ')) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": merge ", table->entries.size(), ", ",
                                                   QuoteToken(line),
                                                   ", is not two tokens with a space between them"));
  }
  return Append(parts.first, parts.second, where, table);
}

// Events of nlohmann's SAX parser: builds a JSON value, but puts the vocabulary and the merges into tables.
class Reader : public nlohmann::json_sax<json> {
 public:
  // Where the tables are. kNone: nowhere.
  enum class Tables { kNone, kInModel, kAll };

  Reader(const std::string& where, Tables tables) : where_(where), tables_(tables) {}

  TokenizerJson result;
  absl::Status status;

  bool start_object(std::size_t) override {
    if (!Deeper()) return false;
    const bool is_table = tables_ == Tables::kAll
                              ? depth_ == 1
                              : tables_ == Tables::kInModel && depth_ == 3 && InModel() && key_ == "vocab";
    if (is_table) {
      table_ = Table::kVocabulary;
      names_.emplace_back();
      return true;
    }
    if (table_ != Table::kNone) return Fail("an object among the values of a table");
    json* place = Put(json::object());
    if (place == nullptr) return false;
    open_.push_back(place);
    names_.emplace_back();
    return true;
  }

  bool key(std::string& name) override {
    // A table's tokens are checked by the code that indexes them.
    if (table_ == Table::kNone && !names_.back().insert(name).second)
      return Fail(absl::StrCat("the key ", QuoteToken(name), " occurs twice"));
    if (depth_ == 1) section_ = name;
    key_ = name;
    return true;
  }

  bool end_object() override {
    --depth_;
    names_.pop_back();
    if (table_ == Table::kVocabulary) {
      table_ = Table::kNone;
      result.has_vocabulary = true;
    } else {
      open_.pop_back();
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (!Deeper()) return false;
    if (table_ == Table::kMerges && depth_ == 4) {
      pair_.clear();
      in_pair_ = true;
      return true;
    }
    if (table_ != Table::kNone) return Fail("an array among the values of a table");
    if (tables_ == Tables::kInModel && depth_ == 3 && InModel() && key_ == "merges") {
      table_ = Table::kMerges;
      return true;
    }
    if (tables_ == Tables::kInModel && depth_ == 3 && InModel() && key_ == "vocab")
      return Fail(
          absl::StrCat("model.vocab is a list, so the model is not BPE, the only one that can be read (",
                       "its type is ", JsonText(result.rest["model"].value("type", json())), ")"));
    json* place = Put(json::array());
    if (place == nullptr) return false;
    open_.push_back(place);
    return true;
  }

  bool end_array() override {
    --depth_;
    if (in_pair_) {
      in_pair_ = false;
      if (pair_.size() != 2)
        return Fail(absl::StrCat("merge ", result.merges.entries.size(), " is not a pair"));
      return Check(Append(pair_[0], pair_[1], where_, &result.merges));
    }
    if (table_ == Table::kMerges) {
      table_ = Table::kNone;
      result.has_merges = true;
      return true;
    }
    open_.pop_back();
    return true;
  }

  bool string(std::string& value) override {
    if (table_ == Table::kVocabulary) return FailId();
    if (table_ == Table::kMerges) {
      if (in_pair_) {
        pair_.push_back(value);
        return pair_.size() <= 2 ||
               Fail(absl::StrCat("merge ", result.merges.entries.size(), " is not a pair"));
      }
      if (absl::StartsWith(value, "#version")) return true;
      return Check(AppendLine(value, where_, &result.merges));
    }
    return Put(std::move(value)) != nullptr;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (table_ != Table::kNone && value > uint64_t{INT64_MAX}) return FailId();
    return table_ == Table::kNone ? Put(value) != nullptr : number_integer(static_cast<int64_t>(value));
  }
  bool number_integer(number_integer_t value) override {
    if (table_ == Table::kVocabulary) return Check(Append(key_, value, where_, &result.vocabulary));
    return Scalar(value);
  }
  bool number_float(number_float_t value, const string_t&) override { return Scalar(value); }
  bool boolean(bool value) override { return Scalar(value); }
  bool null() override { return Scalar(nullptr); }
  bool binary(binary_t&) override { return Fail("a binary value"); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return Fail(absl::StrCat("no valid JSON at byte ", position));
  }

  absl::StatusOr<TokenizerJson> Finish(bool parsed) {
    if (!status.ok()) return status;
    if (!parsed) return absl::InvalidArgumentError(absl::StrCat(where_, ": no valid JSON"));
    if (tables_ == Tables::kAll ? !result.has_vocabulary : !result.rest.is_object())
      return absl::InvalidArgumentError(absl::StrCat(where_, ": not a JSON object"));
    return std::move(result);
  }

 private:
  enum class Table { kNone, kVocabulary, kMerges };

  bool InModel() const { return section_ == "model"; }

  bool Fail(absl::string_view what) {
    if (status.ok()) status = absl::InvalidArgumentError(absl::StrCat(where_, ": ", what));
    return false;
  }
  bool Check(absl::Status appended) {
    if (status.ok()) status = std::move(appended);
    return status.ok();
  }
  bool FailId() { return Fail(absl::StrCat("the id of ", QuoteToken(key_), " is not a number from 0 on")); }

  bool Deeper() {
    return ++depth_ <= kMaxDepth || Fail(absl::StrCat("nested deeper than ", kMaxDepth, " levels"));
  }

  template <typename T>
  bool Scalar(T value) {
    if (table_ == Table::kVocabulary) return FailId();
    if (table_ == Table::kMerges)
      return Fail(
          absl::StrCat("merge ", result.merges.entries.size(), " is not a string or a pair of strings"));
    return Put(value) != nullptr;
  }

  // Puts a value where it belongs; null and a status if there are too many.
  json* Put(json value) {
    if (++values_ > kMaxValues) {
      Fail(absl::StrCat("more than ", kMaxValues, " values besides the vocabulary and the merges"));
      return nullptr;
    }
    if (open_.empty()) {
      result.rest = std::move(value);
      return &result.rest;
    }
    json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[key_] = std::move(value));
  }

  const std::string& where_;
  const Tables tables_;
  size_t depth_ = 0, values_ = 0;
  std::string section_, key_;                 // the open keys at depth 1 and of the innermost object
  std::vector<json*> open_;                   // open objects and arrays; a parent does not grow meanwhile
  std::vector<std::set<std::string>> names_;  // keys of the open objects
  Table table_ = Table::kNone;
  bool in_pair_ = false;
  std::vector<std::string> pair_;
};

absl::StatusOr<TokenizerJson> Parse(absl::string_view bytes, const std::string& where,
                                    Reader::Tables tables) {
  if (bytes.size() > kMaxTokenizerFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": ", bytes.size(), " bytes; at most ", kMaxTokenizerFileBytes, " are allowed"));
  }
  Reader reader(where, tables);
  const bool parsed = json::sax_parse(bytes.data(), bytes.data() + bytes.size(), &reader);
  return reader.Finish(parsed);
}

}  // namespace

absl::StatusOr<TokenizerJson> ParseTokenizerJson(absl::string_view bytes, const std::string& where) {
  return Parse(bytes, where, Reader::Tables::kInModel);
}

absl::StatusOr<VocabularyTable> ParseVocabularyJson(absl::string_view bytes, const std::string& where) {
  absl::StatusOr<TokenizerJson> parsed = Parse(bytes, where, Reader::Tables::kAll);
  if (!parsed.ok()) return parsed.status();
  return std::move(parsed->vocabulary);
}

absl::StatusOr<json> ParseConfigJson(absl::string_view bytes, const std::string& where) {
  absl::StatusOr<TokenizerJson> parsed = Parse(bytes, where, Reader::Tables::kNone);
  if (!parsed.ok()) return parsed.status();
  return std::move(parsed->rest);
}

absl::StatusOr<MergeTable> ParseMergesText(absl::string_view bytes, const std::string& where) {
  if (bytes.size() > kMaxTokenizerFileBytes || !unicode::IsValidUtf8(bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": not UTF-8, or more than ", kMaxTokenizerFileBytes, " bytes"));
  }
  MergeTable table;
  bool first = true;
  for (absl::string_view line : absl::StrSplit(bytes, '\n')) {
    absl::ConsumeSuffix(&line, "\r");
    const bool skipped = line.empty() || (first && absl::StartsWith(line, "#version"));
    first = false;
    if (skipped) continue;
    if (absl::Status status = AppendLine(line, where, &table); !status.ok()) return status;
  }
  return table;
}

absl::StatusOr<std::string> ReadTokenizerFile(const std::string& path) {
  const absl::StatusOr<int64_t> size = FileSize(path);
  if (size.ok() && *size > static_cast<int64_t>(kMaxTokenizerFileBytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", *size, " bytes; at most ", kMaxTokenizerFileBytes, " are allowed"));
  }
  return ReadTextFile(path);
}

absl::StatusOr<bool> BoolMember(const json& object, const char* name, const std::string& where) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_boolean())
    return absl::InvalidArgumentError(absl::StrCat(where, ": ", name, " has to be true or false"));
  return found->get<bool>();
}

absl::StatusOr<std::string> StringMember(const json& object, const char* name, const std::string& where) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string())
    return absl::InvalidArgumentError(absl::StrCat(where, ": ", name, " has to be a string"));
  return found->get<std::string>();
}

std::string QuoteToken(absl::string_view text) {
  size_t shown = std::min<size_t>(text.size(), 120);
  while (shown < text.size() && shown > 0 && (static_cast<unsigned char>(text[shown]) & 0xC0) == 0x80)
    --shown;
  return absl::StrCat("'", absl::Utf8SafeCHexEscape(text.substr(0, shown)),
                      shown < text.size() ? "'..." : "'");
}

}  // namespace lvrpo
