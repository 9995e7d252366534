#pragma once

namespace lvrpo {

// For processes that make and drop large arrays all the time, once at their start: the C library keeps up to
// 512 MiB that was freed instead of giving it back to the system, which would hand it out again page by page,
// zeroed. Arrays from 32 MiB on still go back at once.
void KeepFreedMemory();

}  // namespace lvrpo
