#include "coordinator/state/compatibility.h"

#include "absl/strings/str_cat.h"

namespace lvrpo {

std::string Describe(const v1::Build& build) {
  if (build.protocol() == 0) return "a version that names no protocol";
  return absl::StrCat(build.version(), " (", build.commit(), build.commit().empty() ? "" : ", ", "protocol ",
                      build.protocol(), ")");
}

std::string BuildConflict(const std::string& member, v1::Role role, const v1::Build& theirs,
                          const v1::Build& own) {
  constexpr char kAdvice[] = ": both need the same version; one of them waits to be upgraded";
  if (theirs.protocol() != own.protocol()) {
    return absl::StrCat(member, " runs ", Describe(theirs), ", and the coordinator ", Describe(own), kAdvice);
  }
  if (role == v1::ROLE_LEARNER && theirs.run_format() != own.run_format()) {
    return absl::StrCat(member, " writes run folders of format ", theirs.run_format(),
                        ", and the coordinator of format ", own.run_format(), kAdvice);
  }
  return "";
}

bool IsOtherVersion(const v1::Build& theirs, const v1::Build& own) {
  return theirs.version() != own.version() || theirs.commit() != own.commit();
}

}  // namespace lvrpo
