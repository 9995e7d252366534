#include "data/prompts/prompts.h"

#include <google/protobuf/util/json_util.h>

#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/files/filesystem.h"
#include "common/files/text_file.h"
#include "common/json/parse_json.h"
#include "data/prompts/line_errors.h"
#include "data/unicode/unicode.h"

namespace lvrpo {
namespace {

constexpr int kMost = 64;  // counts, and entries of each list
constexpr size_t kMostIdBytes = 4096;

std::string Quoted(absl::string_view text) { return absl::StrCat("'", OneLine(text), "'"); }

// C0, DEL, C1, and the separators of lines and paragraphs, of well-formed UTF-8.
bool HoldsControlCharacters(absl::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const char32_t c = unicode::NextCodePoint(text, &at);
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029) return true;
  }
  return false;
}

// The parser's message has several lines: the error, the text near it, a caret.
std::string InOneLine(absl::string_view parser_message) {
  const std::vector<absl::string_view> lines = absl::StrSplit(parser_message, '\n');
  const std::string what = OneLine(absl::StripPrefix(absl::StripSuffix(lines[0], "."), ": "));
  const absl::string_view near = lines.size() > 1 ? absl::StripAsciiWhitespace(lines[1]) : "";
  return near.empty() ? what : absl::StrCat(what, ", near ", Quoted(near));
}

std::string BeyondBounds(const v1::PromptRecord& record) {
  const v1::Constraints& constraints = record.constraints();
  for (const auto& [what, count] : {std::pair{"object constraints", constraints.objects_size()},
                                    {"relations", constraints.relations_size()},
                                    {"key phrases", record.key_phrases_size()},
                                    {"questions", record.questions_size()}}) {
    if (count > kMost) return absl::StrCat("has ", count, " ", what, "; at most ", kMost, " are allowed");
  }
  for (const v1::Question& question : record.questions()) {
    if (question.choices_size() > kMost) {
      return absl::StrCat("has a question with ", question.choices_size(), " choices; at most ", kMost,
                          " are allowed");
    }
  }
  for (const v1::ObjectConstraint& object : constraints.objects()) {
    if (object.count() < 1 || object.count() > kMost) {
      return absl::StrCat("has an object constraint whose count is ", object.count(), "; it must be 1 to ",
                          kMost);
    }
  }
  if (constraints.width() < 0 || constraints.height() < 0) {
    return absl::StrCat("asks for an image of ", constraints.width(), "x", constraints.height(), " pixels");
  }
  for (const v1::RelationConstraint& relation : constraints.relations()) {
    for (const int index : {relation.subject(), relation.object()}) {
      if (index < 0 || index >= constraints.objects_size()) {
        return absl::StrCat("has a relation to object ", index, " but lists ", constraints.objects_size(),
                            " (the first is 0)");
      }
    }
    const std::string& name = relation.relation();
    if (name != "left of" && name != "right of" && name != "above" && name != "below") {
      return absl::StrCat("has the relation ", Quoted(name),
                          "; there are \"left of\", \"right of\", \"above\" and \"below\"");
    }
  }
  return "";
}

std::string WhatIsWrong(const v1::PromptRecord& record) {
  if (record.id().empty()) return "has no id";
  if (record.id().size() > kMostIdBytes) {
    return absl::StrCat("has an id of ", record.id().size(), " bytes; at most ", kMostIdBytes,
                        " are allowed");
  }
  if (HoldsControlCharacters(record.id())) return "has control characters in its id";
  if (HoldsControlCharacters(record.kind())) return "has control characters in its kind";
  if (absl::StripAsciiWhitespace(record.text()).empty()) return "has no text";
  if (record.task() == v1::TASK_KIND_UNSPECIFIED) return "has no task (TASK_KIND_IMAGE or TASK_KIND_TEXT)";
  if (record.task() == v1::TASK_KIND_TEXT) {
    if (record.source_image().empty()) return "is a text task without source_image";
    if (absl::StrContains(record.source_image(), '\0')) return "has a NUL character in its source_image";
    if (record.answer().empty() && record.rules().empty()) return "is a text task without answer or rules";
  }
  for (const std::string& phrase : record.key_phrases()) {
    if (absl::StripAsciiWhitespace(phrase).empty()) return "has an empty key phrase";
  }
  return BeyondBounds(record);
}

}  // namespace

absl::Status CheckPromptBounds(const v1::PromptRecord& record) {
  const std::string wrong = BeyondBounds(record);
  if (wrong.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("prompt ", Quoted(record.id()), " ", wrong));
}

absl::Status CheckPromptTask(const v1::PromptRecord& record, v1::TaskKind task) {
  if (record.task() == task) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("prompt ", Quoted(record.id()), " is a ",
                                                 v1::TaskKind_Name(record.task()),
                                                 "; this file is listed for ", v1::TaskKind_Name(task)));
}

absl::StatusOr<v1::PromptRecord> PromptFromJson(absl::string_view json) {
  if (const std::string wrong = NotUtf8(json); !wrong.empty()) return absl::InvalidArgumentError(wrong);
  // The parser of messages takes what JSON does not have: a comma too many, keys without quotes.
  if (const absl::Status status = ParseJson(json).status(); !status.ok())
    return absl::InvalidArgumentError(absl::StrCat("not a prompt record: ", status.message()));
  v1::PromptRecord record;
  const auto parsed = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(json.data(), json.size()), &record);
  if (parsed.ok()) return record;
  return absl::InvalidArgumentError(
      absl::StrCat("not a prompt record: ",
                   InOneLine(absl::string_view(parsed.message().data(), parsed.message().size()))));
}

absl::StatusOr<std::vector<v1::PromptRecord>> ReadPromptFile(const std::string& path,
                                                             const PromptCheck& also) {
  absl::StatusOr<std::string> text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  std::vector<v1::PromptRecord> records;
  std::map<std::string, int> lines;  // of ids
  LineErrors errors(path);
  int line_number = 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++line_number;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    absl::StatusOr<v1::PromptRecord> record = PromptFromJson(line);
    if (!record.ok()) {
      errors.Add(line_number, record.status().message());
      continue;
    }
    const auto [first, fresh] = lines.try_emplace(record->id(), line_number);
    if (const std::string wrong = WhatIsWrong(*record); !wrong.empty()) {
      errors.Add(line_number, absl::StrCat("prompt ", Quoted(record->id()), " ", wrong));
    } else if (!fresh) {
      errors.Add(line_number, absl::StrCat("the id ", Quoted(record->id()), " is used twice, first in line ",
                                           first->second));
    } else if (absl::Status status = also ? also(*record) : absl::OkStatus(); !status.ok()) {
      errors.Add(line_number, OneLine(status.message(), 1000));
    } else {
      records.push_back(*std::move(record));
    }
  }
  if (absl::Status status = errors.status(); !status.ok()) return status;
  if (records.empty()) return absl::InvalidArgumentError(absl::StrCat(path, " holds no prompt records"));
  return records;
}

absl::Status WritePromptFile(const std::string& path, const std::vector<v1::PromptRecord>& records) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string bytes;
  for (const v1::PromptRecord& record : records) {
    std::string line;
    const auto printed = google::protobuf::util::MessageToJsonString(record, &line, options);
    if (!printed.ok()) return absl::InternalError(std::string(printed.message()));
    absl::StrAppend(&bytes, line, "\n");
  }
  return WriteFileAtomic(path, bytes);
}

ImageSize ImageSizeOf(const v1::PromptRecord& record, const v1::RolloutConfig& rollout) {
  const v1::Constraints& asked = record.constraints();
  return {.width = asked.width() > 0 ? asked.width() : rollout.image_size(),
          .height = asked.height() > 0 ? asked.height() : rollout.image_size()};
}

std::string SourceImagePath(const std::string& prompt_file, const v1::PromptRecord& record) {
  return JoinPath(ParentFolder(prompt_file), record.source_image());
}

}  // namespace lvrpo
