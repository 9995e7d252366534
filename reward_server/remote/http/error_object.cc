#include "reward_server/remote/http/error_object.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "reward_server/remote/http/remote_json.h"

namespace lvrpo {
namespace {

using nlohmann::json;

constexpr JsonBounds kBounds = {.bytes = size_t{1} << 20, .values = 100000, .depth = 32};

// The code that one of these members names.
int CodeIn(const json& object) {
  for (const char* name : {"code", "status", "status_code", "http_status"}) {
    const auto member = object.find(name);
    if (member == object.end()) continue;
    const std::optional<double> code = RemoteNumber(*member);
    if (code.has_value() && *code >= 300 && *code <= 599) return static_cast<int>(*code);
  }
  // Names instead of numbers.
  constexpr std::pair<const char*, int> kKinds[] = {
      {"rate_limit", 429},  {"too_many_requests", 429}, {"overloaded", 529},     {"unavailable", 503},
      {"bad_gateway", 502}, {"timeout", 504},           {"authentication", 401}, {"invalid_api_key", 401},
      {"permission", 403},  {"not_found", 404},         {"invalid_request", 400}};
  for (const char* name : {"code", "status", "type"}) {
    const auto member = object.find(name);
    if (member == object.end() || !member->is_string()) continue;
    const std::string kind = absl::AsciiStrToLower(member->get<std::string>());
    const auto known = std::find_if(std::begin(kKinds), std::end(kKinds),
                                    [&](const auto& entry) { return absl::StrContains(kind, entry.first); });
    if (known != std::end(kKinds)) return known->second;
  }
  return 0;
}

std::string MessageIn(const json& object) {
  for (const char* name : {"message", "detail", "error"}) {
    const auto member = object.find(name);
    if (member != object.end() && member->is_string()) return member->get<std::string>();
  }
  return "";
}

// The member "error" if it is not null or empty.
const json* ErrorOf(const json& object) {
  const auto error = object.find("error");
  if (error == object.end() || error->empty()) return nullptr;
  if (error->is_string()) return error->get_ref<const std::string&>().empty() ? nullptr : &*error;
  return error->is_object() ? &*error : nullptr;
}

ErrorObject Read(const json& error, const json& around) {
  if (error.is_string()) return {.code = CodeIn(around), .message = error.get<std::string>()};
  const int code = CodeIn(error);
  return {.code = code != 0 ? code : CodeIn(around), .message = MessageIn(error)};
}

}  // namespace

std::optional<ErrorObject> ReadErrorObject(absl::string_view body) {
  if (body.size() > kBounds.bytes || !absl::StrContains(body, "error")) return std::nullopt;
  const absl::StatusOr<json> answer = ParseRemoteJson(body, kBounds);
  if (!answer.ok() || answer->contains("digest")) return std::nullopt;
  if (const json* error = ErrorOf(*answer); error != nullptr) return Read(*error, *answer);
  if (const auto object = answer->find("object"); object != answer->end() && *object == "error")
    return Read(*answer, *answer);
  const auto choices = answer->find("choices");
  if (choices == answer->end() || !choices->is_array() || choices->empty() || !(*choices)[0].is_object())
    return std::nullopt;
  const json* error = ErrorOf((*choices)[0]);
  if (error == nullptr) return std::nullopt;
  return Read(*error, *answer);
}

}  // namespace lvrpo
