#include "reward_server/remote/remote_json.h"

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

using nlohmann::json;

absl::StatusOr<const json*> Member(const json& object, const char* name) {
  if (!object.is_object()) {
    return absl::InternalError(absl::StrCat("its answer has a ", object.type_name(),
                                            " where an object with \"", name, "\" belongs"));
  }
  const auto member = object.find(name);
  if (member == object.end()) return absl::InternalError(absl::StrCat("its answer has no \"", name, "\""));
  return &*member;
}

}  // namespace

absl::StatusOr<json> ParseRemoteJson(absl::string_view text, const JsonBounds& bounds) {
  absl::StatusOr<json> value = ParseBoundedJson(text, bounds);
  if (!value.ok()) return absl::InternalError(absl::StrCat("its answer: ", value.status().message()));
  if (!value->is_object()) return absl::InternalError("its answer is no JSON object");
  return value;
}

absl::StatusOr<std::string> RemoteString(const json& object, const char* name) {
  const absl::StatusOr<const json*> member = Member(object, name);
  if (!member.ok()) return member.status();
  if (!(*member)->is_string()) return absl::InternalError(absl::StrCat("\"", name, "\" is no string"));
  return (*member)->get<std::string>();
}

absl::StatusOr<double> RemoteShare(const json& object, const char* name) {
  const absl::StatusOr<const json*> member = Member(object, name);
  if (!member.ok()) return member.status();
  if (!(*member)->is_number()) return absl::InternalError(absl::StrCat("\"", name, "\" is no number"));
  const double value = (*member)->get<double>();
  if (!(value >= 0 && value <= 1))
    return absl::InternalError(absl::StrCat("\"", name, "\" is ", value, "; it must be 0 to 1"));
  return value;
}

absl::StatusOr<const json*> RemoteList(const json& object, const char* name, int64_t count) {
  const absl::StatusOr<const json*> member = Member(object, name);
  if (!member.ok()) return member.status();
  if (!(*member)->is_array()) return absl::InternalError(absl::StrCat("\"", name, "\" is no list"));
  if (count >= 0 && (*member)->size() != static_cast<size_t>(count)) {
    return absl::InternalError(
        absl::StrCat("\"", name, "\" has ", (*member)->size(), " entries for ", count, " that were sent"));
  }
  return *member;
}

}  // namespace lvrpo
