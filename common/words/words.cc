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

std::string RoleName(v1::Role role) { return absl::StrReplaceAll(Word(role), {{"_", " "}}); }

}  // namespace lvrpo
