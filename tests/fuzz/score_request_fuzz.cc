#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "reward_server/decode_request.h"
#include "tests/fuzz/fuzz.h"

namespace {

// What is accepted keeps its promises: an image has the pixels of its size, and there is one for each item.
void Decode(const lvrpo::v1::ScoreRequest& request) {
  const absl::StatusOr<lvrpo::ScoringGroup> batch = lvrpo::DecodeRequest(request);
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
  for (const auto& objects : batch->detections) {
    if (!objects.has_value()) continue;
    for (const lvrpo::Detection& object : *objects) {
      if (!(object.score >= 0 && object.score <= 1 && object.x0 <= object.x1 && object.y0 <= object.y1))
        std::abort();
    }
  }
}

// Bytes as numbers, 0 when there are no more.
class Numbers {
 public:
  Numbers(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  template <typename T>
  T Next() {
    T value = {};
    const size_t take = std::min(sizeof(T), size_);
    std::memcpy(&value, data_, take);
    data_ += take;
    size_ -= take;
    return value;
  }
  bool more() const { return size_ > 0; }

 private:
  const uint8_t* data_;
  size_t size_;
};

// Images of all sizes side by side, right and wrong ones, with detections of any numbers.
lvrpo::v1::ScoreRequest Mixed(const uint8_t* data, size_t size) {
  lvrpo::v1::ScoreRequest request;
  request.mutable_prompt()->set_task(lvrpo::v1::TASK_KIND_IMAGE);
  Numbers numbers(data, size);
  while (numbers.more() && request.items_size() < 40) {
    lvrpo::v1::ScoreItem& item = *request.add_items();
    lvrpo::v1::RgbImage& image = *item.mutable_image();
    const auto kind = numbers.Next<uint8_t>();
    const bool wild = kind % 16 == 0;
    image.set_width(wild ? numbers.Next<int32_t>() : 1 + numbers.Next<uint8_t>());
    image.set_height(wild ? numbers.Next<int32_t>() : 1 + numbers.Next<uint8_t>());
    if (!wild) image.set_pixels(std::string(static_cast<size_t>(3 * image.width() * image.height()), 'p'));
    for (int i = 0; i < kind / 64; ++i) {
      lvrpo::v1::DetectedObject& object = *item.mutable_detections()->add_objects();
      object.set_class_name("bench");
      object.set_score(numbers.Next<float>());
      object.set_x0(numbers.Next<float>());
      object.set_y0(numbers.Next<float>());
      object.set_x1(numbers.Next<float>());
      object.set_y1(numbers.Next<float>());
    }
  }
  return request;
}

}  // namespace

// Any bytes as a request (protobuf's binary form), as images of all sizes in one, and as the PNG of one that
// is right otherwise.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lvrpo::v1::ScoreRequest request;
  if (request.ParseFromArray(data, static_cast<int>(size))) Decode(request);
  Decode(Mixed(data, size));
  lvrpo::v1::ScoreRequest png;
  png.mutable_prompt()->set_task(lvrpo::v1::TASK_KIND_IMAGE);
  png.add_items()->mutable_image()->set_png(data, size);
  Decode(png);
  return 0;
}
