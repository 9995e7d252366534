#include "learner/storage_watch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/filesystem.h"
#include "spdlog/spdlog.h"

namespace lvrpo {

StorageWatch::StorageWatch(Options options, Spool& spool, Clock& clock)
    : options_(std::move(options)), spool_(spool), clock_(clock) {}

void StorageWatch::NoteCheckpoint(const absl::Status& status) {
  if (status.ok()) {
    checkpoint_.reset();
  } else if (!checkpoint_.has_value()) {
    checkpoint_ = {.what = std::string(status.message()), .since = clock_.Now(), .disk = true};
  }
}

std::string StorageWatch::trouble() const {
  absl::MutexLock lock(&mutex_);
  return trouble_;
}

absl::Status StorageWatch::Check() {
  const absl::Time now = clock_.Now();
  const absl::StatusOr<PathKind> folder = KindOf(options_.run_dir);
  if (folder.ok() && *folder == PathKind::kMissing) {
    return absl::NotFoundError(absl::StrCat("the run folder ", options_.run_dir,
                                            " is gone, and with it the run's records and checkpoints"));
  }
  if (now >= next_probe_) {
    spool_.Probe();
    next_probe_ = now + options_.pause;
  }
  const std::optional<Spool::Trouble> spool = spool_.trouble(),
                                      trouble = spool.has_value() ? spool : checkpoint_;
  const bool lasting = trouble.has_value() && now - trouble->since >= options_.pause;
  if (lasting && !reported_) spdlog::error("nothing can be stored: {}", trouble->what);
  if (!trouble.has_value() && reported_) spdlog::info("the disk can be written again");
  reported_ = trouble.has_value() && (reported_ || lasting);
  {
    absl::MutexLock lock(&mutex_);
    trouble_ = reported_ ? absl::StrCat("its disk: ", trouble->what) : "";
  }
  if (spool.has_value() && spool->disk && now - spool->since >= options_.patience) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "no group could be stored for ", absl::FormatDuration(options_.patience), ": ", spool->what));
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
