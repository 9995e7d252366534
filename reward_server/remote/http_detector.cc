#include "reward_server/remote/http_detector.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/json/json_text.h"
#include "common/utf8.h"
#include "data/image/png.h"
#include "reward_server/remote/http/curl_transport.h"
#include "reward_server/remote/http/remote_json.h"
#include "reward_server/remote/http/remote_status.h"
#include "reward_server/remote/http/url.h"
#include "verifiers/answers/folded.h"

namespace lvrpo {
namespace {

using nlohmann::json;

constexpr JsonBounds kBounds = {.bytes = kMostHttpAnswer, .values = 4000000, .depth = 16};

constexpr int kSmall = 8;  // pixels; of smaller images boxes may well be one pixel large

// A class name normalised for comparison: lower-case, "_" and "-" as spaces.
std::string FoldClass(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '_' || c == '-'; }, ' ');
  return Folded(unicode::RepairUtf8(name), Spaces::kSingle);
}

// One image's answer with numbers in place of strings that spell them.
json Plain(json image) {
  for (const char* name : {"width", "height"}) {
    if (!image.is_object() || !image.contains(name)) continue;
    const std::optional<double> side = RemoteNumber(image[name]);
    if (side.has_value()) image[name] = *side;
  }
  if (!image.is_object() || !image.contains("objects") || !image["objects"].is_array()) return image;
  for (json& object : image["objects"]) {
    if (!object.is_object()) continue;
    if (object.contains("color") && object["color"].is_null()) object.erase("color");
    if (object.contains("score")) {
      const std::optional<double> score = RemoteNumber(object["score"]);
      if (score.has_value()) object["score"] = AsShare(*score).value_or(*score);
    }
    if (!object.contains("box") || !object["box"].is_array()) continue;
    for (json& corner : object["box"]) {
      const std::optional<double> number = RemoteNumber(corner);
      if (number.has_value()) corner = *number;
    }
  }
  return image;
}

// Whether boxes are relative to the image's size: no coordinate exceeds 1.
bool LookLikeShares(const Detections& image) {
  if (image.objects.empty() || std::min(image.width, image.height) < kSmall) return false;
  return std::all_of(image.objects.begin(), image.objects.end(),
                     [](const Detection& object) { return object.x1 <= 1 && object.y1 <= 1; });
}

std::string Who(const std::string& address) { return "detector at " + PrintableUrl(address); }

}  // namespace

absl::StatusOr<std::string> DetectRequestJson(const std::vector<RgbImage>& images,
                                              const std::vector<std::string>& classes) {
  json request = {{"classes", classes}, {"images", json::array()}};
  for (size_t i = 0; i < images.size(); ++i) {
    const absl::StatusOr<std::string> png = EncodePng(images[i]);
    if (!png.ok()) return Named(absl::StrCat("image ", i), png.status());
    request["images"].push_back(absl::Base64Escape(*png));
  }
  return JsonText(request);
}

absl::StatusOr<std::vector<std::vector<Detection>>> ReadDetectionsJson(
    absl::string_view text, const std::vector<ImageSize>& sizes, const std::vector<std::string>& classes,
    const std::string& digest) {
  const absl::StatusOr<json> answer = ParseRemoteJson(text, kBounds);
  if (!answer.ok()) return answer.status();
  const absl::StatusOr<std::string> answered = RemoteString(*answer, "digest");
  if (!answered.ok()) return answered.status();
  if (absl::Status same = CheckUnchanged(digest, *answered); !same.ok()) return same;
  const absl::StatusOr<const json*> images =
      RemoteList(*answer, "images", static_cast<int64_t>(sizes.size()));
  if (!images.ok()) return images.status();
  std::vector<std::vector<Detection>> found;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const std::string where = absl::StrCat("images[", i, "]");
    absl::StatusOr<Detections> image = DetectionsFromJson(JsonText(Plain((**images)[i])));
    if (!image.ok()) return BadAnswer(absl::StrCat(where, ": ", image.status().message()));
    if (image->width != sizes[i].width || image->height != sizes[i].height) {
      return BadAnswer(absl::StrCat(where, " is of ", image->width, " x ", image->height, " pixels, but ",
                                    sizes[i].width, " x ", sizes[i].height,
                                    " were sent: boxes must be in the image's own pixels"));
    }
    if (LookLikeShares(*image)) {
      return BadAnswer(absl::StrCat(where,
                                    " has boxes within one pixel only: they must be in pixels of the "
                                    "image, not in shares of its sides"));
    }
    std::vector<Detection>& of_image = found.emplace_back();
    for (Detection& object : image->objects) {
      const std::string name = FoldClass(object.class_name);
      const auto asked = std::find_if(classes.begin(), classes.end(),
                                      [&](const std::string& one) { return FoldClass(one) == name; });
      if (asked == classes.end()) continue;
      object.class_name = *asked;
      object.color = Folded(unicode::RepairUtf8(object.color), Spaces::kSingle);
      of_image.push_back(std::move(object));
    }
  }
  return found;
}

HttpDetector::HttpDetector(const std::string& address, const LinkOptions& options,
                           std::unique_ptr<HttpTransport> transport)
    : address_(JoinUrl(address, "")),
      retry_(options.retry),
      client_(std::move(transport), ToHttpOptions(options), options.waiting) {}

absl::StatusOr<std::unique_ptr<HttpDetector>> HttpDetector::Create(const std::string& address,
                                                                   const LinkOptions& options,
                                                                   std::unique_ptr<HttpTransport> transport) {
  if (transport == nullptr) transport = std::make_unique<CurlTransport>();
  auto detector = std::unique_ptr<HttpDetector>(new HttpDetector(address, options, std::move(transport)));
  const std::string describe = JoinUrl(address, "/describe");
  RetryPolicy retry = options.retry;
  retry.retries = kRetryUntilDeadline;
  absl::StatusOr<std::string> body = detector->client_.SendOne({.url = describe, .json = {}}, retry);
  if (absl::IsDeadlineExceeded(body.status())) body = absl::UnavailableError(body.status().message());
  if (!body.ok()) return Named(Who(address), body.status());
  absl::StatusOr<RemoteDescription> description = ReadDescription(*body);
  if (!description.ok())
    return Named(Who(address), detector->client_.Refused(description.status(), describe, *body));
  detector->description_ = *std::move(description);
  return detector;
}

std::string HttpDetector::digest() const {
  return absl::StrCat("http_detector/", description_.digest, "/", description_.thresholds.score, "/",
                      description_.thresholds.counting_score);
}

absl::StatusOr<std::vector<std::vector<Detection>>> HttpDetector::Detect(
    const std::vector<RgbImage>& images, const std::vector<std::string>& classes) {
  absl::StatusOr<std::string> request = DetectRequestJson(images, classes);
  if (!request.ok()) return Named(Who(address_), request.status());
  std::vector<ImageSize> sizes;
  for (const RgbImage& image : images) sizes.push_back({image.width, image.height});
  const absl::StatusOr<std::string> body =
      client_.SendOne({.url = address_, .json = [&request] { return *request; }}, retry_);
  if (!body.ok()) return Named(Who(address_), body.status());
  auto found = ReadDetectionsJson(*body, sizes, classes, description_.digest);
  if (!found.ok()) return Named(Who(address_), client_.Refused(found.status(), address_, *body));
  return found;
}

}  // namespace lvrpo
