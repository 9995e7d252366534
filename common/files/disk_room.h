#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace lvrpo {

struct DiskRoom {
  int64_t free_bytes = 0;  // that this user may still write
  int64_t size_bytes = 0;
};

// Of the file system that holds `path`. Errors as FileError.
absl::StatusOr<DiskRoom> DiskRoomOf(const std::string& path);

}  // namespace lvrpo
