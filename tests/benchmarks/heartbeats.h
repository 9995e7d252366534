#pragma once

namespace lvrpo {

// Prints how many heartbeats a second a coordinator answers `members` that send them without a pause, in
// plain text and over TLS in turns. Returns an exit code.
int BenchHeartbeats(int members);

}  // namespace lvrpo
