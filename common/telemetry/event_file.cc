#include "common/telemetry/event_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "proto/lvrpo/v1/event_file.pb.h"

namespace lvrpo {
namespace {

constexpr char kPrefix[] = "events.out.tfevents.";
constexpr char kSuffix[] = ".lvrpo";

constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table = {};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0);
    table[i] = crc;
  }
  return table;
}

void AppendLittleEndian(uint64_t value, int bytes, std::string& out) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

// tensorflow:tensorflow/core/lib/io/record_writer.h: length, CRC of length, data, CRC of data. CRCs are
// stored masked (tensorflow/core/lib/hash/crc32c.h), so that a CRC over bytes that hold CRCs stays a good
// one.
void AppendMaskedCrc(absl::string_view bytes, std::string& out) {
  const uint32_t crc = Crc32c(bytes);
  AppendLittleEndian(((crc >> 15) | (crc << 17)) + 0xA282EAD8u, 4, out);
}

std::string Frame(const std::string& data) {
  std::string record;
  record.reserve(data.size() + 16);
  AppendLittleEndian(data.size(), 8, record);
  AppendMaskedCrc(record, record);
  record += data;
  AppendMaskedCrc(data, record);
  return record;
}

}  // namespace

uint32_t Crc32c(absl::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = MakeCrcTable();
  uint32_t crc = 0xFFFFFFFFu;
  for (const char byte : bytes) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xFF];
  return ~crc;
}

absl::StatusOr<std::unique_ptr<EventFile>> EventFile::Create(const std::string& folder,
                                                             int64_t unix_seconds) {
  if (absl::Status status = MakeFolder(folder); !status.ok()) return status;
  const absl::StatusOr<std::vector<std::string>> names = ListFolder(folder);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (!absl::StartsWith(name, kPrefix) || !absl::EndsWith(name, kSuffix)) continue;
    if (absl::Status status = RemoveFile(JoinPath(folder, name)); !status.ok()) return status;
  }
  const std::string path = JoinPath(folder, absl::StrCat(kPrefix, unix_seconds, kSuffix));
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot write " + path);
  std::unique_ptr<EventFile> file(new EventFile(fd, path));
  v1::TensorboardEvent version;
  version.set_wall_time(static_cast<double>(unix_seconds));
  version.set_file_version("brain.Event:2");
  if (absl::Status status = file->Append(version.SerializeAsString()); !status.ok()) return status;
  return file;
}

EventFile::~EventFile() { close(fd_); }

absl::Status EventFile::AddScalars(int64_t step, double unix_seconds,
                                   const std::map<std::string, double>& values) {
  v1::TensorboardEvent event;
  event.set_wall_time(unix_seconds);
  event.set_step(step);
  for (const auto& [tag, number] : values) {
    v1::TensorboardSummary::Value& value = *event.mutable_summary()->add_value();
    value.set_tag(tag);
    value.set_simple_value(static_cast<float>(number));
  }
  return Append(event.SerializeAsString());
}

absl::Status EventFile::AddImage(int64_t step, double unix_seconds, const std::string& tag,
                                 const EventImage& image) {
  v1::TensorboardEvent event;
  event.set_wall_time(unix_seconds);
  event.set_step(step);
  v1::TensorboardSummary::Value& value = *event.mutable_summary()->add_value();
  value.set_tag(tag);
  value.mutable_image()->set_width(image.width);
  value.mutable_image()->set_height(image.height);
  value.mutable_image()->set_colorspace(3);
  value.mutable_image()->set_encoded_image_string(image.png);
  return Append(event.SerializeAsString());
}

absl::Status EventFile::AddHistogram(int64_t step, double unix_seconds, const std::string& tag,
                                     const std::vector<double>& values) {
  constexpr int kBuckets = 20;
  v1::TensorboardEvent event;
  event.set_wall_time(unix_seconds);
  event.set_step(step);
  v1::TensorboardSummary::Value& value = *event.mutable_summary()->add_value();
  value.set_tag(tag);
  v1::TensorboardHistogram& histogram = *value.mutable_histogram();
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double width = std::max((*high - *low) / kBuckets, 1e-9);
  for (int i = 1; i <= kBuckets; ++i) {
    histogram.add_bucket_limit(*low + i * width);
    histogram.add_bucket(0);
  }
  double sum = 0, squares = 0;
  for (const double one : values) {
    const int bucket = std::clamp(static_cast<int>((one - *low) / width), 0, kBuckets - 1);
    histogram.set_bucket(bucket, histogram.bucket(bucket) + 1);
    sum += one;
    squares += one * one;
  }
  histogram.set_min(*low);
  histogram.set_max(*high);
  histogram.set_num(static_cast<double>(values.size()));
  histogram.set_sum(sum);
  histogram.set_sum_squares(squares);
  return Append(event.SerializeAsString());
}

absl::Status EventFile::Append(const std::string& event) {
  const std::string record = Frame(event);
  absl::string_view rest = record;
  while (!rest.empty()) {
    const ssize_t written = write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      // A torn record would make readers stop there for good.
      const bool undone = ftruncate(fd_, size_) == 0;
      return absl::ErrnoToStatus(
          error, absl::StrCat("cannot write ", path_, undone ? "" : ", which ends in a torn record now"));
    }
    rest.remove_prefix(static_cast<size_t>(written));
  }
  size_ += static_cast<int64_t>(record.size());
  return absl::OkStatus();
}

}  // namespace lvrpo
