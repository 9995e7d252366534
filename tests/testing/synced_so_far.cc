#include "tests/testing/synced_so_far.h"

#include <sys/stat.h>

#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"

namespace lvrpo {
namespace {

struct Calls {
  absl::Mutex mutex;
  std::vector<std::string> kinds ABSL_GUARDED_BY(mutex);
};

Calls& AllCalls() {
  static auto* calls = new Calls;
  return *calls;
}

}  // namespace

SyncedSoFar::SyncedSoFar() {
  absl::MutexLock lock(&AllCalls().mutex);
  begin_ = AllCalls().kinds.size();
}

std::string SyncedSoFar::Kinds() const {
  absl::MutexLock lock(&AllCalls().mutex);
  return absl::StrJoin(absl::MakeSpan(AllCalls().kinds).subspan(begin_), " ");
}

}  // namespace lvrpo

// The linker sends every call of fsync() here, and of __real_fsync() to the library's.
extern "C" int __real_fsync(int descriptor);
extern "C" int __wrap_fsync(int descriptor) {
  struct stat what = {};
  const bool folder = fstat(descriptor, &what) == 0 && S_ISDIR(what.st_mode);
  {
    absl::MutexLock lock(&lvrpo::AllCalls().mutex);
    lvrpo::AllCalls().kinds.push_back(folder ? "folder" : "file");
  }
  return __real_fsync(descriptor);
}
