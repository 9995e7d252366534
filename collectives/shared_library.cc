#include "collectives/shared_library.h"

#include <dlfcn.h>

#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace lvrpo {

absl::StatusOr<SharedLibrary> SharedLibrary::Open(const std::vector<std::string>& names) {
  std::string problems;
  for (const std::string& name : names) {
    if (void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL); handle != nullptr)
      return SharedLibrary(handle, name);
    const char* problem = dlerror();
    absl::StrAppend(&problems, problems.empty() ? "" : "; ", problem != nullptr ? problem : name);
  }
  return absl::UnavailableError(problems);
}

void* SharedLibrary::Address(const char* symbol) const { return dlsym(handle_, symbol); }

std::vector<std::string> NamesFrom(const char* variable, std::vector<std::string> defaults) {
  const char* name = std::getenv(variable);
  if (name == nullptr || *name == '\0') return defaults;
  return {name};
}

}  // namespace lvrpo
