#include "common/version/build_commit.h"

#include "absl/strings/str_cat.h"
#include "common/version.h"

// Of the programs (cmake/BuildCommit.cmake); tests have none.
extern "C" __attribute__((weak)) const char* lvrpo_build_commit();

namespace lvrpo {

std::string BuildCommit() { return lvrpo_build_commit == nullptr ? "" : lvrpo_build_commit(); }

std::string VersionWithCommit() {
  const std::string commit = BuildCommit();
  return commit.empty() ? kVersion : absl::StrCat(kVersion, " (", commit, ")");
}

}  // namespace lvrpo
