#include "reward_server/remote/http/remote_json.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/decimal.h"
#include "common/digits.h"
#include "reward_server/remote/http/mend_json.h"
#include "reward_server/remote/http/remote_status.h"

namespace lvrpo {
namespace {

using nlohmann::json;

constexpr double kRounding = 1e-5;  // outside of 0 to 1: a few operations in single precision

absl::StatusOr<const json*> Member(const json& object, const char* name) {
  if (!object.is_object()) {
    return BadAnswer(absl::StrCat("its answer has a ", object.type_name(), " where an object with \"", name,
                                  "\" belongs"));
  }
  const auto member = object.find(name);
  if (member == object.end()) return BadAnswer(absl::StrCat("its answer has no \"", name, "\""));
  return &*member;
}

}  // namespace

absl::StatusOr<json> ParseRemoteJson(absl::string_view text, JsonBounds bounds) {
  bounds.unique_keys = true;
  const bool fits = text.size() <= bounds.bytes;
  if (fits && absl::StripAsciiWhitespace(text).empty()) return BadAnswer("its answer is empty");
  absl::StatusOr<json> value = ParseBoundedJson(text, bounds);
  if (!value.ok() && fits) {
    if (absl::StatusOr<json> mended = ParseBoundedJson(MendJson(text), bounds); mended.ok())
      value = std::move(mended);
  }
  if (!value.ok()) return BadAnswer(absl::StrCat("its answer: ", value.status().message()));
  if (!value->is_object()) return BadAnswer("its answer is no JSON object");
  return value;
}

std::optional<double> RemoteNumber(const json& value) {
  if (value.is_number()) return value.get<double>();
  double number = 0;
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  const bool mended = text == "NaN" || text == "Infinity" || text == "-Infinity";  // by MendJson
  if ((mended || IsDecimal(text)) && absl::SimpleAtod(text, &number)) return number;
  return std::nullopt;
}

std::optional<double> AsShare(double value) {
  if (!(value >= -kRounding && value <= 1 + kRounding)) return std::nullopt;
  return std::clamp(value, 0.0, 1.0);
}

absl::StatusOr<std::string> RemoteString(const json& object, const char* name) {
  const absl::StatusOr<const json*> member = Member(object, name);
  if (!member.ok()) return member.status();
  if (!(*member)->is_string()) return BadAnswer(absl::StrCat("\"", name, "\" is no string"));
  return (*member)->get<std::string>();
}

absl::StatusOr<double> RemoteShare(const json& object, const char* name) {
  const absl::StatusOr<const json*> member = Member(object, name);
  if (!member.ok()) return member.status();
  const std::optional<double> value = RemoteNumber(**member);
  if (!value.has_value()) return BadAnswer(absl::StrCat("\"", name, "\" is no number"));
  const std::optional<double> share = AsShare(*value);
  if (!share.has_value())
    return BadAnswer(absl::StrCat("\"", name, "\" is ", Digits(*value), "; it must be 0 to 1"));
  return *share;
}

absl::StatusOr<const json*> RemoteList(const json& object, const char* name, int64_t count) {
  const absl::StatusOr<const json*> member = Member(object, name);
  if (!member.ok()) return member.status();
  if (!(*member)->is_array()) return BadAnswer(absl::StrCat("\"", name, "\" is no list"));
  if (count >= 0 && (*member)->size() != static_cast<size_t>(count)) {
    return BadAnswer(
        absl::StrCat("\"", name, "\" has ", (*member)->size(), " entries for ", count, " that were sent"));
  }
  return *member;
}

}  // namespace lvrpo
