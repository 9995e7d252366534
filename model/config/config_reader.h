#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// Reads the settings of one JSON object of a published model (config.json and its like) and collects what is
// wrong with them, so that one error names everything. A key that is absent leaves its value unchanged; so
// does null where it is "off", or listed by NullIsAbsent; it is no value of any other number, flag or
// string. Call RefuseUnknown() last: it reports the keys that were never read.
class ConfigReader {
 public:
  // `json` must be an object and outlive the reader. `where`: the file, and the section in it if any.
  ConfigReader(const nlohmann::json& json, std::string where) : json_(json), where_(std::move(where)) {}

  bool Has(absl::string_view key) const { return Find(key) != nullptr; }
  // Integer literals only: 64, not 64.0, "64" or true.
  void Integer(absl::string_view key, int64_t& value);
  void Number(absl::string_view key, double& value);
  void Flag(absl::string_view key, bool& value);
  // A string that must be one of `allowed` if present; stored in `value` if given.
  void OneOf(absl::string_view key, std::initializer_list<absl::string_view> allowed,
             std::string* value = nullptr) {
    OneOf(key, absl::MakeConstSpan(allowed.begin(), allowed.size()), value);
  }
  void OneOf(absl::string_view key, absl::Span<const absl::string_view> allowed, std::string* value);
  // A list of `count` such strings.
  void EveryOneOf(absl::string_view key, std::initializer_list<absl::string_view> allowed, int64_t count);
  // If present: an integer that must equal `only`, a number that must equal it to seven digits.
  void Exactly(absl::string_view key, int64_t only);
  void About(absl::string_view key, double only);
  // If present: a flag that must be false (Never) or true (Always).
  void Never(absl::string_view key);
  void Always(absl::string_view key);
  // If present: a list or an object that must be empty.
  void Empty(absl::string_view key);
  // Keys that may have any value (model/config/harmless_settings.h).
  void Harmless(absl::Span<const absl::string_view> keys);
  void Harmless(std::initializer_list<absl::string_view> keys);
  // Reports a key that is there and null, although it needs a value.
  void RefuseNull(absl::string_view key);
  // An object in this one; an empty one when absent.
  const nlohmann::json& Object(absl::string_view key);
  // Reports a key and why its value cannot be used: "rope_scaling", "is not supported".
  void Problem(absl::string_view key, absl::string_view what);

  // Adds the problems of a section, read by a separate reader, under "key.".
  void Include(absl::string_view key, const ConfigReader& section);
  // Reports every key that is present, not null, and was named by no call above.
  void RefuseUnknown();
  bool WasAsked(absl::string_view key) const { return asked_.contains(key); }

  // InvalidArgument: "where: key is ..., want ...; other key ..."; OK when nothing was wrong.
  absl::Status status() const;

 private:
  const nlohmann::json* Find(absl::string_view key) const;  // marks it as read
  const nlohmann::json* Value(absl::string_view key);       // the same, and refuses null

  const nlohmann::json& json_;
  const std::string where_;
  mutable std::set<std::string, std::less<>> asked_;
  std::vector<std::string> problems_;
};

// The settings that transformers writes into every configuration: those without effect are allowed, those
// that change the model (quantised weights, pruned heads, a decoder's cross-attention) are reported.
void ReadCommonSettings(ConfigReader& reader);

// The base of a language model's rotary positions: rope_theta, or rope_parameters.rope_theta as transformers
// 5 writes it. Reports any RoPE scaling, which no model here has.
void ReadRotaryBase(ConfigReader& reader, double& theta);

// Reads a JSON file that holds an object. NotFound; InvalidArgument says where it is invalid. A comma before
// a closing bracket is allowed, as the first published BAGEL config.json has one.
absl::StatusOr<nlohmann::json> ReadJsonObject(const std::string& path);

// The kind of model that a config.json names: model_type, or else the first of architectures; "" if neither.
std::string ModelTypeOf(const nlohmann::json& config);

}  // namespace lvrpo
