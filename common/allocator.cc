#include "common/allocator.h"

#include <malloc.h>

namespace lvrpo {

void KeepFreedMemory() {
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
}

void ReturnFreedMemory() { malloc_trim(0); }

}  // namespace lvrpo
