#pragma once

#include <memory>

#include "collectives/collectives.h"
#include "common/clock.h"
#include "common/telemetry/metrics.h"

namespace lvrpo {

// `collectives`, measured by kind of operation: seconds that the caller was blocked, the bytes that it gave
// or got (the larger), and failures. A rank that others wait for is the one that is blocked least. `metrics`
// and `clock` must outlive it.
std::unique_ptr<Collectives> Measured(std::unique_ptr<Collectives> collectives, Metrics& metrics,
                                      Clock& clock);

}  // namespace lvrpo
