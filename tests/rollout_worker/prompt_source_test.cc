#include "policy/prompt_source.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "data/image/png.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/kernels/cpu_product.h"
#include "nlohmann/json.hpp"
#include "policy/contract.h"
#include "tests/data/image_bytes.h"
#include "tests/rollout_worker/world.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(PromptSource, MixesBothTasksAndNamesBadFiles) {
  World& world = TheWorld();
  int texts = 0;
  for (int64_t ordinal = 0; ordinal < 100; ++ordinal)
    texts += world.prompts.At(ordinal).record.task() == v1::TASK_KIND_TEXT;
  EXPECT_EQ(texts, 50);
  v1::RunConfig config = world.config;
  config.mutable_data()->set_image_prompts(0, config.data().text_prompts(0));
  const auto wrong = PromptSource::Load(config, *world.tokenizer, world.base.config());
  EXPECT_TRUE(absl::IsInvalidArgument(wrong.status()));
  EXPECT_THAT(std::string(wrong.status().message()), HasSubstr("train_text.jsonl"));
}

TEST(PromptSource, TurnsPhotographsUprightUnlessTold) {
  World& world = TheWorld();
  const TemporaryFolder folder;
  RgbImage image{64, 32, std::vector<uint8_t>(64 * 32 * 3, 255)};
  image.pixels[0] = 0;
  ASSERT_TRUE(WriteFileAtomic(folder / "a.png", WithOrientation(*EncodePng(image), 6)).ok());
  const std::string record =
      R"({"id": "1", "task": "TASK_KIND_TEXT", "text": "what", "source_image": "a.png", "answer": "red"})";
  v1::PromptRecord text = world.prompts.At(0).record;
  for (int64_t ordinal = 0; text.task() != v1::TASK_KIND_TEXT; ++ordinal)
    text = world.prompts.At(ordinal).record;
  nlohmann::json json = nlohmann::json::parse(record);
  json["text"] = text.text();
  json["answer"] = text.answer();
  ASSERT_TRUE(WriteFileAtomic(folder / "photos.jsonl", json.dump() + "\n").ok());
  v1::RunConfig config = world.config;
  config.mutable_data()->clear_image_prompts();
  config.mutable_data()->set_text_fraction(1);
  config.mutable_data()->set_text_prompts(0, folder / "photos.jsonl");
  const auto load = [&] { return PromptSource::Load(config, *world.tokenizer, world.base.config()); };
  const auto upright = load();
  ASSERT_TRUE(upright.ok()) << upright.status();
  EXPECT_EQ(upright->At(0).source_image.width, 32);
  EXPECT_EQ(upright->At(0).source_image.pixels[31 * 3], 0) << "what was left above is right above";
  config.mutable_data()->set_exif_orientation(false);
  EXPECT_EQ(load()->At(0).source_image.pixels, image.pixels);
}

TEST(PromptSource, RefusesASourceImageThatTheModelCannotTake) {
  World& world = TheWorld();
  BagelConfig small = world.base.config();
  small.vit_max_side = 4;
  const auto refused = PromptSource::Load(world.config, *world.tokenizer, small);
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status()));
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("64x64 pixels; sides must be multiples of 8 up to 32"));
}

TEST(PromptSource, NamesEveryRecordThatCannotBeAskedOrScored) {
  World& world = TheWorld();
  const TemporaryFolder folder;
  const std::string image_file = folder / "image.jsonl", text_file = folder / "text.jsonl";
  ASSERT_TRUE(WriteFileAtomic(image_file,
                              R"({"id":"a","task":"TASK_KIND_IMAGE","text":"a red circle"}
{"id":"b","task":"TASK_KIND_IMAGE","text":"a zeppelin"}
{"id":"c","task":"TASK_KIND_TEXT","text":"what color is the heart ?","source_image":"a.png","answer":"red"}
{"id":"d","task":"TASK_KIND_IMAGE","text":"a red circle","rules":[{"regex":{"pattern":"x"}}]}
{"id":"e","task":"TASK_KIND_IMAGE","text":"a red circle",
{"id":"f","task":"TASK_KIND_IMAGE","text":"a red circle","constraints":{"objects":[{"shape":"circle","count":9}]}}
{"id":"i","task":"TASK_KIND_IMAGE","text":"a red circle","key_phrases":["a zeppelin"]}
{"id":"j","task":"TASK_KIND_IMAGE","text":"a red circle","questions":[{"text":"is there a zeppelin ?","answer":"yes","choices":["yes","no"]}]}
{"id":"k","task":"TASK_KIND_IMAGE","text":"a red circle","questions":[{"text":"is there a circle ?","answer":"yes","choices":["yes","zeppelin"]}]}
{"id":"l","task":"TASK_KIND_IMAGE","text":"a red circle","questions":[{"text":"is there a circle ?","answer":"maybe","choices":["yes","no"]}]}
{"id":"m","task":"TASK_KIND_IMAGE","text":"a red circle","questions":[{"text":"is there a circle ?","answer":"yes","choices":["yes"]}]}
)")
                  .ok());
  ASSERT_TRUE(
      WriteFileAtomic(
          text_file,
          R"({"id":"g","task":"TASK_KIND_TEXT","text":"what color is the heart ?","source_image":"none.png","answer":"red"}
{"id":"h","task":"TASK_KIND_TEXT","text":"what color is the heart ?","source_image":"text.jsonl","answer":"red"}
)")
          .ok());
  v1::RunConfig config = world.config;
  config.mutable_data()->set_image_prompts(0, image_file);
  config.mutable_data()->set_text_prompts(0, text_file);
  const absl::Status refused = PromptSource::Load(config, *world.tokenizer, world.base.config()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  const std::vector<std::string> lines = absl::StrSplit(refused.message(), '\n');
  EXPECT_THAT(
      lines,
      ElementsAre(AllOf(HasSubstr("image.jsonl:2: prompt 'b'"), HasSubstr("zeppelin")),
                  HasSubstr("image.jsonl:3: prompt 'c' is a TASK_KIND_TEXT; this file is listed for"),
                  AllOf(HasSubstr("image.jsonl:4: prompt 'd'"), HasSubstr("about texts")),
                  HasSubstr("image.jsonl:5: not a prompt record"),
                  AllOf(HasSubstr("image.jsonl:6: prompt 'f' can never be scored"), HasSubstr("9 objects")),
                  AllOf(HasSubstr("image.jsonl:7: prompt 'i' can never be scored"), HasSubstr("zeppelin")),
                  AllOf(HasSubstr("image.jsonl:8: prompt 'j' can never be scored"), HasSubstr("zeppelin")),
                  AllOf(HasSubstr("image.jsonl:9: prompt 'k' can never be scored"), HasSubstr("zeppelin")),
                  AllOf(HasSubstr("image.jsonl:10: prompt 'l'"), HasSubstr("'maybe' is none of its choices")),
                  AllOf(HasSubstr("image.jsonl:11: prompt 'm'"), HasSubstr("with one choice")),
                  AllOf(HasSubstr("text.jsonl:1: prompt 'g'"), HasSubstr("none.png")),
                  AllOf(HasSubstr("text.jsonl:2: prompt 'h'"), HasSubstr("not a PNG"))));
}

// An image prompt whose constraints are `constraints`.
std::string Sized(const std::string& id, const std::string& constraints) {
  return absl::StrCat(R"({"id":")", id, R"(","task":"TASK_KIND_IMAGE","text":"a red circle","constraints":)",
                      constraints, "}\n");
}

TEST(PromptSource, ImagesHaveThePromptsSizeOrTheRuns) {
  World& world = TheWorld();
  const TemporaryFolder folder;
  v1::RunConfig config = world.config;
  config.mutable_data()->clear_text_prompts();
  config.mutable_data()->set_text_fraction(0);
  config.mutable_data()->set_image_prompts(0, folder / "images.jsonl");
  const auto load = [&](const std::string& lines) {
    EXPECT_TRUE(WriteFileAtomic(folder / "images.jsonl", lines).ok());
    return PromptSource::Load(config, *world.tokenizer, world.base.config());
  };
  using Grids = std::map<std::string, LatentGrid>;
  const auto grids = [](const PromptSource& prompts) {
    Grids found;
    for (int64_t ordinal = 0; ordinal < 100; ++ordinal)
      found[prompts.At(ordinal).record.id()] = prompts.At(ordinal).grid;
    return found;
  };
  const std::string lines =
      Sized("run", "{}") + Sized("wide", R"({"width":64})") + Sized("own", R"({"width":32,"height":48})");
  const auto usual = load(lines);
  ASSERT_TRUE(usual.ok()) << usual.status();
  EXPECT_EQ(grids(*usual), (Grids{{"run", {4, 4}}, {"wide", {4, 4}}, {"own", {3, 2}}}));
  EXPECT_EQ(usual->MostLatentTokens(), 16);
  config.mutable_rollout()->set_image_size(16);
  const auto small = load(lines);
  ASSERT_TRUE(small.ok()) << small.status();
  EXPECT_EQ(grids(*small), (Grids{{"run", {1, 1}}, {"wide", {1, 4}}, {"own", {3, 2}}}));
  EXPECT_EQ(small->MostLatentTokens(), 6);

  // Sizes that the policy cannot generate are named with their lines.
  const absl::Status refused = load(Sized("a", R"({"width":40})") + Sized("b", "{}") +
                                    Sized("c", R"({"height":80})") + Sized("d", R"({"width":-16})"))
                                   .status();
  const std::vector<std::string> errors = absl::StrSplit(refused.message(), '\n');
  EXPECT_THAT(errors,
              ElementsAre(AllOf(HasSubstr("images.jsonl:1: prompt 'a' asks for images of 40x16 pixels"),
                                HasSubstr("multiples of 16 up to 64")),
                          HasSubstr("images.jsonl:3: prompt 'c' asks for images of 16x80 pixels"),
                          HasSubstr("images.jsonl:4: prompt 'd' asks for an image of -16x0 pixels")));
  // The run's own size is one sentence, whatever the file holds.
  config.mutable_rollout()->set_image_size(100);
  EXPECT_EQ(
      std::string(load(lines).status().message()),
      "rollout.image_size: images of 100x100 pixels: this model generates sides that are multiples of 16 up "
      "to 64");
}

TEST(PromptSource, RefusesATextThatTheModelCannotTake) {
  World& world = TheWorld();
  BagelConfig small = world.base.config();
  small.max_positions = 24;  // of which the latents and the marks take 20
  const auto refused = PromptSource::Load(world.config, *world.tokenizer, small);
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status()));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("the model's longest is 24"));
}

TEST(WorkContract, NamesTheProcessorsProductWhereRunsPromiseTheSameBits) {
  World& world = TheWorld();
  v1::RunConfig config = world.config;
  config.mutable_train()->set_max_staleness(0);
  const auto strict = WorkContract(config, world.base, *world.tokenizer);
  config.mutable_train()->set_max_staleness(1);
  const auto loose = WorkContract(config, world.base, *world.tokenizer);
  EXPECT_EQ(strict.size(), loose.size() + 1);
  for (const auto& [key, value] : strict) {
    if (loose.contains(key)) continue;
    EXPECT_THAT(key, HasSubstr("CPU product"));
    EXPECT_EQ(value, CpuProductName());
    EXPECT_THAT(value, ::testing::MatchesRegex("(own|torch)/(avx512|avx2|generic)/.+"));
  }
}

}  // namespace
}  // namespace lvrpo
