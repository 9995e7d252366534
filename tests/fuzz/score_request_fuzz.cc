#include <cstdlib>

#include "reward_server/decode_request.h"
#include "tests/fuzz/fuzz.h"

namespace {

// What is accepted keeps its promises: an image has the pixels of its size, and there is one for each item.
void Decode(const lvrpo::v1::ScoreRequest& request) {
  const absl::StatusOr<lvrpo::ScoringBatch> batch = lvrpo::DecodeRequest(request);
  if (!batch.ok()) {
    if (batch.status().code() != absl::StatusCode::kInvalidArgument || batch.status().message().empty())
      std::abort();
    return;
  }
  if (batch->size() != static_cast<size_t>(request.items_size())) std::abort();
  if (!batch->detections.empty() && batch->detections.size() != batch->size()) std::abort();
  for (const lvrpo::RgbImage& image : batch->images) {
    const auto pixels = size_t{3} * static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
    if (image.pixels.size() != pixels || pixels == 0) std::abort();
  }
}

}  // namespace

// Any bytes as a request (protobuf's binary form), and as the PNG of one that is right otherwise.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lvrpo::v1::ScoreRequest request;
  if (request.ParseFromArray(data, static_cast<int>(size))) Decode(request);
  lvrpo::v1::ScoreRequest png;
  png.mutable_prompt()->set_task(lvrpo::v1::TASK_KIND_IMAGE);
  png.add_items()->mutable_image()->set_png(data, size);
  Decode(png);
  return 0;
}
