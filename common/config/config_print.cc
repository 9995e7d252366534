#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <yaml-cpp/yaml.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/config/config.h"
#include "common/files/file_kind.h"

namespace lvrpo {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// As few digits as read back the same.
std::string NumberText(double value) {
  for (int digits = 15; digits < 17; ++digits) {
    std::string text = absl::StrFormat("%.*g", digits, value);
    double back = 0;
    if (absl::SimpleAtod(text, &back) && back == value) return text;
  }
  return absl::StrFormat("%.17g", value);
}

class ConfigPrinter {
 public:
  explicit ConfigPrinter(const std::map<std::string, std::string>& origins) : origins_(origins) {}

  // The message's fields in schema order, each with where it was set.
  void Print(const Message& message, const std::string& prefix) {
    const Reflection& r = *message.GetReflection();
    yaml_ << YAML::BeginMap;
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor& field = *message.GetDescriptor()->field(i);
      const std::string path = absl::StrCat(prefix, prefix.empty() ? "" : ".", field.name());
      const bool section = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
      yaml_ << YAML::Key << field.name() << YAML::Value;
      if (section && !field.is_repeated()) {
        Print(r.GetMessage(message, &field), path);
        continue;
      }
      if (section && r.FieldSize(message, &field) > 0) {
        yaml_ << YAML::BeginSeq;
        for (int k = 0; k < r.FieldSize(message, &field); ++k)
          Print(r.GetRepeatedMessage(message, &field, k), absl::StrCat(path, "[", k, "]"));
        yaml_ << YAML::EndSeq;
        continue;
      }
      if (field.is_repeated()) {
        yaml_ << YAML::Flow << YAML::BeginSeq;
        for (int k = 0; !section && k < r.FieldSize(message, &field); ++k)
          yaml_ << YAML::DoubleQuoted << r.GetRepeatedString(message, &field, k);
        yaml_ << YAML::EndSeq;
      } else {
        Value(message, field);
      }
      const auto origin = origins_.find(path);
      yaml_ << YAML::Comment(origin == origins_.end() ? "default" : OneLine(origin->second, 1000));
    }
    yaml_ << YAML::EndMap;
  }

  std::string text() const { return absl::StrCat(yaml_.c_str(), "\n"); }

 private:
  void Value(const Message& message, const FieldDescriptor& field) {
    const Reflection& r = *message.GetReflection();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL:
        yaml_ << r.GetBool(message, &field);
        return;
      case FieldDescriptor::CPPTYPE_INT32:
        yaml_ << r.GetInt32(message, &field);
        return;
      case FieldDescriptor::CPPTYPE_UINT64:
        yaml_ << r.GetUInt64(message, &field);
        return;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        yaml_ << NumberText(r.GetDouble(message, &field));
        return;
      default:
        yaml_ << YAML::DoubleQuoted << r.GetString(message, &field);
    }
  }

  const std::map<std::string, std::string>& origins_;
  YAML::Emitter yaml_;
};

}  // namespace

std::string PrintConfig(const LoadedConfig& loaded) {
  ConfigPrinter printer(loaded.origins);
  printer.Print(loaded.config, "");
  return printer.text();
}

}  // namespace lvrpo
