#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "collectives/collectives.h"
#include "collectives/nccl_communicator.h"

namespace lvrpo {

// Two communicators of the same ranks as one: operations on the host's memory and barriers go over `host`,
// those on the device's over `device`. What breaks one of them aborts the other.
std::unique_ptr<Collectives> ByMemory(std::unique_ptr<Collectives> host, std::unique_ptr<Collectives> device);

// `host` with NCCL for the device's memory; the ranks learn its id over `host`. All ranks call it. `own`:
// this rank's library and GPU, or why it has none: then all ranks fail, the others with Unavailable. What
// `own` names must outlive the result.
absl::StatusOr<std::unique_ptr<Collectives>> WithNccl(std::unique_ptr<Collectives> host,
                                                      const absl::StatusOr<NcclPlace>& own);

}  // namespace lvrpo
