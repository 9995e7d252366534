#include "coordinator/page/sample_events.h"

#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "coordinator/page/samples.h"
#include "data/image/png.h"

namespace lvrpo {
namespace {

constexpr int kColumns = 8, kGap = 2;
constexpr size_t kMostPixels = 16 << 20;  // of the grid

}  // namespace

absl::Status SampleEvents::Add(const std::string& evaluation, int64_t step, double unix_seconds) {
  std::vector<RgbImage> images;
  std::vector<double> rewards;
  size_t pixels = 0;
  for (const nlohmann::json& sample : SamplesOf(run_dir_, evaluation)) {
    if (sample["reward"].is_number() && std::isfinite(sample["reward"].get<double>()))
      rewards.push_back(sample["reward"].get<double>());
    const absl::StatusOr<std::string> bytes = ReadSample(run_dir_, sample["image"].get<std::string>());
    absl::StatusOr<RgbImage> image = bytes.ok() ? DecodePng(*bytes) : bytes.status();
    if (!image.ok()) continue;
    pixels += image->pixels.size() / 3;
    if (pixels > kMostPixels) break;
    images.push_back(*std::move(image));
  }
  if (!images.empty()) {
    const RgbImage grid = MakeGrid(images, kColumns, kGap, /*scale=*/1);
    const absl::StatusOr<std::string> png = EncodePng(grid);
    if (!png.ok()) return png.status();
    const absl::Status status =
        events_->AddImage(step, unix_seconds, "samples", {grid.width, grid.height, *png});
    if (!status.ok()) return status;
  }
  return rewards.empty() ? absl::OkStatus()
                         : events_->AddHistogram(step, unix_seconds, "sample rewards", rewards);
}

absl::Status SampleEvents::Update(int64_t steps, double unix_seconds) {
  for (const auto& [step, name] : EvaluationsOf(run_dir_, steps)) {
    if (added_.contains(name) || !IsFile(absl::StrCat(run_dir_, "/images/", name, "/scores.json"))) continue;
    if (events_ == nullptr) {
      absl::StatusOr<std::unique_ptr<EventFile>> events =
          EventFile::Create(JoinPath(run_dir_, "tensorboard/samples"), static_cast<int64_t>(unix_seconds));
      if (!events.ok()) return events.status();
      events_ = *std::move(events);
    }
    if (absl::Status status = Add(name, step, unix_seconds); !status.ok()) return status;
    added_.insert(name);
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
