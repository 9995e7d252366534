#include "data/prompts.h"

#include <google/protobuf/util/json_util.h>

#include <filesystem>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/file.h"

namespace lvrpo {
namespace {

std::string WhatIsWrong(const v1::PromptRecord& record) {
  if (record.id().empty()) return "has no id";
  if (record.text().empty()) return "has no text";
  if (record.task() == v1::TASK_KIND_UNSPECIFIED) return "has no task (TASK_KIND_IMAGE or TASK_KIND_TEXT)";
  if (record.task() == v1::TASK_KIND_TEXT) {
    if (record.source_image().empty()) return "is a text task without source_image";
    if (record.answer().empty()) return "is a text task without answer";
  }
  for (const v1::ObjectConstraint& object : record.constraints().objects()) {
    if (object.count() < 1) return "has an object constraint whose count is not at least 1";
  }
  for (const v1::RelationConstraint& relation : record.constraints().relations()) {
    const int objects = record.constraints().objects_size();
    if (relation.subject() < 0 || relation.subject() >= objects || relation.object() < 0 ||
        relation.object() >= objects) {
      return "has a relation between objects that it does not list";
    }
  }
  return "";
}

}  // namespace

absl::StatusOr<std::vector<v1::PromptRecord>> ReadPromptFile(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status();
  std::vector<v1::PromptRecord> records;
  std::set<std::string> ids;
  int line_number = 0;
  for (absl::string_view line : absl::StrSplit(*bytes, '\n')) {
    ++line_number;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    v1::PromptRecord record;
    const auto parsed = google::protobuf::util::JsonStringToMessage(
        google::protobuf::StringPiece(line.data(), line.size()), &record);
    if (!parsed.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", line_number, ": not a prompt record: ", parsed.ToString()));
    }
    const std::string wrong = WhatIsWrong(record);
    if (!wrong.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", line_number, ": prompt '", record.id(), "' ", wrong));
    }
    if (!ids.insert(record.id()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", line_number, ": the id '", record.id(), "' is used twice"));
    }
    records.push_back(std::move(record));
  }
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

std::string SourceImagePath(const std::string& prompt_file, const v1::PromptRecord& record) {
  return (std::filesystem::path(prompt_file).parent_path() / record.source_image()).string();
}

}  // namespace lvrpo
