#include "common/words/words.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace lvrpo {

std::string WordOf(const google::protobuf::EnumDescriptor& type, int value) {
  const google::protobuf::EnumValueDescriptor *known = type.FindValueByNumber(value),
                                              *zero = type.FindValueByNumber(0);
  if (known == nullptr) return "unknown";
  absl::string_view name = known->name(), prefix = zero->name();
  if (absl::ConsumeSuffix(&prefix, "UNSPECIFIED")) absl::ConsumePrefix(&name, prefix);
  return absl::AsciiStrToLower(name);
}

std::string Word(v1::Role role) {
  const std::string name = WordOf(*v1::Role_descriptor(), role);
  return name.substr(0, name.find('_'));
}

std::string RoleName(v1::Role role) {
  return absl::StrReplaceAll(WordOf(*v1::Role_descriptor(), role), {{"_", " "}});
}

}  // namespace lvrpo
