#pragma once

#include <cstddef>
#include <string>

namespace lvrpo {

// What this process has passed to fsync() since this object was made. Its test is linked with
// synced_so_far.cc and -Wl,--wrap=fsync (tests/CMakeLists.txt).
class SyncedSoFar {
 public:
  SyncedSoFar();
  // "file folder ...", in order.
  std::string Kinds() const;

 private:
  size_t begin_ = 0;
};

}  // namespace lvrpo
