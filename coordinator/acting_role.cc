#include "coordinator/acting_role.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace lvrpo {
namespace {

// "rollout" of ROLE_ROLLOUT_WORKER, "learner" of ROLE_LEARNER.
std::string WordOf(v1::Role role) {
  const std::string name = absl::AsciiStrToLower(v1::Role_Name(role));
  absl::string_view word = name;
  absl::ConsumePrefix(&word, "role_");
  return std::string(word.substr(0, word.find('_')));
}

}  // namespace

absl::Status CheckActsAs(std::optional<PeerRole> caller, v1::Role role) {
  if (!caller.has_value() || Word(*caller) == WordOf(role)) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("a certificate of the role ", Word(*caller), " cannot be used to act as ", WordOf(role)));
}

}  // namespace lvrpo
