#include "common/files/binary_folder.h"

#include <unistd.h>

namespace lvrpo {

std::string BinaryFolder() {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  const std::string text(path, size > 0 ? static_cast<size_t>(size) : 0);
  return text.substr(0, text.rfind('/'));
}

}  // namespace lvrpo
