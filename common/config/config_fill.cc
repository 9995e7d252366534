#include "common/config/config_fill.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/config/config_text.h"
#include "common/decimal.h"
#include "common/files/file_kind.h"
#include "common/files/text_file.h"

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

std::string UnknownKey(const Descriptor& descriptor, const std::string& key) {
  std::string best;
  size_t best_distance = key.size() / 2 + 2;
  for (int i = 0; key.size() < 100 && i < descriptor.field_count(); ++i) {
    const std::string& name = descriptor.field(i)->name();
    const size_t distance = EditDistance(key, name);
    if (distance < best_distance) {
      best = name;
      best_distance = distance;
    }
  }
  return best.empty() ? "unknown key" : absl::StrCat("unknown key; did you mean '", best, "'?");
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

bool IsText(const FieldDescriptor& field) { return field.cpp_type() == FieldDescriptor::CPPTYPE_STRING; }

// Whether `text` is a value of the field's kind, which is not text; sets it.
bool SetValue(const std::string& text, const FieldDescriptor& field, Message& message) {
  const Reflection& r = *message.GetReflection();
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_BOOL && !IsDecimal(text)) return false;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text != "true" && text != "false") return false;
      r.SetBool(&message, &field, text == "true");
      return true;
    case FieldDescriptor::CPPTYPE_INT32: {
      int32_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) return false;
      r.SetInt32(&message, &field, value);
      return true;
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      uint64_t value = 0;
      if (absl::StartsWith(text, "-") || !absl::SimpleAtoi(text, &value)) return false;
      r.SetUInt64(&message, &field, value);
      return true;
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double value = 0;
      if (!absl::SimpleAtod(text, &value) || !std::isfinite(value)) return false;
      r.SetDouble(&message, &field, value);
      return true;
    }
    default:
      return false;
  }
}

// Plain scalars have the tag "?", those in quotes "!".
bool IsTagged(const YAML::Node& node) { return node.Tag().size() > 1; }

std::string TagIsNotRead(const YAML::Node& node) {
  return absl::StrCat("the tag '", OneLine(node.Tag()), "' is not read: write the value itself");
}

std::string NothingGiven(const FieldDescriptor& field) {
  const bool text = IsText(field) && !field.is_repeated();
  return absl::StrCat("want ", field.is_repeated() ? "a list, or [] for none" : TypeName(field),
                      ", got nothing", text ? ": write \"\" for an empty text" : "");
}

// What a node is where something else belongs.
std::string Shown(const YAML::Node& node) {
  if (node.IsScalar()) return absl::StrCat("'", OneLine(node.Scalar(), 200), "'");
  return node.IsNull() ? "nothing" : node.IsMap() ? "a section" : "a list";
}

std::string PlaceOf(const YAML::Node& node, const std::string& source) {
  const bool in_file = !absl::StartsWith(source, "--") && !node.Mark().is_null();
  return in_file ? absl::StrCat(source, ":", node.Mark().line + 1) : source;
}

std::string PlaceOf(int line, const std::string& source) {
  return absl::StartsWith(source, "--") || line == 0 ? source : absl::StrCat(source, ":", line);
}

// "a.b[1]" -> "a.b" -> "a" -> ""
std::string Around(const std::string& path) {
  const size_t at = path.find_last_of(".[");
  return at == std::string::npos ? "" : path.substr(0, at);
}

}  // namespace

void ConfigFiller::Error(const YAML::Node& node, const std::string& source, const std::string& path,
                         const std::string& what) {
  errors.push_back(absl::StrCat(PlaceOf(node, source), ": ", path.empty() ? "" : path + ": ", what));
}

bool ConfigFiller::WasSet(const std::string& problem) const {
  const std::string path = problem.substr(0, problem.find(':'));
  return origins.contains(path) || (absl::EndsWith(path, "]") && origins.contains(Around(path)));
}

void ConfigFiller::AddProblem(const std::string& problem, const std::string& source) {
  for (std::string path = problem.substr(0, problem.find(':')); !path.empty(); path = Around(path)) {
    for (const auto* places : {&origins, &places_}) {
      const auto place = places->find(path);
      if (place == places->end()) continue;
      errors.push_back(absl::StrCat(place->second, ": ", problem));
      return;
    }
  }
  errors.push_back(absl::StrCat(source, ": ", problem));
}

bool ConfigFiller::FillText(const std::string& text, const std::string& source, Message& message) {
  YAML::Node root;
  if (const auto wrong = ParseConfigText(text, root); wrong.has_value()) {
    errors.push_back(absl::StrCat(PlaceOf(wrong->line, source), ": ", wrong->what));
    return false;
  }
  if (!root.IsNull()) Fill(root, "", source, message);
  return true;
}

void ConfigFiller::Fill(const YAML::Node& node, const std::string& path, const std::string& source,
                        Message& message) {
  if (!node.IsMap()) return Error(node, source, path, "want a section of 'key: value' lines");
  if (IsTagged(node)) return Error(node, source, path, TagIsNotRead(node));
  places_[path] = PlaceOf(node, source);
  std::vector<ConfigEntry> entries;
  if (const auto wrong = ConfigEntries(node, entries); wrong.has_value()) {
    errors.push_back(
        absl::StrCat(PlaceOf(wrong->line, source), ": ", path.empty() ? "" : path + ": ", wrong->what));
    return;
  }
  std::set<std::string> seen;
  for (const ConfigEntry& entry : entries) {
    if (!entry.key.IsScalar()) {
      Error(entry.key, source, path, absl::StrCat("a key is ", Shown(entry.key), "; want a name"));
      continue;
    }
    if (IsTagged(entry.key)) {
      Error(entry.key, source, path, TagIsNotRead(entry.key));
      continue;
    }
    const std::string& key = entry.key.Scalar();
    const std::string inner = absl::StrCat(path, path.empty() ? "" : ".", OneLine(key, 100));
    const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(key);
    if (field == nullptr) {
      Error(entry.key, source, inner, UnknownKey(*message.GetDescriptor(), key));
    } else if (!seen.insert(key).second) {
      Error(entry.key, source, inner, "the key is given twice");
    } else if (entry.value.IsNull()) {
      Error(entry.key, source, inner, NothingGiven(*field));  // a missing value has no line itself
    } else {
      SetField(entry.value, inner, source, *field, message);
    }
  }
}

void ConfigFiller::SetField(const YAML::Node& node, const std::string& path, const std::string& source,
                            const FieldDescriptor& field, Message& message) {
  if (node.IsNull()) return Error(node, source, path, NothingGiven(field));
  const Reflection& reflection = *message.GetReflection();
  if (!field.is_repeated()) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
      return Fill(node, path, source, *reflection.MutableMessage(&message, &field));
    SetScalar(node, path, source, field, message, /*append=*/false);
    origins[path] = PlaceOf(node, source);
    return;
  }
  if (!node.IsSequence()) {
    return Error(
        node, source, path,
        absl::StrCat("want a list, e.g. [", TypeName(field), ", ...], or [] for none; got ", Shown(node)));
  }
  if (IsTagged(node)) return Error(node, source, path, TagIsNotRead(node));
  reflection.ClearField(&message, &field);
  const auto inside = [&](const auto& entry) { return absl::StartsWith(entry.first, path + "["); };
  std::erase_if(origins, inside);  // of the list that this one replaces
  std::erase_if(places_, inside);
  origins[path] = PlaceOf(node, source);
  size_t index = 0;
  for (const YAML::Node& item : node) {
    const std::string inner = absl::StrCat(path, "[", index++, "]");
    places_[inner] = PlaceOf(item, source);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Fill(item, inner, source, *reflection.AddMessage(&message, &field));
    } else {
      SetScalar(item, inner, source, field, message, /*append=*/true);
    }
  }
}

void ConfigFiller::SetScalar(const YAML::Node& node, const std::string& path, const std::string& source,
                             const FieldDescriptor& field, Message& message, bool append) {
  const Reflection& r = *message.GetReflection();
  if (!node.IsScalar()) {
    return Error(node, source, path, absl::StrCat("want ", TypeName(field), ", got ", Shown(node)));
  }
  if (IsTagged(node)) return Error(node, source, path, TagIsNotRead(node));
  const std::string& text = node.Scalar();
  if (IsText(field)) {
    if (const std::string wrong = WrongSettingText(text); !wrong.empty())
      return Error(node, source, path, wrong);
    append ? r.AddString(&message, &field, text) : r.SetString(&message, &field, text);
    return;
  }
  if (node.Tag() != "!") {  // not in quotes
    if (SetValue(text, field, message)) return;
    return Error(node, source, path, absl::StrCat("want ", TypeName(field), ", got ", Shown(node)));
  }
  const std::unique_ptr<Message> scratch(message.New());
  Error(node, source, path,
        absl::StrCat("want ", TypeName(field), ", got the text \"", OneLine(text, 200), "\" in quotes",
                     SetValue(text, field, *scratch) ? ": take the quotes off" : ""));
}

void ConfigFiller::Override(const ConfigOverride& given, Message& config) {
  const std::string &text = given.text, &where = given.where;
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    errors.push_back(absl::StrCat(where, " ", OneLine(text, 200), ": want field=value"));
    return;
  }
  const std::string path = text.substr(0, equals);
  const std::string value = text.substr(equals + 1);
  const auto refuse = [&](absl::string_view what) {
    errors.push_back(absl::StrCat(where, ": ", OneLine(path, 200), ": ", what));
  };
  Message* message = &config;
  const std::vector<std::string> parts = absl::StrSplit(path, '.');
  const FieldDescriptor* field = nullptr;
  for (size_t i = 0; i < parts.size(); ++i) {
    field = message->GetDescriptor()->FindFieldByName(parts[i]);
    if (field == nullptr) return refuse(UnknownKey(*message->GetDescriptor(), parts[i]));
    if (i + 1 == parts.size()) break;
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
      return refuse(absl::StrCat("'", parts[i], "' is not a section"));
    if (field->is_repeated())
      return refuse(absl::StrCat("'", parts[i], "' is a list: give it whole, [{key: value, ...}, ...]"));
    message = message->GetReflection()->MutableMessage(message, field);
  }
  const absl::string_view stripped = absl::StripAsciiWhitespace(value);
  YAML::Node node;
  if (const std::string bytes = NotUtf8(value); !bytes.empty()) {
    return refuse(absl::StripSuffix(bytes, kSaveAsUtf8));
  } else if (stripped.empty() && IsText(*field) && !field->is_repeated()) {
    node = YAML::Node("");  // `--set out=`: nothing, and not YAML's null
  } else if (const auto wrong = ParseConfigText(value, node); wrong.has_value()) {
    return refuse(wrong->what);
  }
  // A comment would cut the value off, and lines would be joined.
  if (node.IsScalar() && node.Tag() == "?" && node.Scalar() != stripped) {
    return refuse(absl::StrCat("YAML reads only ", Shown(node), " of it: put the value in quotes, e.g. '",
                               OneLine(path), "=\"...\"'"));
  }
  SetField(node, path, where, *field, *message);
}

}  // namespace lvrpo
