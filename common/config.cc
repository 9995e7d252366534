#include "common/config.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/file.h"
#include "common/hash.h"

namespace lvrpo {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

std::string Suggestion(const Descriptor& descriptor, const std::string& key) {
  std::string best;
  size_t best_distance = key.size() / 2 + 2;
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const std::string& name = descriptor.field(i)->name();
    const size_t distance = EditDistance(key, name);
    if (distance < best_distance) {
      best = name;
      best_distance = distance;
    }
  }
  return best.empty() ? "" : absl::StrCat("; did you mean '", best, "'?");
}

const char* TypeName(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return "a whole number";
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "a whole number of at least 0";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "a number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "a section";
    default:
      return "text";
  }
}

// Fills a message from a YAML node by its descriptor, gathering every error.
class Filler {
 public:
  Filler(std::map<std::string, std::string>* origins, std::vector<std::string>* errors)
      : origins_(*origins), errors_(*errors) {}

  // `file` begins with "--" for settings from the command line: they have no lines.
  void Fill(const YAML::Node& node, const std::string& prefix, const std::string& file, Message& message) {
    if (!node.IsMap()) {
      Error(node, file, prefix, "want a section of 'key: value' lines");
      return;
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "?";
      const std::string path = prefix.empty() ? key : absl::StrCat(prefix, ".", key);
      const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(key);
      if (field == nullptr) {
        Error(entry.first, file, path,
              absl::StrCat("unknown key", Suggestion(*message.GetDescriptor(), key)));
        continue;
      }
      if (!seen.insert(key).second) {
        Error(entry.first, file, path, "the key is given twice");
        continue;
      }
      SetField(entry.second, path, file, *field, message);
    }
  }

  void SetField(const YAML::Node& node, const std::string& path, const std::string& file,
                const FieldDescriptor& field, Message& message) {
    const Reflection& reflection = *message.GetReflection();
    if (field.is_repeated()) {
      if (!node.IsSequence()) {
        Error(node, file, path, absl::StrCat("want a list, e.g. [", TypeName(field), ", ...]"));
        return;
      }
      reflection.ClearField(&message, &field);
      origins_[path] = Where(node, file);
      size_t index = 0;
      for (const YAML::Node& item : node) {
        if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
          Fill(item, absl::StrCat(path, "[", index++, "]"), file, *reflection.AddMessage(&message, &field));
        } else {
          SetScalar(item, path, file, field, message, /*append=*/true);
        }
      }
      return;
    }
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Fill(node, path, file, *reflection.MutableMessage(&message, &field));
      return;
    }
    SetScalar(node, path, file, field, message, /*append=*/false);
    origins_[path] = Where(node, file);
  }

 private:
  static std::string Where(const YAML::Node& node, const std::string& file) {
    return absl::StartsWith(file, "--") ? file : absl::StrCat(file, ":", node.Mark().line + 1);
  }
  void Error(const YAML::Node& node, const std::string& file, const std::string& path,
             const std::string& what) {
    errors_.push_back(absl::StrCat(Where(node, file), ": ", path, ": ", what));
  }

  void SetScalar(const YAML::Node& node, const std::string& path, const std::string& file,
                 const FieldDescriptor& field, Message& message, bool append) {
    const Reflection& r = *message.GetReflection();
    const auto wrong = [&] {
      const std::string got = node.IsScalar() ? absl::StrCat("'", node.Scalar(), "'")
                              : node.IsNull() ? "nothing"
                                              : "a list or section";
      Error(node, file, path, absl::StrCat("want ", TypeName(field), ", got ", got));
    };
    if (!node.IsScalar()) return wrong();
    const std::string& text = node.Scalar();
    const bool quoted = node.Tag() == "!";
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        append ? r.AddString(&message, &field, text) : r.SetString(&message, &field, text);
        return;
      case FieldDescriptor::CPPTYPE_BOOL:
        if (quoted || (text != "true" && text != "false")) return wrong();
        r.SetBool(&message, &field, text == "true");
        return;
      case FieldDescriptor::CPPTYPE_INT32: {
        int32_t value = 0;
        if (quoted || !absl::SimpleAtoi(text, &value)) return wrong();
        r.SetInt32(&message, &field, value);
        return;
      }
      case FieldDescriptor::CPPTYPE_UINT64: {
        uint64_t value = 0;
        if (quoted || absl::StartsWith(text, "-") || !absl::SimpleAtoi(text, &value)) return wrong();
        r.SetUInt64(&message, &field, value);
        return;
      }
      case FieldDescriptor::CPPTYPE_DOUBLE: {
        double value = 0;
        if (quoted || !absl::SimpleAtod(text, &value) || !std::isfinite(value)) return wrong();
        r.SetDouble(&message, &field, value);
        return;
      }
      default:
        return wrong();
    }
  }

  std::map<std::string, std::string>& origins_;
  std::vector<std::string>& errors_;
};

void ApplyOverride(const ConfigOverride& given, Filler& filler, Message& config,
                   std::vector<std::string>& errors) {
  const auto& [text, where] = given;
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    errors.push_back(absl::StrCat(where, " ", text, ": want field=value"));
    return;
  }
  const std::string path = text.substr(0, equals);
  Message* message = &config;
  const std::vector<std::string> parts = absl::StrSplit(path, '.');
  for (size_t i = 0; i < parts.size(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(parts[i]);
    if (field == nullptr) {
      errors.push_back(
          absl::StrCat(where, ": ", path, ": unknown key", Suggestion(*message->GetDescriptor(), parts[i])));
      return;
    }
    if (i + 1 < parts.size()) {
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
        errors.push_back(absl::StrCat(where, ": ", path, ": '", parts[i], "' is not a section"));
        return;
      }
      if (field->is_repeated()) {
        errors.push_back(absl::StrCat(where, ": ", path, ": '", parts[i],
                                      "' is a list: give it whole, [{key: value, ...}, ...]"));
        return;
      }
      message = message->GetReflection()->MutableMessage(message, field);
      continue;
    }
    try {
      filler.SetField(YAML::Load(text.substr(equals + 1)), path, where, *field, *message);
    } catch (const YAML::Exception& error) {
      errors.push_back(absl::StrCat(where, ": ", path, ": not YAML: ", error.msg));
    }
  }
}

// "key: value" for each field, in schema order.
void PrintMessage(const Message& message, const std::string& prefix, int indent,
                  const std::map<std::string, std::string>& origins, std::string& out) {
  const Reflection& r = *message.GetReflection();
  const std::string margin(static_cast<size_t>(indent), ' ');
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    const std::string path = prefix.empty() ? field.name() : absl::StrCat(prefix, ".", field.name());
    const bool section = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (section && !field.is_repeated()) {
      absl::StrAppend(&out, margin, field.name(), ":\n");
      PrintMessage(r.GetMessage(message, &field), path, indent + 2, origins, out);
      continue;
    }
    if (section && r.FieldSize(message, &field) > 0) {
      absl::StrAppend(&out, margin, field.name(), ":\n");
      for (int k = 0; k < r.FieldSize(message, &field); ++k) {
        std::string item;
        PrintMessage(r.GetRepeatedMessage(message, &field, k), absl::StrCat(path, "[", k, "]"), indent + 4,
                     origins, item);
        item[static_cast<size_t>(indent) + 2] = '-';
        absl::StrAppend(&out, item);
      }
      continue;
    }
    std::string value;
    const auto quote = [](const std::string& text) { return absl::StrCat("\"", text, "\""); };
    if (field.is_repeated()) {
      std::vector<std::string> items;
      for (int k = 0; !section && k < r.FieldSize(message, &field); ++k) {
        items.push_back(quote(r.GetRepeatedString(message, &field, k)));
      }
      value = absl::StrCat("[", absl::StrJoin(items, ", "), "]");
    } else {
      switch (field.cpp_type()) {
        case FieldDescriptor::CPPTYPE_BOOL:
          value = r.GetBool(message, &field) ? "true" : "false";
          break;
        case FieldDescriptor::CPPTYPE_INT32:
          value = absl::StrCat(r.GetInt32(message, &field));
          break;
        case FieldDescriptor::CPPTYPE_UINT64:
          value = absl::StrCat(r.GetUInt64(message, &field));
          break;
        case FieldDescriptor::CPPTYPE_DOUBLE:
          value = absl::StrFormat("%.15g", r.GetDouble(message, &field));
          break;
        default:
          value = quote(r.GetString(message, &field));
      }
    }
    const auto origin = origins.find(path);
    absl::StrAppend(&out, margin, field.name(), ": ", value, "  # ",
                    origin == origins.end() ? "default" : origin->second, "\n");
  }
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> FillConfig(
    const std::string& text, const std::string& source, const std::vector<ConfigOverride>& overrides,
    const std::function<std::vector<std::string>()>& validate, Message& message) {
  std::map<std::string, std::string> origins;
  std::vector<std::string> errors;
  Filler filler(&origins, &errors);
  bool readable = true;
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsNull()) filler.Fill(root, "", source, message);
  } catch (const YAML::Exception& error) {
    readable = false;
    errors.push_back(absl::StrCat(source, ":", error.mark.line + 1, ": not YAML: ", error.msg));
  }
  for (const ConfigOverride& given : overrides) ApplyOverride(given, filler, message, errors);
  // After errors above, fields that nobody set say nothing: their key may be the misspelt one.
  const bool all_read = errors.empty();
  if (readable) {
    for (const std::string& problem : validate()) {
      const auto origin = origins.find(problem.substr(0, problem.find(':')));
      if (!all_read && origin == origins.end()) continue;
      errors.push_back(absl::StrCat(origin == origins.end() ? source : origin->second, ": ", problem));
    }
  }
  if (!errors.empty()) return absl::InvalidArgumentError(absl::StrJoin(errors, "\n"));
  return origins;
}

absl::StatusOr<LoadedConfig> LoadRunConfig(const std::string& path,
                                           const std::vector<std::string>& overrides) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("no configuration: ", text.status().message()));
  }
  LoadedConfig loaded;
  loaded.config = DefaultRunConfig();
  std::vector<ConfigOverride> given;
  for (const std::string& override_text : overrides) given.push_back({.text = override_text});
  auto origins = FillConfig(
      *text, path, given, [&] { return ValidateRunConfig(loaded.config); }, loaded.config);
  if (!origins.ok()) return origins.status();
  loaded.origins = *std::move(origins);
  return loaded;
}

std::string PrintConfig(const LoadedConfig& loaded) {
  std::string out;
  PrintMessage(loaded.config, "", 0, loaded.origins, out);
  return out;
}

std::string ConfigDigest(const v1::RunConfig& config) {
  v1::RunConfig relevant = config;
  relevant.clear_name();
  relevant.clear_out();
  relevant.clear_local();
  relevant.clear_rpc();
  relevant.clear_coordinator();
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    relevant.SerializeToCodedStream(&coded);
  }
  return Sha256Hex(bytes);
}

}  // namespace lvrpo
