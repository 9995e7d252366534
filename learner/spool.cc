#include "learner/spool.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files/filesystem.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr char kEnding[] = ".group", kProbe[] = "probe.group";
constexpr int64_t kPiece = int64_t{1} << 20;

// The ordinal and attempt in a file's name.
std::optional<std::pair<int64_t, int32_t>> KeyOf(const std::string& name) {
  absl::string_view rest = name;
  const size_t dash = rest.find('-');
  std::pair<int64_t, int32_t> key;
  if (dash == absl::string_view::npos || !absl::ConsumeSuffix(&rest, kEnding) ||
      !absl::SimpleAtoi(rest.substr(0, dash), &key.first) ||
      !absl::SimpleAtoi(rest.substr(dash + 1), &key.second)) {
    return std::nullopt;
  }
  return key;
}

}  // namespace

Spool::Spool(std::string folder, int64_t most_bytes, Clock& clock)
    : folder_(std::move(folder)), most_bytes_(most_bytes), clock_(clock) {}

absl::Status Spool::Open() {
  if (absl::Status status = MakeFolder(folder_); !status.ok()) return status;
  const absl::StatusOr<std::vector<std::string>> names = ListFolder(folder_);
  if (!names.ok()) return names.status();
  absl::MutexLock lock(&mutex_);
  for (const std::string& name : *names) {
    const std::string path = JoinPath(folder_, name);
    if (const std::optional<Key> key = KeyOf(name); key.has_value()) {
      const absl::StatusOr<int64_t> size = FileSize(path);
      if (!size.ok()) continue;
      stored_[*key] = *size;
      stored_bytes_ += *size;
    } else if (name == kProbe || absl::StrContains(name, absl::StrCat(kEnding, ".tmp."))) {
      (void)RemoveFile(path);
    }
  }
  return absl::OkStatus();
}

std::string Spool::PathOf(int64_t ordinal, int32_t attempt) const {
  return JoinPath(folder_, absl::StrCat(ordinal, "-", attempt, kEnding));
}

absl::StatusOr<std::unique_ptr<AtomicFile>> Spool::Create(const std::string& path) {
  if (!IsFolder(folder_)) {
    const std::string run = ParentFolder(folder_);
    const absl::StatusOr<PathKind> kind = KindOf(run.empty() ? "." : run);
    if (kind.ok() && *kind == PathKind::kMissing) {
      return absl::NotFoundError(absl::StrCat("the run folder ", run, " is gone"));
    }
    if (absl::Status status = MakeFolder(folder_); !status.ok()) return status;
    spdlog::warn("{} was missing: it was made again", folder_);
    absl::MutexLock lock(&mutex_);
    stored_.clear();
    stored_bytes_ = 0;
  }
  return AtomicFile::Create(path);
}

absl::Status Spool::Note(const absl::Status& status, bool disk, int64_t bytes) {
  absl::MutexLock lock(&mutex_);
  if (status.ok()) {
    trouble_.reset();
  } else if (!trouble_.has_value() || trouble_->disk != disk) {
    trouble_ = {.what = std::string(status.message()), .since = clock_.Now(), .disk = disk, .bytes = bytes};
  }
  return status;
}

absl::Status Spool::Admit(int64_t size, int64_t now) {
  int64_t held = 0;
  {
    absl::MutexLock lock(&mutex_);
    held = stored_bytes_ + coming_bytes_;
    if (size <= most_bytes_ - held) {
      coming_bytes_ += now;
      return absl::OkStatus();
    }
  }
  return Note(absl::ResourceExhaustedError(
                  absl::StrCat("the spool holds ", held >> 20, " MiB and may hold ", most_bytes_ >> 20,
                               " (train.spool_mib): there is no room for ", size, " bytes more")),
              /*disk=*/false, size);
}

absl::StatusOr<std::unique_ptr<Spool::Writer>> Spool::Begin(int64_t ordinal, int32_t attempt,
                                                            const std::string& digest, int64_t size) {
  if (absl::Status status = Admit(size, 0); !status.ok()) return status;
  std::unique_ptr<Writer> writer(new Writer(*this, ordinal, attempt, digest, size));
  absl::StatusOr<std::unique_ptr<AtomicFile>> file = Create(PathOf(ordinal, attempt));
  if (!file.ok()) return Note(file.status(), /*disk=*/true, size);
  writer->file_ = *std::move(file);
  return writer;
}

absl::Status Spool::Writer::Append(const std::string& bytes) {
  const auto more = static_cast<int64_t>(bytes.size());
  if (more > size_ - written_) {
    return absl::DataLossError(
        absl::StrCat("ordinal ", ordinal_, " was announced with ", size_, " bytes and came with more"));
  }
  if (absl::Status status = spool_.Admit(more, more); !status.ok()) return status;
  written_ += more;
  if (absl::Status status = file_->Append(bytes); !status.ok())
    return spool_.Note(status, /*disk=*/true, size_);
  hash_.Update(bytes);
  return absl::OkStatus();
}

absl::Status Spool::Writer::Commit() {
  if (written_ != size_) {
    return absl::DataLossError(
        absl::StrCat("ordinal ", ordinal_, " was announced with ", size_, " bytes and came with ", written_));
  }
  if (hash_.FinishHex() != digest_) {
    return absl::DataLossError(
        absl::StrCat("the trajectories of ordinal ", ordinal_, " do not match their digest"));
  }
  if (absl::Status status = spool_.Note(file_->Commit(), /*disk=*/true, size_); !status.ok()) return status;
  absl::MutexLock lock(&spool_.mutex_);
  int64_t& stored = spool_.stored_[{ordinal_, attempt_}];
  spool_.stored_bytes_ += size_ - stored;
  stored = size_;
  spool_.coming_bytes_ -= written_;
  written_ = 0;
  while (true) {
    const auto earlier = spool_.stored_.lower_bound({ordinal_, 0});
    if (earlier->first.second >= attempt_) break;
    spool_.Remove(earlier->first);
  }
  return absl::OkStatus();
}

Spool::Writer::~Writer() {
  absl::MutexLock lock(&spool_.mutex_);
  spool_.coming_bytes_ -= written_;
}

absl::StatusOr<v1::TrajectoryGroup> Spool::Get(int64_t ordinal, int32_t attempt,
                                               const std::string& digest) const {
  absl::StatusOr<std::string> bytes = ReadFile(PathOf(ordinal, attempt));
  if (!bytes.ok()) return bytes.status();
  v1::TrajectoryGroup group;
  if (Sha256Hex(*bytes) != digest || !group.ParseFromString(*bytes)) {
    return absl::DataLossError(absl::StrCat(PathOf(ordinal, attempt), " is damaged"));
  }
  return group;
}

void Spool::Remove(const Key& key) {
  const auto stored = stored_.find(key);
  stored_bytes_ -= stored->second;
  (void)RemoveFile(PathOf(stored->first.first, stored->first.second));
  stored_.erase(stored);
}

void Spool::RemoveBelow(int64_t ordinal) {
  absl::MutexLock lock(&mutex_);
  while (!stored_.empty() && stored_.begin()->first.first < ordinal) {
    Remove(Key(stored_.begin()->first));
    if (trouble_.has_value() && !trouble_->disk) trouble_.reset();  // there is room again
  }
}

int64_t Spool::bytes() const {
  absl::MutexLock lock(&mutex_);
  return stored_bytes_ + coming_bytes_;
}

std::optional<Spool::Trouble> Spool::trouble() const {
  absl::MutexLock lock(&mutex_);
  return trouble_;
}

void Spool::Probe() {
  const std::optional<Trouble> now = trouble();
  if (!now.has_value() || !now->disk) return;
  const std::string path = JoinPath(folder_, kProbe);
  const absl::StatusOr<std::unique_ptr<AtomicFile>> file = Create(path);
  absl::Status status = file.status();
  for (int64_t left = now->bytes; status.ok() && left > 0; left -= kPiece)
    status = (*file)->Append(std::string(static_cast<size_t>(std::min(left, kPiece)), '\0'));
  if (status.ok()) status = (*file)->Commit();
  (void)RemoveFile(path);
  (void)Note(status, /*disk=*/true, now->bytes);
}

}  // namespace lvrpo
