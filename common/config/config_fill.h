#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/config/config.h"
#include "google/protobuf/message.h"
#include "yaml-cpp/yaml.h"

namespace lvrpo {

// Fills a message of settings from YAML by its descriptor, collecting every error with its position:
// "file:line: field: what". Not thread-safe.
class ConfigFiller {
 public:
  // A YAML text. False when it could not be parsed, so that there are no values to check.
  bool FillText(const std::string& text, const std::string& source, google::protobuf::Message& message);
  // One setting from outside of a file.
  void Override(const ConfigOverride& given, google::protobuf::Message& message);

  // Adds what is wrong with a value, "field: what", with the place where the field was set, or else the
  // section around it, or `source`.
  void AddProblem(const std::string& problem, const std::string& source);
  // Whether a problem's field was set, and is not a default.
  bool WasSet(const std::string& problem) const;

  // Dotted path of every field that was set -> where.
  std::map<std::string, std::string> origins;
  std::vector<std::string> errors;

 private:
  void Fill(const YAML::Node& node, const std::string& path, const std::string& source,
            google::protobuf::Message& message);
  void SetField(const YAML::Node& node, const std::string& path, const std::string& source,
                const google::protobuf::FieldDescriptor& field, google::protobuf::Message& message);
  void SetScalar(const YAML::Node& node, const std::string& path, const std::string& source,
                 const google::protobuf::FieldDescriptor& field, google::protobuf::Message& message,
                 bool append);
  void Error(const YAML::Node& node, const std::string& source, const std::string& path,
             const std::string& what);

  std::map<std::string, std::string> places_;  // of sections and of entries of lists
};

}  // namespace lvrpo
