#pragma once

namespace lvrpo {

// Raises the number of files and connections that this process, and those that it starts, may have open to
// what its limits allow (RLIMIT_NOFILE: the hard limit), at most 65,536: the usual 1,024 are few for a server
// with strangers. Leaves a limit that is higher.
void RaiseDescriptorLimit();

}  // namespace lvrpo
