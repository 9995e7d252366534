#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// Reads the settings of one JSON object of a published model (config.json and its like) and collects what is
// wrong with them, so that one error names everything. A key that is absent or null leaves its value alone;
// keys that nobody asks for are allowed.
class ConfigReader {
 public:
  // `json` must be an object and outlive the reader. `where`: the file, and the section in it if any.
  ConfigReader(const nlohmann::json& json, std::string where) : json_(json), where_(std::move(where)) {}

  bool Has(absl::string_view key) const { return Find(key) != nullptr; }
  // Whole numbers written as such: 64, not 64.0, "64" or true.
  void Integer(absl::string_view key, int64_t& value);
  void Number(absl::string_view key, double& value);
  void Flag(absl::string_view key, bool& value);
  // Text that must be one of these, when it is there.
  void OneOf(absl::string_view key, std::initializer_list<absl::string_view> allowed);
  // An array of such texts.
  void EveryOneOf(absl::string_view key, std::initializer_list<absl::string_view> allowed);
  // A whole number that must be this, when it is there.
  void Exactly(absl::string_view key, int64_t only);
  // A flag that must be false, when it is there.
  void Never(absl::string_view key);
  // An object in this one; an empty one when absent.
  const nlohmann::json& Object(absl::string_view key);
  // The key and why its value cannot be used: "rope_scaling", "is not supported".
  void Problem(absl::string_view key, absl::string_view what);

  // InvalidArgument: "where: key is ..., want ...; other key ..."; OK when nothing was wrong.
  absl::Status status() const;

 private:
  const nlohmann::json* Find(absl::string_view key) const;

  const nlohmann::json& json_;
  const std::string where_;
  std::vector<std::string> problems_;
};

// The base of a language model's rotary positions: rope_theta, or rope_parameters.rope_theta as transformers
// 5 writes it. Notes any scaling of the rotary angles, which no model here has.
void ReadRotaryBase(ConfigReader& reader, double& theta);

// A JSON file that holds an object. NotFound; InvalidArgument says where it is none. A comma before a closing
// bracket is allowed, as the first published BAGEL config.json has one.
absl::StatusOr<nlohmann::json> ReadJsonObject(const std::string& path);

// What kind of model a config.json says it is: model_type, or else the first of architectures; "" when it
// says neither.
std::string ModelTypeOf(const nlohmann::json& config);

}  // namespace lvrpo
