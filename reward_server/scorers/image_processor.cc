#include "reward_server/scorers/image_processor.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/file.h"
#include "common/json/json_text.h"
#include "model/config/config_reader.h"
#include "model/config/harmless_settings.h"

namespace lvrpo {
namespace {

// A list of three numbers.
void ReadColours(ConfigReader& reader, const nlohmann::json& json, const char* key,
                 std::array<float, 3>& colours) {
  if (!reader.Has(key)) return;
  const nlohmann::json& list = json[key];
  bool numbers = list.is_array() && list.size() == 3;
  for (size_t i = 0; numbers && i < 3; ++i) {
    numbers = list[i].is_number();
    if (numbers) colours[i] = list[i].get<float>();
  }
  if (!numbers) reader.Problem(key, absl::StrCat("is ", JsonText(list), ", want a list of three numbers"));
}

// One number, or height and width.
void CheckSize(ConfigReader& reader, const nlohmann::json& json, int64_t side) {
  reader.RefuseNull("size");
  if (!reader.Has("size")) return;
  if (!json["size"].is_object()) return reader.Exactly("size", side);
  ConfigReader size(json["size"], "size");
  for (const char* key : {"height", "width"}) {
    if (!size.Has(key)) size.Problem(key, "is missing");
    size.Exactly(key, side);
  }
  size.RefuseUnknown();
  reader.Include("size", size);
}

void ReadFilter(ConfigReader& reader, ResizeFilter& filter) {
  reader.RefuseNull("resample");
  if (!reader.Has("resample")) return;
  int64_t number = -1;
  reader.Integer("resample", number);
  const absl::StatusOr<ResizeFilter> named = ResizeFilterByNumber(number);
  if (named.ok()) {
    filter = *named;
  } else {
    reader.Problem("resample", absl::StrCat("is not supported: ", named.status().message()));
  }
}

absl::StatusOr<ImageProcessor> ReadSettings(const nlohmann::json& json, const std::string& where,
                                            const ProcessorWants& wants, const ImageProcessor& otherwise) {
  ImageProcessor processor = otherwise;
  ConfigReader reader(json, where);
  reader.OneOf("image_processor_type", wants.types, nullptr);
  for (const char* key : {"do_resize", "do_rescale", "do_normalize"}) reader.Always(key);
  reader.Never("do_center_crop");
  if (wants.pads) {
    reader.Always("do_pad");
    reader.Harmless({"resample"});  // NaFlex resizing has no filter setting
  } else {
    reader.Never("do_pad");
    ReadFilter(reader, processor.filter);
  }
  reader.About("rescale_factor", 1.0 / 255);
  ReadColours(reader, json, "image_mean", processor.norm.mean);
  ReadColours(reader, json, "image_std", processor.norm.stddev);
  if (wants.side > 0) CheckSize(reader, json, wants.side);
  if (wants.patch_size > 0) {
    reader.Exactly("patch_size", wants.patch_size);
    reader.Harmless({"max_num_patches"});  // reward.grounding_max_patches says it
  }
  if (wants.image_tokens > 0) reader.Exactly("image_seq_length", wants.image_tokens);
  reader.Harmless(HarmlessOfProcessors());
  reader.RefuseUnknown();
  if (const absl::Status status = processor.norm.Validate(); !status.ok())
    reader.Problem("image_mean and image_std", std::string(status.message()));
  if (const absl::Status status = reader.status(); !status.ok()) return absl::DataLossError(status.message());
  return processor;
}

}  // namespace

std::string ImageProcessor::Digest() const {
  return absl::StrCat(static_cast<int>(filter), "/", absl::StrJoin(norm.mean, ","), "/",
                      absl::StrJoin(norm.stddev, ","));
}

absl::StatusOr<ImageProcessor> ReadImageProcessor(const std::string& folder, const ProcessorWants& wants,
                                                  const ImageProcessor& otherwise) {
  const std::string path = JoinPath(folder, "preprocessor_config.json");
  const absl::StatusOr<nlohmann::json> json = ReadJsonObject(path);
  if (json.ok()) return ReadSettings(*json, path, wants, otherwise);
  if (!absl::IsNotFound(json.status())) return absl::DataLossError(json.status().message());
  const std::string newer = JoinPath(folder, "processor_config.json");
  const absl::StatusOr<nlohmann::json> both = ReadJsonObject(newer);
  if (absl::IsNotFound(both.status())) return otherwise;
  if (!both.ok()) return absl::DataLossError(both.status().message());
  const auto section = both->find("image_processor");
  if (section == both->end() || section->is_null()) return otherwise;
  const std::string where = newer + ": image_processor";
  if (!section->is_object()) return absl::DataLossError(where + " is not an object");
  return ReadSettings(*section, where, wants, otherwise);
}

}  // namespace lvrpo
