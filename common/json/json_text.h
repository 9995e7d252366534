#pragma once

#include <concepts>
#include <string>

#include "nlohmann/json.hpp"

namespace lvrpo {

// Serialises JSON, everywhere in this project: bytes that are not UTF-8 become U+FFFD instead of an
// exception. `indent`: spaces per level; -1: everything on one line.
inline std::string JsonText(const nlohmann::json& value, int indent = -1) {
  return value.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Keeps the order of its keys. A template, or JsonText({...}) would be ambiguous.
template <std::same_as<nlohmann::ordered_json> Json>
std::string JsonText(const Json& value, int indent = -1) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// The same with every character beyond ASCII escaped.
inline std::string AsciiJsonText(const nlohmann::json& value) {
  return value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

}  // namespace lvrpo
