#include "data/safetensors/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/files/file_kind.h"
#include "common/files/filesystem.h"
#include "data/safetensors/safetensors_refusal.h"
#include "data/safetensors/safetensors_writer.h"

namespace lvrpo {

absl::StatusOr<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return WithFileKind(FileError("open", path, errno), path);
  struct stat info = {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return WithFileKind(absl::DataLossError(absl::StrCat(path, " is not a regular file")), path);
  }
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile);
  file->size_ = static_cast<size_t>(info.st_size);
  if (file->size_ > 0) {
    file->mapping_ = mmap(nullptr, file->size_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (file->mapping_ == MAP_FAILED) {
      file->mapping_ = nullptr;
      close(fd);
      return absl::InternalError(absl::StrCat("cannot map ", path, ": ", std::strerror(errno)));
    }
  }
  close(fd);
  const absl::string_view bytes(static_cast<const char*>(file->mapping_), file->size_);
  if (const absl::Status status = file->Parse(bytes); !status.ok())
    return UnsoundSafetensors(path, bytes, status.message());
  return file;
}

SafetensorsFile::~SafetensorsFile() {
  if (mapping_ != nullptr) munmap(mapping_, size_);
}

absl::Status SafetensorsFile::Parse(absl::string_view file) {
  const absl::StatusOr<uint64_t> header_size = SafetensorsHeaderSize(file.substr(0, 8), file.size());
  if (!header_size.ok()) return header_size.status();
  absl::StatusOr<SafetensorsLayout> layout =
      ParseSafetensorsLayout(file.substr(8, *header_size), file.size());
  if (!layout.ok()) return layout.status();
  for (auto& [name, place] : layout->tensors) {
    const absl::string_view bytes = file.substr(place.begin, place.bytes());
    entries_[name] = {std::move(place.dtype), std::move(place.shape), bytes};
  }
  metadata_ = std::move(layout->metadata);
  has_metadata_ = layout->has_metadata;
  return absl::OkStatus();
}

namespace {

std::vector<SafetensorsDescription> Describe(const std::map<std::string, SafetensorsEntry>& entries) {
  std::vector<SafetensorsDescription> described;
  for (const auto& [name, entry] : entries) described.push_back({name, entry.dtype, entry.shape});
  return described;
}

}  // namespace

absl::Status WriteSafetensors(const std::string& path, const std::map<std::string, SafetensorsEntry>& entries,
                              const std::map<std::string, std::string>& metadata) {
  absl::StatusOr<std::unique_ptr<SafetensorsWriter>> writer =
      SafetensorsWriter::Create(path, Describe(entries), metadata);
  if (!writer.ok()) return writer.status();
  for (const SafetensorsDescription& tensor : (*writer)->order()) {
    if (absl::Status status = (*writer)->Append(entries.at(tensor.name).bytes); !status.ok()) return status;
  }
  return (*writer)->Finish();
}

}  // namespace lvrpo
