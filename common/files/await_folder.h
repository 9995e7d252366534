#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace lvrpo {

// Waits up to `patience` for a folder that another process makes, then Unavailable names it; Cancelled as
// soon as `give_up` returns true.
absl::Status AwaitFolder(const std::string& path, absl::Duration patience,
                         const std::function<bool()>& give_up, const Waiting& waiting = {});

}  // namespace lvrpo
