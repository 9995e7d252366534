#include "common/files/disk_room.h"

#include <sys/statvfs.h>

#include <cerrno>

#include "common/files/filesystem.h"

namespace lvrpo {

absl::StatusOr<DiskRoom> DiskRoomOf(const std::string& path) {
  struct statvfs disk = {};
  if (statvfs(path.c_str(), &disk) != 0) return FileError("look at the disk of", path, errno);
  const auto bytes = [&disk](fsblkcnt_t blocks) { return static_cast<int64_t>(blocks * disk.f_frsize); };
  return DiskRoom{.free_bytes = bytes(disk.f_bavail), .size_bytes = bytes(disk.f_blocks)};
}

}  // namespace lvrpo
