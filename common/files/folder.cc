#include "common/files/folder.h"

#include "common/files/filesystem.h"

namespace lvrpo {

absl::Status WriteFolderAtomic(const std::string& path,
                               const std::function<absl::Status(const std::string& unfinished)>& fill) {
  const std::string unfinished = path + ".unfinished";
  absl::Status status = RemoveTree(unfinished);
  if (status.ok()) status = MakeFolder(unfinished);
  if (status.ok()) status = fill(unfinished);
  if (status.ok()) status = Rename(unfinished, path);
  if (!status.ok()) {
    (void)RemoveTree(unfinished);
    return status;
  }
  return SyncFolder(ParentFolder(path));
}

}  // namespace lvrpo
