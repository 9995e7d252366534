#include "coordinator/acting_role.h"

#include "absl/strings/str_cat.h"
#include "common/words/words.h"

namespace lvrpo {

absl::Status CheckActsAs(std::optional<PeerRole> caller, v1::Role role) {
  if (!caller.has_value() || Word(*caller) == Word(role)) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("a certificate of the role ", Word(*caller), " cannot be used to act as ", Word(role)));
}

}  // namespace lvrpo
