#include "coordinator/records/step_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cmath>
#include <map>

#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

std::string Line(const v1::StepRecord& step) {
  nlohmann::json line = nlohmann::json::object();
  for (const auto& [name, value] : step.metrics()) line[name] = value;
  line["step"] = step.step();
  line["unix_seconds"] = step.unix_seconds();
  line["version"] = step.new_version().number();
  line["digest"] = step.new_version().digest();
  return JsonText(line) + "\n";
}

// Lines are appended only when all earlier ones are there, so checking the last one is enough.
bool EndsWith(const std::string& path, const std::string& line) {
  const absl::StatusOr<int64_t> size = FileSize(path);
  const auto length = static_cast<int64_t>(line.size());
  if (!size.ok() || *size < length) return false;
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  std::string end(line.size(), '\0');
  const ssize_t read = pread(descriptor, end.data(), end.size(), *size - length);
  close(descriptor);
  return read == length && end == line;
}

}  // namespace

absl::Status StepLog::Rewrite(const std::function<absl::Status(const Visit&)>& for_each,
                              const v1::StepRecord* last, int64_t unix_seconds) {
  events_ = nullptr;
  const std::string path = JoinPath(run_dir_, "metrics.jsonl");
  std::unique_ptr<AtomicFile> lines;
  if (last == nullptr || !EndsWith(path, Line(*last))) {
    absl::StatusOr<std::unique_ptr<AtomicFile>> fresh = AtomicFile::Create(path);
    if (!fresh.ok()) return fresh.status();
    lines = *std::move(fresh);
  }
  absl::StatusOr<std::unique_ptr<EventFile>> events =
      EventFile::Create(JoinPath(run_dir_, "tensorboard"), unix_seconds);
  if (!events.ok()) return events.status();
  events_ = *std::move(events);
  const absl::Status written = for_each([&](const v1::StepRecord& step) -> absl::Status {
    if (lines != nullptr) {
      if (absl::Status status = lines->Append(Line(step)); !status.ok()) return status;
    }
    return AppendEvent(step);
  });
  if (!written.ok()) return written;
  return lines == nullptr ? absl::OkStatus() : lines->Commit();
}

absl::Status StepLog::Append(const v1::StepRecord& step) {
  if (absl::Status status = AppendToFile(JoinPath(run_dir_, "metrics.jsonl"), Line(step)); !status.ok())
    return status;
  return AppendEvent(step);
}

absl::Status StepLog::AppendEvent(const v1::StepRecord& step) {
  if (events_ == nullptr) return absl::UnavailableError("there is no event file");
  std::map<std::string, double> values;
  for (const auto& [name, value] : step.metrics()) {
    if (std::isfinite(value)) values[name] = value;
  }
  return events_->AddScalars(step.step(), step.unix_seconds(), values);
}

}  // namespace lvrpo
