#include "common/files/await_folder.h"

#include "absl/strings/str_cat.h"
#include "common/files/filesystem.h"

namespace lvrpo {

absl::Status AwaitFolder(const std::string& path, absl::Duration patience,
                         const std::function<bool()>& give_up, const Waiting& waiting) {
  const absl::Time deadline = waiting.clock->Now() + patience;
  while (!IsFolder(path)) {
    if (give_up()) return absl::CancelledError(absl::StrCat("stopped while waiting for ", path));
    if (waiting.clock->Now() >= deadline)
      return absl::UnavailableError(absl::StrCat("there is no folder ", path));
    waiting.sleep(absl::Milliseconds(100));
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
