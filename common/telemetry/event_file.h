#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// An image as TensorBoard shows it.
struct EventImage {
  int width = 0, height = 0;
  std::string png;
};

// Writes to a TensorBoard event file: v1::TensorboardEvent records in TFRecord framing. Not
// thread-safe.
class EventFile {
 public:
  // Creates `folder` if missing and <folder>/events.out.tfevents.<unix_seconds>.lvrpo in it. Event files of
  // an earlier EventFile in the folder are removed: after a restart all steps are written again.
  static absl::StatusOr<std::unique_ptr<EventFile>> Create(const std::string& folder, int64_t unix_seconds);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  // Appends one record, visible to readers when this returns. A record that could not be written whole is
  // removed.
  absl::Status AddScalars(int64_t step, double unix_seconds, const std::map<std::string, double>& values);

  absl::Status AddImage(int64_t step, double unix_seconds, const std::string& tag, const EventImage& image);
  // `values`: finite ones, at least one. Buckets of equal width.
  absl::Status AddHistogram(int64_t step, double unix_seconds, const std::string& tag,
                            const std::vector<double>& values);

  const std::string& path() const { return path_; }

 private:
  EventFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  absl::Status Append(const std::string& event);

  const int fd_;
  const std::string path_;
  int64_t size_ = 0;  // bytes of complete records
};

// CRC-32C (Castagnoli): not zlib's CRC-32 of common/hash.h.
uint32_t Crc32c(absl::string_view bytes);

}  // namespace lvrpo
