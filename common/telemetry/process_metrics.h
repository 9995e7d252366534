#pragma once

namespace lvrpo {

class Metrics;

// Sets process_*: processor time, memory, file descriptors and start of this process, as /proc has them; what
// cannot be read stays as it is.
void RefreshProcessMetrics(Metrics& metrics);

}  // namespace lvrpo
