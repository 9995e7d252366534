#include "common/object_store/file_transfer.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/files/file.h"
#include "common/files/file_reader.h"
#include "common/files/filesystem.h"
#include "common/hash.h"

namespace lvrpo {
namespace {

constexpr int64_t kMostParts = 10000;
constexpr int64_t kMib = 1 << 20;

// Gives out a file's parts in order, reading each once, and hashes the whole. Thread-safe.
class PartReader {
 public:
  PartReader(std::unique_ptr<FileReader> file, int64_t part_bytes)
      : file_(std::move(file)), part_bytes_(part_bytes) {}

  struct Part {
    int number = 0;  // from 1; 0: there is none left
    std::string bytes;
  };
  absl::StatusOr<Part> Next() {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return Part();
    absl::StatusOr<std::string> bytes = file_->Read(part_bytes_);
    if (!bytes.ok() || bytes->empty()) stopped_ = true;
    if (!bytes.ok()) return bytes.status();
    if (bytes->empty()) return Part();
    hash_.Update(*bytes);
    return Part{.number = ++number_, .bytes = *std::move(bytes)};
  }
  void Stop() {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  // After the last part.
  std::string Digest() {
    absl::MutexLock lock(&mutex_);
    return hash_.FinishHex();
  }

 private:
  absl::Mutex mutex_;
  const std::unique_ptr<FileReader> file_ ABSL_GUARDED_BY(mutex_);
  const int64_t part_bytes_;
  Sha256 hash_ ABSL_GUARDED_BY(mutex_);
  int number_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

// Runs `work` on so many threads and waits for them; the first error that one of them returned.
absl::Status OnThreads(int threads, const std::function<absl::Status()>& work) {
  absl::Mutex mutex;
  absl::Status first;
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&] {
      const absl::Status status = work();
      absl::MutexLock lock(&mutex);
      first.Update(status);
    });
  }
  for (std::thread& thread : running) thread.join();
  return first;
}

// The ETags of all parts, in order.
absl::StatusOr<std::vector<std::string>> SendParts(S3Client& client, const std::string& key,
                                                   const std::string& upload, PartReader& parts,
                                                   int at_once) {
  absl::Mutex mutex;
  std::vector<std::string> etags;
  const absl::Status sent = OnThreads(at_once, [&]() -> absl::Status {
    while (true) {
      const absl::StatusOr<PartReader::Part> part = parts.Next();
      if (!part.ok()) return part.status();
      if (part->number == 0) return absl::OkStatus();
      absl::StatusOr<std::string> etag = client.PutPart(key, upload, part->number, part->bytes);
      if (!etag.ok()) {
        parts.Stop();
        return etag.status();
      }
      absl::MutexLock lock(&mutex);
      etags.resize(std::max(etags.size(), static_cast<size_t>(part->number)));
      etags[static_cast<size_t>(part->number) - 1] = *std::move(etag);
    }
  });
  if (!sent.ok()) return sent;
  return etags;
}

absl::Status CheckDigest(const std::string& path, const std::string& found, const std::string& wanted) {
  if (found == wanted) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(path, " is damaged: its checksum is not the manifest's"));
}

absl::Status UploadInParts(S3Client& client, const std::string& key, const std::string& path,
                           const std::string& sha256, PartReader& parts, int64_t size, int at_once) {
  const absl::StatusOr<std::string> upload = client.BeginUpload(key);
  if (!upload.ok()) return upload.status();
  const absl::StatusOr<std::vector<std::string>> etags = SendParts(client, key, *upload, parts, at_once);
  absl::Status status = etags.status();
  if (status.ok()) status = CheckDigest(path, parts.Digest(), sha256);
  if (status.ok()) status = client.CompleteUpload(key, *upload, *etags, size);
  if (!status.ok()) (void)client.AbortUpload(key, *upload);
  return status;
}

// Appends parts that arrive in any order in their own order, and hashes the whole. Thread-safe.
class PartWriter {
 public:
  explicit PartWriter(AtomicFile& file) : file_(file) {}

  // The number of the next part to fetch.
  int64_t Take() {
    absl::MutexLock lock(&mutex_);
    return taken_++;
  }
  // Waits for its turn. Without bytes (its fetch failed) no later part is written either.
  absl::Status Write(int64_t number, const absl::StatusOr<std::string>& bytes) {
    absl::MutexLock lock(&mutex_);
    const auto my_turn = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return written_ == number || !failed_.ok();
    };
    if (!bytes.ok()) failed_.Update(bytes.status());
    mutex_.Await(absl::Condition(&my_turn));
    if (!failed_.ok()) return failed_;
    hash_.Update(*bytes);
    failed_.Update(file_.Append(*bytes));
    ++written_;
    return failed_;
  }
  std::string Digest() {
    absl::MutexLock lock(&mutex_);
    return hash_.FinishHex();
  }

 private:
  absl::Mutex mutex_;
  AtomicFile& file_ ABSL_GUARDED_BY(mutex_);
  Sha256 hash_ ABSL_GUARDED_BY(mutex_);
  absl::Status failed_ ABSL_GUARDED_BY(mutex_);
  int64_t taken_ ABSL_GUARDED_BY(mutex_) = 0, written_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

int64_t PartBytes(int64_t file_bytes, int64_t least) {
  const int64_t needed = (file_bytes + kMostParts - 1) / kMostParts;
  if (needed <= least) return least;
  return (needed + kMib - 1) / kMib * kMib;
}

absl::Status UploadFile(S3Client& client, const std::string& key, const std::string& path,
                        const std::string& sha256, const TransferOptions& options) {
  const absl::StatusOr<int64_t> size = FileSize(path);
  if (!size.ok()) return size.status();
  absl::StatusOr<std::unique_ptr<FileReader>> file = FileReader::Open(path);
  if (!file.ok()) return file.status();
  const int64_t part_bytes = PartBytes(*size, options.part_bytes);
  if (*size > part_bytes) {
    PartReader parts(*std::move(file), part_bytes);
    return UploadInParts(client, key, path, sha256, parts, *size, options.at_once);
  }
  const absl::StatusOr<std::string> bytes = (*file)->Read(part_bytes);
  if (!bytes.ok()) return bytes.status();
  if (absl::Status status = CheckDigest(path, Sha256Hex(*bytes), sha256); !status.ok()) return status;
  return client.Put(key, *bytes);
}

absl::Status DownloadFile(S3Client& client, const std::string& key, const std::string& path, int64_t size,
                          const std::string& sha256, const TransferOptions& options) {
  absl::StatusOr<std::unique_ptr<AtomicFile>> file = AtomicFile::Create(path);
  if (!file.ok()) return file.status();
  PartWriter parts(**file);
  const int64_t part_bytes = PartBytes(size, options.part_bytes);
  const absl::Status received = OnThreads(options.at_once, [&]() -> absl::Status {
    while (true) {
      const int64_t number = parts.Take(), first = number * part_bytes;
      if (first >= size) return absl::OkStatus();
      const absl::Status written =
          parts.Write(number, client.GetRange(key, first, std::min(part_bytes, size - first)));
      if (!written.ok()) return written;
    }
  });
  if (!received.ok()) return received;
  if (absl::Status status = CheckDigest(key, parts.Digest(), sha256); !status.ok()) return status;
  return (*file)->Commit();
}

}  // namespace lvrpo
