#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "collectives/nccl_abi.h"

namespace lvrpo {

// NCCL, loaded into this process at run time; never unloaded. Immutable: any thread may use it.
struct NcclLibrary {
  std::string path;  // what dlopen() was asked for
  int version = 0;   // as the library says: 22809 is 2.28.9
  nccl::Functions functions = {};

  bool can_shrink() const { return functions.CommShrink != nullptr; }
  bool can_revoke() const { return functions.CommRevoke != nullptr; }
  bool can_grow() const { return functions.CommGrow != nullptr && functions.CommGetUniqueId != nullptr; }
};

// Loads `path`; if that is empty, what LVRPO_NCCL_LIBRARY names in the environment, or else libnccl.so.2 or
// libnccl.so, wherever the loader finds it. Unavailable: there is none. FailedPrecondition: it lacks a
// function, or is older than 2.28. Neither a GPU nor a driver is needed to load it.
absl::StatusOr<NcclLibrary> LoadNccl(const std::string& path = "");

// "2.28.9", of NcclLibrary::version.
std::string NcclVersionInWords(int version);

// "2.28.9 (libnccl.so.2): shrink, revoke, no grow": for logs.
std::string InWords(const NcclLibrary& library);

}  // namespace lvrpo
