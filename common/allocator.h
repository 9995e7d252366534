#pragma once

namespace lvrpo {

// To be called once at start, by processes that allocate and free large arrays all the time: malloc keeps up
// to 512 MiB of freed memory instead of returning it to the system, which would zero it page by page on the
// next use. Arrays of 32 MiB and more are still returned at once.
void KeepFreedMemory();

// Returns all freed memory to the system after all, once.
void ReturnFreedMemory();

}  // namespace lvrpo
