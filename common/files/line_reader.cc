#include "common/files/line_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/files/filesystem.h"

namespace lvrpo {

absl::StatusOr<std::unique_ptr<LineReader>> LineReader::Open(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return FileError("read", path, errno);
  return std::unique_ptr<LineReader>(new LineReader(path, descriptor));
}

LineReader::~LineReader() { close(descriptor_); }

absl::StatusOr<bool> LineReader::Next(std::string* line) {
  size_t searched = at_;
  while (true) {
    if (const size_t end = buffer_.find('\n', searched); end != std::string::npos) {
      line->assign(buffer_, at_, end - at_);
      at_ = end + 1;
      return true;
    }
    if (ended_) {
      line->assign(buffer_, at_);
      at_ = buffer_.size();
      return !line->empty();
    }
    buffer_.erase(0, at_);
    at_ = 0;
    searched = buffer_.size();
    if (searched > kMostBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, " has a line of more than ", kMostBytes >> 20, " MiB"));
    }
    char piece[1 << 16];
    const ssize_t size = read(descriptor_, piece, sizeof(piece));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return FileError("read", path_, errno);
    if (size == 0) ended_ = true;
    buffer_.append(piece, static_cast<size_t>(size));
  }
}

}  // namespace lvrpo
