#include "collectives/nccl_library.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "collectives/shared_library.h"

namespace lvrpo {
namespace {

constexpr int kOldest = 22800;  // nccl_abi.h has this version's layout of the configuration

// Finds all functions; gives the names of required ones that are missing.
std::vector<std::string> FindAll(const SharedLibrary& library, nccl::Functions* functions) {
  std::vector<std::string> missing;
  const auto need = [&](const char* symbol, auto* function) {
    library.Find(symbol, function);
    if (*function == nullptr) missing.push_back(symbol);
  };
  need("ncclGetVersion", &functions->GetVersion);
  need("ncclGetUniqueId", &functions->GetUniqueId);
  need("ncclGetErrorString", &functions->GetErrorString);
  need("ncclGetLastError", &functions->GetLastError);
  need("ncclCommInitRankConfig", &functions->CommInitRankConfig);
  need("ncclCommGetAsyncError", &functions->CommGetAsyncError);
  need("ncclCommFinalize", &functions->CommFinalize);
  need("ncclCommDestroy", &functions->CommDestroy);
  need("ncclCommAbort", &functions->CommAbort);
  need("ncclCommCount", &functions->CommCount);
  need("ncclCommUserRank", &functions->CommUserRank);
  need("ncclAllGather", &functions->AllGather);
  need("ncclReduceScatter", &functions->ReduceScatter);
  need("ncclAllReduce", &functions->AllReduce);
  need("ncclBroadcast", &functions->Broadcast);
  library.Find("ncclCommShrink", &functions->CommShrink);
  library.Find("ncclCommRevoke", &functions->CommRevoke);
  library.Find("ncclCommGetUniqueId", &functions->CommGetUniqueId);
  library.Find("ncclCommGrow", &functions->CommGrow);
  return missing;
}

}  // namespace

// 2.9 and later: 10000 x major + 100 x minor + patch.
std::string NcclVersionInWords(int version) {
  return absl::StrCat(version / 10000, ".", version / 100 % 100, ".", version % 100);
}

absl::StatusOr<NcclLibrary> LoadNccl(const std::string& path) {
  const std::vector<std::string> names = path.empty()
                                             ? NamesFrom("LVRPO_NCCL_LIBRARY", {"libnccl.so.2", "libnccl.so"})
                                             : std::vector<std::string>{path};
  const absl::StatusOr<SharedLibrary> opened = SharedLibrary::Open(names);
  if (!opened.ok()) {
    return absl::UnavailableError(
        absl::StrCat("no NCCL: ", opened.status().message(), " (LVRPO_NCCL_LIBRARY may name the library)"));
  }
  NcclLibrary library = {.path = opened->name()};
  if (const std::vector<std::string> missing = FindAll(*opened, &library.functions); !missing.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(library.path, " has no ", absl::StrJoin(missing, ", ")));
  }
  if (library.functions.GetVersion(&library.version) != nccl::kSuccess || library.version < kOldest) {
    return absl::FailedPreconditionError(absl::StrCat(library.path, " is NCCL ",
                                                      NcclVersionInWords(library.version), ", older than ",
                                                      NcclVersionInWords(kOldest)));
  }
  return library;
}

std::string InWords(const NcclLibrary& library) {
  return absl::StrCat(NcclVersionInWords(library.version), " (", library.path,
                      "): ", library.can_shrink() ? "" : "no ", "shrink, ", library.can_revoke() ? "" : "no ",
                      "revoke, ", library.can_grow() ? "" : "no ", "grow");
}

}  // namespace lvrpo
