#include "data/prompts/geneval.h"

#include <algorithm>
#include <climits>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/files/text_file.h"
#include "common/json/json_text.h"
#include "common/json/parse_json.h"
#include "data/prompts/key_phrases.h"
#include "data/prompts/line_errors.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

using nlohmann::json;

constexpr int kMostCount = 64;
constexpr size_t kMostEntries = 32;     // of include and of exclude
constexpr size_t kMostNameBytes = 128;  // class and colour
constexpr size_t kMostPromptBytes = size_t{1} << 16;
constexpr const char* kCounting = "counting";

// One row, read field by field. Keeps the first error.
class Row {
 public:
  v1::PromptRecord Read(const json& row) {
    v1::PromptRecord record;
    record.set_task(v1::TASK_KIND_IMAGE);
    if (!IsObject(row, "the row", {"tag", "include", "exclude", "prompt"})) return record;
    record.set_kind(Text(row, "tag", "tag", kMostNameBytes));
    record.set_text(Text(row, "prompt", "prompt", kMostPromptBytes));
    v1::DetectedObjectsRule& rule = *record.add_rules()->mutable_detected_objects();
    rule.set_exact_count(record.kind() == kCounting);
    const json& include = List(row, "include");
    if (include.empty()) Wrong("include", "has no entry");
    for (size_t i = 0; i < include.size() && wrong_.empty(); ++i)
      Include(include[i], absl::StrCat("include[", i, "]"), static_cast<int>(i), rule.add_include());
    const json& exclude = List(row, "exclude");
    for (size_t i = 0; i < exclude.size() && wrong_.empty(); ++i)
      Exclude(exclude[i], absl::StrCat("exclude[", i, "]"), &rule);
    for (std::string& phrase : ExtractKeyPhrases(record.text())) record.add_key_phrases(std::move(phrase));
    return record;
  }

  // Empty: nothing.
  const std::string& wrong() const { return wrong_; }

 private:
  void Wrong(const std::string& field, const std::string& what) {
    if (wrong_.empty()) wrong_ = absl::StrCat(field, " ", what);
  }

  bool IsObject(const json& value, const std::string& field, std::initializer_list<const char*> names) {
    if (!value.is_object()) {
      Wrong(field, "is not an object");
      return false;
    }
    for (const auto& [name, unused] : value.items()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        Wrong(field, absl::StrCat("has an unknown member, ", AsciiJsonText(json(name.substr(0, 40)))));
        return false;
      }
    }
    return true;
  }

  std::string Text(const json& object, const char* name, const std::string& field, size_t most) {
    const auto member = object.find(name);
    if (member == object.end() || !member->is_string()) {
      Wrong(field, "is not a string");
      return "";
    }
    std::string text = member->get<std::string>();
    if (absl::StripAsciiWhitespace(text).empty()) Wrong(field, "is empty");
    if (text.size() > most)
      Wrong(field, absl::StrCat("has ", text.size(), " bytes; at most ", most, " are allowed"));
    return text;
  }

  const json& List(const json& row, const char* name) {
    static const json& none = *new json(json::array());
    const auto member = row.find(name);
    if (member == row.end()) return none;
    if (!member->is_array()) {
      Wrong(name, "is not a list");
      return none;
    }
    if (member->size() > kMostEntries) {
      Wrong(name, absl::StrCat("has ", member->size(), " entries; at most ", kMostEntries, " are allowed"));
      return none;
    }
    return *member;
  }

  // A whole number of least to most, `least` not below 0; `least` when it is none.
  int Whole(const json& value, const std::string& field, int least, int most, const std::string& range) {
    if (value.is_number_unsigned()) {
      const auto number = value.get<uint64_t>();
      if (number <= INT_MAX && static_cast<int>(number) >= least && static_cast<int>(number) <= most)
        return static_cast<int>(number);
    }
    Wrong(field, "is not " + range);
    return least;
  }

  int Count(const json& entry, const std::string& field) {
    const auto member = entry.find("count");
    return Whole(member == entry.end() ? json() : *member, field + ".count", 1, kMostCount,
                 absl::StrCat("a whole number of 1 to ", kMostCount));
  }

  void Include(const json& entry, const std::string& field, int index,
               v1::DetectedObjectsRule::Include* include) {
    if (!IsObject(entry, field, {"class", "count", "color", "position"})) return;
    include->set_class_name(Text(entry, "class", field + ".class", kMostNameBytes));
    include->set_count(Count(entry, field));
    if (entry.contains("color")) include->set_color(Text(entry, "color", field + ".color", kMostNameBytes));
    const auto position = entry.find("position");
    if (position == entry.end()) return;
    if (!position->is_array() || position->size() != 2 || !(*position)[0].is_string())
      return Wrong(field + ".position", "is not a relation and an index");
    const std::string relation = (*position)[0].get<std::string>();
    if (relation != "left of" && relation != "right of" && relation != "above" && relation != "below") {
      return Wrong(field + ".position[0]", R"(is none of "left of", "right of", "above" and "below")");
    }
    include->set_relation(relation);
    include->set_target(
        Whole((*position)[1], field + ".position[1]", 0, index - 1, "the index of an earlier entry"));
  }

  void Exclude(const json& entry, const std::string& field, v1::DetectedObjectsRule* rule) {
    if (!IsObject(entry, field, {"class", "count"})) return;
    const std::string name = Text(entry, "class", field + ".class", kMostNameBytes);
    const int count = Count(entry, field);
    for (const v1::DetectedObjectsRule::Include& include : rule->include()) {
      if (include.class_name() != name) continue;
      if (rule->exact_count() && count == include.count() + 1) return;  // implied by exact_count
      if (count <= include.count())
        return Wrong(field, absl::StrCat("excludes ", count, " of a class of which ", include.count(),
                                         " are included"));
    }
    v1::DetectedObjectsRule::Exclude& exclude = *rule->add_exclude();
    exclude.set_class_name(name);
    exclude.set_count(count);
  }

  std::string wrong_;
};

}  // namespace

absl::StatusOr<std::vector<v1::PromptRecord>> GenEvalPrompts(absl::string_view jsonl,
                                                             const std::string& where) {
  std::vector<v1::PromptRecord> records;
  LineErrors errors(where);
  int line_number = 0;
  for (const absl::string_view line : absl::StrSplit(WithoutByteOrderMark(jsonl), '\n')) {
    ++line_number;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    const absl::StatusOr<json> row = ParseJson(line);
    if (!row.ok()) {
      errors.Add(line_number, row.status().message());
      continue;
    }
    Row reader;
    v1::PromptRecord record = reader.Read(*row);
    if (!reader.wrong().empty()) errors.Add(line_number, reader.wrong());
    record.set_id(absl::StrFormat("geneval-%05d", records.size()));
    records.push_back(std::move(record));
  }
  if (absl::Status status = errors.status(); !status.ok()) return status;
  if (records.empty()) return absl::InvalidArgumentError(where + " holds no rows");
  return records;
}

absl::StatusOr<std::vector<v1::PromptRecord>> ReadGenEvalFile(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  return GenEvalPrompts(*text, path);
}

}  // namespace lvrpo
