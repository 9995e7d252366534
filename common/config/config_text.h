#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "yaml-cpp/yaml.h"

// The subset of YAML that configurations use. Constructs whose parsed value could silently differ from what
// was written are refused. Pure functions.
namespace lvrpo {

struct ConfigTextError {
  int line = 0;  // from 1; 0 when the error is not about a line
  std::string what;
};

// The one YAML document in `text`, Null when there is none. A byte order mark is skipped; refused are bytes
// that are not UTF-8, control characters (the parser takes some for the end of the text) and a second
// document.
std::optional<ConfigTextError> ParseConfigText(absl::string_view text, YAML::Node& root);

struct ConfigEntry {
  YAML::Node key, value;
};

// The entries of a mapping: its own, in order, then those that its merge key (`<<: *base`, `<<: [*one,
// *two]`) adds to them, earlier ones first. An error when merge keys hold no mappings, or too many.
std::optional<ConfigTextError> ConfigEntries(const YAML::Node& mapping, std::vector<ConfigEntry>& entries);

// Why a text cannot be a setting, or "": NUL and Unicode noncharacters; a leading "~" and "$NAME", which
// shells expand and this program does not.
std::string WrongSettingText(absl::string_view text);

}  // namespace lvrpo
