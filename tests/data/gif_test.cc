#include "data/image/gif.h"

#include <gif_lib.h>

#include "common/random.h"
#include "data/image/image_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/data/image_bytes.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Colours by their red, green and blue as one letter each.
const std::vector<GifColorType> kGlobal = {{10, 11, 12}, {20, 21, 22}, {30, 31, 32}, {40, 41, 42}};
const std::vector<GifColorType> kLocal = {{50, 51, 52}, {60, 61, 62}};

struct Picture {
  int left = 0, top = 0, width = 0, height = 0;
  std::string pixels;  // a digit a pixel: number of its colour
  bool interlaced = false;
  int transparent = -1;
  std::vector<GifColorType> palette = {};  // of its own
};

// A GIF made by giflib.
std::string Gif(int width, int height, const std::vector<GifColorType>& palette,
                const std::vector<Picture>& pictures) {
  std::string bytes;
  int error = 0;
  GifFileType* gif = EGifOpen(
      &bytes,
      [](GifFileType* file, const GifByteType* data, int size) {
        static_cast<std::string*>(file->UserData)->append(reinterpret_cast<const char*>(data), size);
        return size;
      },
      &error);
  EGifSetGifVersion(gif, true);
  const auto map = [](const std::vector<GifColorType>& colours) {
    return colours.empty() ? nullptr : GifMakeMapObject(static_cast<int>(colours.size()), colours.data());
  };
  ColorMapObject* global = map(palette);
  EXPECT_EQ(EGifPutScreenDesc(gif, width, height, 8, 0, global), GIF_OK);
  for (const Picture& picture : pictures) {
    if (picture.transparent >= 0) {
      const GifByteType control[] = {1, 0, 0, static_cast<GifByteType>(picture.transparent)};
      EXPECT_EQ(EGifPutExtension(gif, GRAPHICS_EXT_FUNC_CODE, 4, control), GIF_OK);
    }
    ColorMapObject* local = map(picture.palette);
    EXPECT_EQ(EGifPutImageDesc(gif, picture.left, picture.top, picture.width, picture.height,
                               picture.interlaced, local),
              GIF_OK);
    std::vector<int> rows;
    for (int y = 0; y < picture.height; ++y) rows.push_back(y);
    if (picture.interlaced) {
      std::stable_sort(rows.begin(), rows.end(), [](int a, int b) {
        const auto pass = [](int y) { return y % 8 == 0 ? 0 : y % 8 == 4 ? 1 : y % 4 == 2 ? 2 : 3; };
        return pass(a) < pass(b);
      });
    }
    for (const int y : rows) {
      std::vector<GifPixelType> row;
      for (int x = 0; x < picture.width; ++x) {
        row.push_back(
            static_cast<GifPixelType>(picture.pixels[static_cast<size_t>(y * picture.width + x)] - '0'));
      }
      EXPECT_EQ(EGifPutLine(gif, row.data(), picture.width), GIF_OK);
    }
    GifFreeMapObject(local);
  }
  GifFreeMapObject(global);
  EGifCloseFile(gif, &error);
  return bytes;
}

// The red of each pixel; '.' is transparent.
std::string Reds(const Raster& raster) {
  std::string text;
  for (size_t i = 0; i < raster.pixels.size(); i += static_cast<size_t>(raster.channels)) {
    if (raster.channels == 4 && raster.pixels[i + 3] == 0) {
      text += '.';
    } else {
      text += static_cast<char>('0' + raster.pixels[i] / 10);
    }
  }
  return text;
}

TEST(Gif, ReadsTheFirstPicture) {
  std::vector<GifColorType> eight = kGlobal;
  eight.resize(8, {70, 70, 70});
  const std::string tall =
      "0123"
      "1230"
      "2301"
      "3012"
      "0012"
      "1123"
      "2230"
      "3301"
      "0321";
  const struct {
    const char* name;
    std::string file;
    ImageSize size;
    std::string reds;
  } cases[] = {
      {"still", Gif(3, 2, kGlobal, {{0, 0, 3, 2, "012321"}}), {3, 2}, "123432"},
      {"animated", Gif(2, 1, kGlobal, {{0, 0, 2, 1, "01"}, {0, 0, 2, 1, "33"}}), {2, 1}, "12"},
      {"transparent", Gif(2, 2, kGlobal, {{0, 0, 2, 2, "0210", false, 2}}), {2, 2}, "1.21"},
      {"on a part of its canvas", Gif(3, 3, kGlobal, {{1, 1, 2, 1, "23"}}), {3, 3}, "111134111"},
      {"the same, transparent", Gif(3, 3, kGlobal, {{1, 1, 2, 1, "23", false, 1}}), {3, 3}, "....34..."},
      {"beyond its canvas", Gif(1, 1, kGlobal, {{1, 0, 2, 2, "1213"}}), {3, 2}, "123124"},
      {"with a local palette", Gif(2, 1, kGlobal, {{0, 0, 2, 1, "01", false, -1, kLocal}}), {2, 1}, "56"},
      {"without a common palette", Gif(2, 1, {}, {{0, 0, 2, 1, "01", false, -1, kLocal}}), {2, 1}, "56"},
      {"interlaced",
       Gif(4, 9, kGlobal, {{0, 0, 4, 9, tall, true}}),
       {4, 9},
       "1234"
       "2341"
       "3412"
       "4123"
       "1123"
       "2234"
       "3341"
       "4412"
       "1432"},
      {"a second control block is not ours",
       Gif(1, 1, kGlobal, {{0, 0, 1, 1, "1"}, {0, 0, 1, 1, "1", false, 1}}),
       {1, 1},
       "2"},
  };
  for (const auto& test : cases) {
    const auto raster = DecodeRaster(test.file);
    ASSERT_TRUE(raster.ok()) << test.name << ": " << raster.status();
    EXPECT_EQ((ImageSize{raster->width, raster->height}), test.size) << test.name;
    EXPECT_EQ(Reds(*raster), test.reds) << test.name;
  }
  const Raster colours = *DecodeGif(Gif(1, 1, kGlobal, {{0, 0, 1, 1, "2"}}));
  EXPECT_THAT(colours.pixels, ElementsAre(30, 31, 32));
}

TEST(Gif, TransparencyGoesAsTold) {
  const std::string file = Gif(2, 1, kGlobal, {{0, 0, 2, 1, "13", false, 3}});
  EXPECT_THAT(DecodeImage(file)->pixels, ElementsAre(20, 21, 22, 255, 255, 255));
  EXPECT_THAT(DecodeImage(file, {.alpha = AlphaPolicy::kDrop})->pixels, ElementsAre(20, 21, 22, 40, 41, 42));
}

// Numbers of colours without any palette are gray; those that a palette lacks are black.
TEST(Gif, ReadsOddPalettes) {
  std::string file = Gif(2, 1, kGlobal, {{0, 0, 2, 1, "12"}});
  file[10] = static_cast<char>(file[10] & 0x7f);
  file.erase(13, 12);  // the palette
  EXPECT_THAT(DecodeGif(file)->pixels, ElementsAre(1, 1, 1, 2, 2, 2));
  file = Gif(2, 1, kGlobal, {{0, 0, 2, 1, "13"}});
  file[10] = static_cast<char>(file[10] & 0xf8);  // of two colours instead of four
  file.erase(13 + 6, 6);
  EXPECT_THAT(DecodeGif(file)->pixels, ElementsAre(20, 21, 22, 0, 0, 0));
}

TEST(Gif, WhatFollowsThePictureIsNoMatter) {
  const std::string file = Gif(4, 1, kGlobal, {{0, 0, 4, 1, "0123"}});
  for (const std::string& other :
       {file + "trailing bytes", file.substr(0, file.size() - 1), file.substr(0, file.size() - 2),
        file.substr(0, file.size() - 1) + "!!!"}) {
    const auto raster = DecodeGif(other);
    ASSERT_TRUE(raster.ok()) << raster.status();
    EXPECT_EQ(Reds(*raster), "1234");
  }
}

TEST(Gif, SaysWhatIsWrong) {
  const std::string file = Gif(4, 4, kGlobal, {{0, 0, 4, 4, "0123012301230123"}});
  const auto error = [](const std::string& bytes, const ImageLimits& limits = {}) {
    const auto raster = DecodeRaster(bytes, limits);
    EXPECT_TRUE(absl::IsInvalidArgument(raster.status())) << raster.status();
    return std::string(raster.status().message());
  };
  for (size_t size = 6; size + 3 < file.size(); ++size) {
    EXPECT_THAT(error(file.substr(0, size)), HasSubstr("it ends within its first picture")) << size;
  }
  EXPECT_THAT(error(Gif(4, 4, kGlobal, {})), HasSubstr("without a picture"));
  std::string huge = file;
  huge.replace(6, 4, "\xff\xff\xff\xff");
  EXPECT_THAT(error(huge), HasSubstr("a GIF of 65535x65535 pixels; the limit is 67108864"));
  EXPECT_THAT(error(file, {.max_file_bytes = 20}), HasSubstr("the limit is 20"));
  EXPECT_THAT(error(file, {.max_side = 3}), HasSubstr("a GIF of 4x4 pixels"));
}

TEST(Gif, SurvivesDamage) {
  std::string pixels;
  Random random(5);
  for (int i = 0; i < 20 * 20; ++i) pixels += static_cast<char>('0' + random.Below(4));
  const std::string files[] = {Gif(22, 22, kGlobal, {{1, 1, 20, 20, pixels, true, 2, kGlobal}}),
                               Gif(20, 20, kGlobal, {{0, 0, 20, 20, pixels}, {0, 0, 20, 20, pixels}})};
  testing::internal::CaptureStderr();
  for (const std::string& file : files) {
    for (int i = 0; i < 2000; ++i) {
      std::string damaged = file;
      for (int changes = 1 + random.Below(4); changes > 0; --changes) {
        damaged[static_cast<size_t>(random.Below(static_cast<int>(file.size())))] =
            static_cast<char>(random.Next());
      }
      const auto raster = DecodeRaster(damaged, {.max_pixels = 1 << 20});
      EXPECT_TRUE(raster.ok() || absl::IsInvalidArgument(raster.status())) << raster.status();
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace lvrpo
