// The settings of published image processors: each is used, known to change nothing, or refused.
#include "reward_server/scorers/image_processor.h"

#include <set>

#include "common/files/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "reward_server/scorers/fixed_pixels.h"
#include "reward_server/scorers/referee_view.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const ProcessorWants kFixed = {.types = {"SiglipImageProcessor", "SiglipImageProcessorFast"}, .side = 224};
const ProcessorWants kNaflex = {.types = {"Siglip2ImageProcessor"}, .patch_size = 16};
const ProcessorWants kPali = {.types = {"SiglipImageProcessor"}, .side = 224, .image_tokens = 256};
const ProcessorWants kOwl = {.types = {"Owlv2ImageProcessor"}, .side = 960, .pads = true};

struct Published {
  const char* name;
  const ProcessorWants* wants;
  std::string text;
  std::set<std::string> changes_nothing;
};

const Published kPublished[] = {
    {"SigLIP 2",
     &kFixed,
     R"({"do_convert_rgb": null, "do_normalize": true, "do_rescale": true, "do_resize": true,
         "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "SiglipImageProcessor",
         "image_std": [0.5, 0.5, 0.5], "processor_class": "SiglipProcessor", "resample": 2,
         "rescale_factor": 0.00392156862745098, "size": {"height": 224, "width": 224}})",
     {"do_convert_rgb", "processor_class"}},
    {"SigLIP 2 by transformers 5",
     &kFixed,
     R"({"crop_size": null, "data_format": "channels_first", "device": null, "disable_grouping": null,
         "do_center_crop": null, "do_convert_rgb": null, "do_normalize": true, "do_pad": null,
         "do_rescale": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5],
         "image_processor_type": "SiglipImageProcessorFast", "image_std": [0.5, 0.5, 0.5],
         "input_data_format": null, "resample": 2, "rescale_factor": 0.00392156862745098,
         "return_tensors": null, "size": {"height": 224, "width": 224}})",
     {"crop_size", "data_format", "device", "disable_grouping", "do_convert_rgb", "input_data_format",
      "return_tensors"}},
    {"NaFlex",
     &kNaflex,
     R"({"do_convert_rgb": null, "do_normalize": true, "do_rescale": true, "do_resize": true,
         "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "Siglip2ImageProcessor",
         "image_std": [0.5, 0.5, 0.5], "max_num_patches": 256, "patch_size": 16,
         "processor_class": "Siglip2Processor", "resample": 2, "rescale_factor": 0.00392156862745098})",
     {"do_convert_rgb", "max_num_patches", "processor_class"}},
    {"PaliGemma",
     &kPali,
     R"({"do_convert_rgb": null, "do_normalize": true, "do_rescale": true, "do_resize": true,
         "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "SiglipImageProcessor",
         "image_seq_length": 256, "image_std": [0.5, 0.5, 0.5], "processor_class": "PaliGemmaProcessor",
         "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"height": 224, "width": 224},
         "_valid_processor_keys": ["images", "size"]})",
     {"do_convert_rgb", "processor_class", "_valid_processor_keys"}},
    {"OWLv2",
     &kOwl,
     R"({"do_normalize": true, "do_pad": true, "do_rescale": true, "do_resize": true,
         "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "Owlv2ImageProcessor",
         "image_std": [0.26862954, 0.26130258, 0.27577711], "processor_class": "Owlv2Processor", "resample": 2,
         "rescale_factor": 0.00392156862745098, "size": {"height": 960, "width": 960}})",
     {"processor_class", "resample"}},
};

class Folder {
 public:
  absl::StatusOr<std::string> Read(const ProcessorWants& wants, const nlohmann::json& json,
                                   const std::string& file = "preprocessor_config.json") const {
    EXPECT_TRUE(WriteFileAtomic(folder_ / file, json.dump()).ok());
    const absl::StatusOr<ImageProcessor> processor = ReadImageProcessor(folder_.path(), wants, {});
    if (!processor.ok()) return processor.status();
    return processor->Digest();
  }
  std::string path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};

nlohmann::json Other(const nlohmann::json& value) {
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_number_integer()) return value == 1 ? 2 : 1;
  if (value.is_number()) return value.get<double>() * 2;
  if (value.is_string()) return value.get<std::string>() + "x";
  if (value.is_array()) {
    nlohmann::json other = value;
    other[1] = value[1].is_number() ? nlohmann::json(.25) : nlohmann::json("x");
    return other;
  }
  if (value.is_object()) {
    nlohmann::json other = value;
    other["width"] = 100;
    return other;
  }
  return true;
}

TEST(ImageProcessor, EachSettingIsUsedOrHarmlessOrRefused) {
  const Folder folder;
  for (const Published& published : kPublished) {
    const nlohmann::json whole = nlohmann::json::parse(published.text);
    const auto digest = folder.Read(*published.wants, whole);
    ASSERT_TRUE(digest.ok()) << published.name << ": " << digest.status();
    for (const auto& [key, value] : whole.items()) {
      nlohmann::json changed = whole;
      changed[key] = Other(value);
      const auto other = folder.Read(*published.wants, changed);
      if (published.changes_nothing.contains(key)) {
        EXPECT_EQ(other, digest) << published.name << ": " << key;
      } else if (other.ok()) {
        EXPECT_NE(*other, *digest) << published.name << ": " << key << " is taken in silence";
      } else {
        EXPECT_TRUE(absl::IsDataLoss(other.status())) << other.status();
        EXPECT_THAT(std::string(other.status().message()),
                    AllOf(HasSubstr("preprocessor_config.json"), HasSubstr(key)));
      }
    }
    nlohmann::json more = whole;
    more["do_sharpen"] = true;
    EXPECT_THAT(std::string(folder.Read(*published.wants, more).status().message()),
                HasSubstr("do_sharpen is true and not known"));
  }
}

TEST(ImageProcessor, RefusesWhatMakesOtherPixels) {
  const struct {
    const char* text;
    const char* words;
  } cases[] = {
      {R"({"do_resize": false})", "do_resize is false"},
      {R"({"do_rescale": false})", "do_rescale is false"},
      {R"({"do_normalize": false})", "do_normalize is false"},
      {R"({"do_center_crop": true})", "do_center_crop is true"},
      {R"({"do_pad": true})", "do_pad is true"},
      {R"({"rescale_factor": 1})", "rescale_factor is 1"},
      {R"({"size": {"height": 384, "width": 384}})", "size.height is 384; supported: 224"},
      {R"({"size": {"shortest_edge": 224}})", "size.height is missing"},
      {R"({"size": 256})", "size is 256; supported: 224"},
      {R"({"image_mean": [0.5, 0.5]})", "image_mean is [0.5,0.5], want a list of three numbers"},
      {R"({"image_mean": 0.5})", "want a list of three numbers"},
      {R"({"image_std": [0.5, 0, 0.5]})", "image_std"},
      {R"({"resample": null})", "resample is null, which is no value"},
      {R"({"do_resize": null})", "do_resize is null"},
      {R"({"do_rescale": null})", "do_rescale is null"},
      {R"({"do_normalize": null})", "do_normalize is null"},
      {R"({"rescale_factor": null})", "rescale_factor is null"},
      {R"({"size": null})", "size is null"},
      {R"({"size": {"height": null, "width": 224}})", "size.height is null"},
      {R"({"resample": 9})", "resample is not supported"},
      {R"({"resample": "bicubic"})", "resample is \"bicubic\", want a whole number"},
      {R"({"image_processor_type": "CLIPImageProcessor"})", "image_processor_type is \"CLIPImageProcessor\""},
      {"[]", "is not a JSON object"},
  };
  const Folder folder;
  for (const auto& test : cases) {
    const auto read = folder.Read(kFixed, nlohmann::json::parse(test.text));
    EXPECT_TRUE(absl::IsDataLoss(read.status())) << test.text;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(test.words));
  }
  EXPECT_TRUE(folder.Read(kFixed, {{"size", 224}}).ok());
  for (const char* key : {"image_mean", "image_std", "do_pad", "do_center_crop", "image_processor_type"})
    EXPECT_TRUE(folder.Read(kFixed, {{key, nullptr}}).ok()) << key << ": null is its default, or off";
}

TEST(ImageProcessor, IsFoundWhereTransformers5PutsIt) {
  const Folder folder;
  const std::string usual = ImageProcessor().Digest();
  EXPECT_EQ(ReadImageProcessor(folder.path(), kFixed, {})->Digest(), usual) << "no file";
  const auto section = [&](const nlohmann::json& json) {
    return folder.Read(kFixed, {{"image_processor", json}, {"processor_class", "SiglipProcessor"}},
                       "processor_config.json");
  };
  EXPECT_EQ(*section(nullptr), usual);
  EXPECT_NE(*section({{"resample", 3}}), usual);
  EXPECT_THAT(std::string(section({{"do_resize", false}}).status().message()),
              HasSubstr("processor_config.json: image_processor: do_resize"));
  // The older file wins.
  EXPECT_EQ(*folder.Read(kFixed, {{"resample", 2}}), usual);
}

TEST(ImageProcessor, MeanAndDeviationMakeThePixels) {
  const RgbImage grey = {2, 2, std::vector<uint8_t>(12, 51)};  // .2 of 255
  for (const int side : {2, 4}) {                              // as it is, and resized
    const auto pixels = FixedPixels({grey}, side, {.norm = {.mean = {.1f, .2f, .4f}, .stddev = {.5f, 1, 2}}});
    ASSERT_TRUE(pixels.ok()) << pixels.status();
    const torch::Tensor expected = torch::tensor({.2, 0., -.1}).view({1, 3, 1, 1}).expand({1, 3, side, side});
    EXPECT_TRUE(Close(*pixels, expected.to(torch::kFloat32), 1e-6));
  }
}

TEST(RefereeView, IsAnotherOneWithAnotherProcessorOrAnotherSetting) {
  const TemporaryFolder folder;
  const Siglip model = TinySiglip();
  ASSERT_TRUE(SaveTensors(folder / "model.safetensors", model.tensors()).ok());
  std::set<std::string> digests;
  const auto add = [&](const nlohmann::json& config, const nlohmann::json& processor) {
    EXPECT_TRUE(WriteFileAtomic(folder / "config.json", config.dump()).ok());
    EXPECT_TRUE(WriteFileAtomic(folder / "preprocessor_config.json", processor.dump()).ok());
    const auto view = RefereeView::Load(folder.path(), 16);
    ASSERT_TRUE(view.ok()) << view.status();
    digests.insert(view->Digest());
  };
  const nlohmann::json config = model.config().ToJson(), usual = {{"resample", 2}};
  add(config, usual);
  add(config, {{"resample", 3}});
  add(config, {{"resample", 2}, {"image_mean", {.4, .5, .5}}});
  add(config, {{"resample", 2}, {"image_std", {.4, .5, .5}}});
  nlohmann::json other = config;
  other["vision_config"]["hidden_act"] = "quick_gelu";
  add(other, usual);
  other = config;
  other["text_config"]["layer_norm_eps"] = 1e-3;
  add(other, usual);
  EXPECT_EQ(digests.size(), 6u);
}

}  // namespace
}  // namespace lvrpo
