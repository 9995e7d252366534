// generate, ask, edit and watermark as a user calls them, on the embedded default's weights.

#include <cstdio>
#include <cstdlib>
#include <set>

#include "common/files/file.h"
#include "data/image/image_file.h"
#include "data/image/png.h"
#include "data/image/png_text.h"
#include "data/transforms/watermark.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/data/image_bytes.h"
#include "tests/testing/encoded_images.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

const std::string kAssets = std::string(LVRPO_SOURCE_DIR) + "/assets/shapes/";
const std::string kModel = kAssets + "policy";

struct Outcome {
  int code = -1;
  std::string output;  // stdout and stderr together
};

Outcome Call(const std::string& arguments) {
  Outcome outcome;
  FILE* pipe = popen((std::string(LVRPO_BIN_DIR) + "/lvrpo-model " + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return outcome;
  char buffer[4096];
  while (const size_t read = fread(buffer, 1, sizeof buffer, pipe)) outcome.output.append(buffer, read);
  outcome.code = WEXITSTATUS(pclose(pipe));
  return outcome;
}

TEST(Generate, WritesImagesThatSayHowTheyWereMade) {
  const TemporaryFolder folder;
  const std::string command = "generate --model " + kModel +
                              " --prompt 'a red circle' -n 3 --steps 5 --seed 4 --watermark 90210 --out " +
                              folder.path();
  const Outcome outcome = Call(command);
  ASSERT_EQ(outcome.code, 0) << outcome.output;
  const std::string first = *ReadFile(folder / "0000.png");
  const nlohmann::json about = nlohmann::json::parse(ReadPngText(first)->at("lvrpo"));
  EXPECT_EQ(about["prompt"], "a red circle");
  EXPECT_EQ(about["seed"], 4);
  EXPECT_EQ(about["steps"], 5);
  EXPECT_EQ(about["watermark"], 90210);
  EXPECT_EQ(ReadWatermark(*DecodeImage(first))->number, 90210u);
  EXPECT_EQ(ReadImage(folder / "grid.png")->width, 2 * 64 + 3 * 4);
  ASSERT_EQ(Call(command).code, 0);
  EXPECT_EQ(*ReadFile(folder / "0000.png"), first) << "the same settings give the same bytes";

  const Outcome marked = Call("watermark check " + folder / "0001.png");
  EXPECT_EQ(marked.code, 0);
  EXPECT_NE(marked.output.find("watermark 90210"), std::string::npos) << marked.output;
  const std::string jpeg = EncodeJpeg(*ReadImage(folder / "0001.png"), {.quality = 85});
  ASSERT_TRUE(WriteFileAtomic(folder / "mild.jpg", jpeg).ok());
  EXPECT_EQ(Call("watermark check " + folder / "mild.jpg").code, 0);
  EXPECT_EQ(Call("watermark check " + folder / "grid.png").code, 1);
}

TEST(Ask, AnswersAboutAnImage) {
  const TemporaryFolder folder;
  ASSERT_EQ(
      Call("generate --model " + kModel + " --prompt 'a red circle' --steps 15 --out " + folder.path()).code,
      0);
  const Outcome outcome = Call("ask --model " + kAssets + "vqa --image " + folder / "0000.png" +
                               " 'how many objects are there ?'");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_TRUE(
      std::set<std::string>({"zero\n", "one\n", "two\n", "three\n", "four\n"}).contains(outcome.output))
      << outcome.output;
}

TEST(Edit, GivesAnImageOfTheSourcesShape) {
  const TemporaryFolder folder;
  const RgbImage source{.width = 96, .height = 48, .pixels = std::vector<uint8_t>(96 * 48 * 3, 200)};
  ASSERT_TRUE(WritePng(folder / "source.png", source).ok());
  const Outcome outcome = Call("edit --model " + kModel + " --image " + folder / "source.png" +
                               " 'a red circle' --steps 4 --out " + folder.path());
  ASSERT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_EQ(ReadImage(folder / "0000.png")->width, 64);
  EXPECT_EQ(ReadImage(folder / "0000.png")->height, 32);
}

TEST(Edit, SeesPhotographsUprightUnlessTold) {
  const TemporaryFolder folder;
  const RgbImage source{.width = 96, .height = 48, .pixels = std::vector<uint8_t>(96 * 48 * 3, 200)};
  ASSERT_TRUE(WriteFileAtomic(folder / "photo.png", WithOrientation(*EncodePng(source), 8)).ok());
  for (const std::string flag : {"", " --as-stored"}) {
    const Outcome outcome = Call("edit --model " + kModel + " --image " + folder / "photo.png" +
                                 " 'a red circle' --steps 2 --out " + folder.path() + flag);
    ASSERT_EQ(outcome.code, 0) << outcome.output;
    EXPECT_EQ(ReadImage(folder / "0000.png")->width, flag.empty() ? 32 : 64);
    EXPECT_EQ(ReadImage(folder / "0000.png")->height, flag.empty() ? 64 : 32);
  }
}

TEST(Pictures, BadInputIsRefusedInASentence) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "cut.png", std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16)).ok());
  std::string long_prompt = "a";
  while (long_prompt.size() < 90000) long_prompt += " a";
  const std::string paint = "generate --out " + folder.path() + " --model ";
  const struct {
    std::string arguments, want;
    int code;
  } cases[] = {
      {paint + folder / "nothing" + " --prompt x", "nothing", 65},
      {paint + kAssets + "referee --prompt x", "referee", 65},
      {paint + kModel + " --prompt ''", "empty", 2},
      {paint + kModel + " --prompt 'a zebra'", "zebra", 65},
      {paint + kModel + " --prompt '" + long_prompt + "'", "shorten the prompt", 65},
      {paint + kModel + " --prompt 'a red circle' --width 60", "multiples", 65},
      {paint + kModel + " --prompt 'a red circle' --width 4096", "multiples", 65},
      {paint + kModel + " --prompt 'a red circle' --watermark -3", "--watermark", 65},
      {paint + kModel + " --prompt 'a red circle' --steps 1", "--steps", 2},
      {paint + kModel, "--prompt", 2},
      {"ask --model " + kModel + " --image " + folder / "cut.png" + " 'what'", "cut.png", 65},
      {"ask --model " + kModel + " --image " + folder / "none.png" + " 'what'", "none.png", 65},
      {"ask --model " + kModel + " --max-tokens 1000000 'a'", "shorten the prompt", 65},
      {"watermark check " + folder / "none.png", "none.png", 65},
      {"watermark", "subcommand", 2},
  };
  for (const auto& [arguments, want, code] : cases) {
    const Outcome outcome = Call(arguments);
    EXPECT_EQ(outcome.code, code) << arguments.substr(0, 200) << "\n" << outcome.output;
    EXPECT_NE(outcome.output.find(want), std::string::npos) << arguments.substr(0, 200) << "\n"
                                                            << outcome.output;
  }
}

}  // namespace
}  // namespace lvrpo
