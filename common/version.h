#pragma once

namespace lvrpo {

// The program's version, in one object file (common/version.cc): a release compiles that one again.
extern const char* const kVersion;
// Incremented when run folders of an older program can no longer be read.
inline constexpr int kRunFormat = 2;
// Incremented when processes of an older program can no longer take part in a run of this one, or the other
// way round: a message of theirs means something else or lacks something, a trajectory or packed weights are
// read differently, the same lease gives other samples. Not for a field or a call that may be missing.
// Processes of another protocol are refused when they join, so that a run can be upgraded while it goes on
// (docs/operating.md, "Upgrades").
inline constexpr int kProtocol = 1;

}  // namespace lvrpo
