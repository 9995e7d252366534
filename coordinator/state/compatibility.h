#pragma once

#include <string>

#include "proto/lvrpo/v1/coordinator.pb.h"

// Which programs may take part in one run: rules over what they say of themselves. Pure.
namespace lvrpo {

// Why `member`, which runs `theirs`, cannot work with a coordinator that runs `own`: it speaks another
// protocol, or is a learner that reads and writes another format of run folders. One sentence; empty when it
// can.
std::string BuildConflict(const std::string& member, v1::Role role, const v1::Build& theirs,
                          const v1::Build& own);

// Two programs that may work together, but are not the same one.
bool IsOtherVersion(const v1::Build& theirs, const v1::Build& own);

// "0.2.0 (1a2b3c4, protocol 1)".
std::string Describe(const v1::Build& build);

}  // namespace lvrpo
