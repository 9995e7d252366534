#include <webp/encode.h>

#include <cstdlib>
#include <filesystem>
#include <functional>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "data/image/image_file.h"
#include "data/image/png.h"
#include "data/image/png_text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/data/image_bytes.h"
#include "tests/data/sample_images.h"
#include "tests/testing/encoded_images.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string WebpWithAlpha(int width, int height) {
  const std::vector<uint8_t> pixels = ScatteredBytes(width, height, 4);
  uint8_t* bytes = nullptr;
  const size_t size = WebPEncodeLosslessRGBA(pixels.data(), width, height, width * 4, &bytes);
  const std::string result(reinterpret_cast<char*>(bytes), size);
  WebPFree(bytes);
  return result;
}

std::string ErrorOf(absl::string_view bytes, const ImageLimits& limits = {}) {
  const auto raster = DecodeRaster(bytes, limits);
  if (raster.ok()) return "";
  EXPECT_TRUE(absl::IsInvalidArgument(raster.status())) << raster.status();
  return std::string(raster.status().message());
}

TEST(ImageFile, RecognisesFormatsByTheirBytes) {
  const RgbImage image = ScatteredImage(9, 5);
  EXPECT_EQ(*RecognizeImage(*EncodePng(image)), ImageFormat::kPng);
  EXPECT_EQ(*RecognizeImage(EncodeJpeg(image)), ImageFormat::kJpeg);
  EXPECT_EQ(*RecognizeImage(EncodeWebp(image)), ImageFormat::kWebp);
  for (const std::string& bytes : {std::string("G"), std::string("GIF88a"), std::string("RIFF1234WAVE"),
                                   std::string("\x89PNG"), std::string("\xff\xd8")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(RecognizeImage(bytes).status()));
    EXPECT_EQ(ErrorOf(bytes), "not a PNG, JPEG, WebP or GIF file");
  }
}

TEST(Png, FastFilesHoldTheSamePixels) {
  const RgbImage image = ScatteredImage(31, 17);
  const absl::StatusOr<std::string> fast = EncodePng(image, {}, PngEffort::kFast);
  ASSERT_TRUE(fast.ok()) << fast.status();
  EXPECT_EQ(DecodePng(*fast)->pixels, image.pixels);
}

TEST(ImageFile, LosslessFormatsKeepEveryPixel) {
  for (const auto& [width, height] :
       {std::pair(1, 1), std::pair(17, 9), std::pair(3, 200), std::pair(128, 64)}) {
    const RgbImage image = ScatteredImage(width, height);
    for (const std::string& bytes : {*EncodePng(image), EncodeWebp(image)}) {
      const auto back = DecodeImage(bytes);
      ASSERT_TRUE(back.ok()) << back.status();
      EXPECT_EQ(back->width, width);
      EXPECT_EQ(back->height, height);
      EXPECT_EQ(back->pixels, image.pixels);
    }
  }
}

TEST(ImageFile, LossyFormatsComeNear) {
  const RgbImage image = NaturalImage(120, 77, 1);
  double before = 0;
  for (const int quality : {30, 60, 90, 100}) {
    const auto jpeg = DecodeImage(EncodeJpeg(image, {.quality = quality, .subsample_chroma = false}));
    ASSERT_TRUE(jpeg.ok()) << jpeg.status();
    EXPECT_GT(Psnr(*jpeg, image), before) << quality;
    before = Psnr(*jpeg, image);
  }
  EXPECT_GT(before, 40);
  EXPECT_GT(Psnr(*DecodeImage(EncodeJpeg(image)), image), 28);
  EXPECT_GT(Psnr(*DecodeImage(EncodeWebp(image, {.lossless = false, .quality = 90})), image), 28);
}

TEST(ImageFile, AlphaGoesAsTold) {
  // Two pixels of gray 100 and RGB (0, 100, 200), opacity 0 and 51.
  const Raster gray{2, 1, 2, {100, 0, 100, 51}}, colour{2, 1, 4, {0, 100, 200, 0, 0, 100, 200, 51}};
  EXPECT_THAT(ToRgb(gray, AlphaPolicy::kDrop).pixels, ElementsAre(100, 100, 100, 100, 100, 100));
  EXPECT_THAT(ToRgb(colour, AlphaPolicy::kDrop).pixels, ElementsAre(0, 100, 200, 0, 100, 200));
  EXPECT_THAT(ToRgb(gray, AlphaPolicy::kOnWhite).pixels, ElementsAre(255, 255, 255, 224, 224, 224));
  EXPECT_THAT(ToRgb(colour, AlphaPolicy::kOnWhite).pixels, ElementsAre(255, 255, 255, 204, 224, 244));
  const std::string webp = WebpWithAlpha(5, 4);
  EXPECT_EQ(DecodeRaster(webp)->channels, 4);
  EXPECT_EQ(DecodeImage(webp)->pixels, ToRgb(*DecodeRaster(webp), AlphaPolicy::kOnWhite).pixels);
}

TEST(ImageFile, ReadsFilesWhateverTheirName) {
  const TemporaryFolder folder;
  const std::string path = folder / "image.png";
  const RgbImage image = ScatteredImage(6, 6);
  ASSERT_TRUE(WriteFileAtomic(path, EncodeWebp(image)).ok());
  EXPECT_EQ(ReadImage(path)->pixels, image.pixels);
  EXPECT_THAT(
      std::string(ReadImage(path, {.alpha = {}, .limits = {.max_file_bytes = 10}}).status().message()),
      HasSubstr("the limit is 10"));
  ASSERT_TRUE(WriteFileAtomic(path, "no picture").ok());
  EXPECT_EQ(std::string(ReadImage(path).status().message()), path + ": not a PNG, JPEG, WebP or GIF file");
  std::filesystem::remove(path);
  EXPECT_TRUE(absl::IsNotFound(ReadImage(path).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadImage("/dev/zero").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadImage("/").status()));
}

// A file of some bytes that declares a picture of gigabytes is refused for its header.
TEST(ImageFile, ChecksSizesBeforeDecoding) {
  EXPECT_THAT(ErrorOf(Png(60000, 60000, 8, 2, "")),
              HasSubstr("a PNG of 60000x60000 pixels; the limit is 67108864"));
  EXPECT_THAT(ErrorOf(Png(70000, 1, 8, 2, "")), HasSubstr("the limit is 65535 a side"));
  EXPECT_THAT(ErrorOf(Png(0, 4, 8, 2, "")), HasSubstr("0x4 pixels is empty"));
  EXPECT_THAT(ErrorOf(Png(0x80000000u, 4, 8, 2, "")), HasSubstr("2147483648x4"));
  std::string jpeg = Jpeg(16, 16, {90, 90, 90}, JCS_RGB);
  const size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, Bytes({0xea, 0x60, 0xea, 0x60}));
  EXPECT_THAT(ErrorOf(jpeg), HasSubstr("a JPEG of 60000x60000 pixels; the limit is 67108864"));
  const ImageLimits small{.max_file_bytes = 1 << 20, .max_side = 100, .max_pixels = 200};
  for (const std::string& bytes : {*EncodePng(ScatteredImage(20, 20)), EncodeJpeg(ScatteredImage(20, 20)),
                                   EncodeWebp(ScatteredImage(20, 20))}) {
    EXPECT_THAT(ErrorOf(bytes, small), HasSubstr("20x20 pixels; the limit is 200 in all"));
    EXPECT_THAT(ErrorOf(bytes, {.max_file_bytes = 20}), HasSubstr("the limit is 20"));
    EXPECT_EQ(ErrorOf(bytes, {.max_side = 20, .max_pixels = 400}), "");
  }
}

// Cut anywhere, changed anywhere: a status, never a crash, and not a word on stderr.
TEST(ImageFile, SurvivesDamage) {
  const RgbImage image = NaturalImage(40, 24, 3);
  const std::string texts =
      *EncodePng(ScatteredImage(8, 8), {{"Comment", "plain"}, {"Title", "caf\xc3\xa9"}});
  const std::string files[] = {
      *EncodePng(image),
      texts,
      Png(3, 3, 4, 3, std::string(9, '\1'), Chunk("PLTE", Bytes({1, 2, 3, 4, 5, 6})), true),
      EncodeJpeg(image),
      Jpeg(33, 17, {90, 90, 90}, JCS_RGB, /*progressive=*/true),
      Jpeg(20, 20, {90}, JCS_GRAYSCALE),
      EncodeWebp(image),
      EncodeWebp(image, {.lossless = false, .quality = 50}),
      WebpWithAlpha(12, 12)};
  testing::internal::CaptureStderr();
  Random random(4);
  for (const std::string& file : files) {
    for (size_t size = 0; size < file.size(); size += 1 + file.size() / 400) {
      const std::string error = ErrorOf(file.substr(0, size));
      EXPECT_TRUE(!error.empty() || size >= file.size() / 4 * 3) << size << " of " << file.size();
      (void)ReadPngText(file.substr(0, size));
    }
    for (int i = 0; i < 1000; ++i) {
      std::string damaged = file;
      for (int changes = 1 + random.Below(4); changes > 0; --changes) {
        damaged[static_cast<size_t>(random.Below(static_cast<int>(file.size())))] =
            static_cast<char>(random.Next());
      }
      const auto raster = DecodeRaster(damaged, {.max_pixels = 1 << 20});
      EXPECT_TRUE(raster.ok() || absl::IsInvalidArgument(raster.status())) << raster.status();
      (void)ReadPngText(damaged);
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Png, ReadsEveryKindOfPixel) {
  const std::string palette = Chunk("PLTE", Bytes({10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120}));
  const struct {
    const char* name;
    std::string bytes;
    int channels;
    std::vector<uint8_t> pixels;
  } cases[] = {
      {"1-bit gray", Png(4, 1, 1, 0, Bytes({0, 0b10100000})), 1, {255, 0, 255, 0}},
      {"2-bit gray", Png(4, 1, 2, 0, Bytes({0, 0b00011011})), 1, {0, 85, 170, 255}},
      {"4-bit gray", Png(2, 1, 4, 0, Bytes({0, 0x3f})), 1, {51, 255}},
      {"8-bit gray with a filter", Png(3, 1, 8, 0, Bytes({1, 5, 5, 5})), 1, {5, 10, 15}},
      {"16-bit gray: the high byte", Png(2, 1, 16, 0, Bytes({0, 18, 255, 200, 0})), 1, {18, 200}},
      {"gray with a key", Png(2, 1, 8, 0, Bytes({0, 7, 8}), Chunk("tRNS", Bytes({0, 8}))), 2, {7, 255, 8, 0}},
      {"16-bit gray with a key: both bytes",
       Png(2, 1, 16, 0, Bytes({0, 7, 1, 7, 2}), Chunk("tRNS", Bytes({7, 2}))),
       2,
       {7, 255, 7, 0}},
      {"RGB", Png(1, 2, 8, 2, Bytes({0, 1, 2, 3, 2, 1, 1, 1})), 3, {1, 2, 3, 2, 3, 4}},
      {"16-bit RGB", Png(1, 1, 16, 2, Bytes({0, 1, 9, 2, 9, 3, 9})), 3, {1, 2, 3}},
      {"RGB with a key",
       Png(2, 1, 8, 2, Bytes({0, 1, 2, 3, 4, 5, 6}), Chunk("tRNS", Bytes({0, 4, 0, 5, 0, 6}))),
       4,
       {1, 2, 3, 255, 4, 5, 6, 0}},
      {"palette",
       Png(4, 1, 2, 3, Bytes({0, 0b00011011}), palette),
       3,
       {10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120}},
      {"palette with opacities",
       Png(2, 1, 8, 3, Bytes({0, 1, 2}), palette + Chunk("tRNS", Bytes({1, 99}))),
       4,
       {40, 50, 60, 99, 70, 80, 90, 255}},
      {"gray and alpha", Png(1, 1, 8, 4, Bytes({0, 5, 6})), 2, {5, 6}},
      {"16-bit gray and alpha", Png(1, 1, 16, 4, Bytes({0, 5, 1, 6, 1})), 2, {5, 6}},
      {"RGB and alpha", Png(1, 1, 8, 6, Bytes({0, 5, 6, 7, 8})), 4, {5, 6, 7, 8}},
      {"16-bit RGB and alpha", Png(1, 1, 16, 6, Bytes({0, 5, 1, 6, 1, 7, 1, 8, 1})), 4, {5, 6, 7, 8}},
      // Passes 1, 6 (x 1, 3, 5.. of row 0) and 7 (row 1) have pixels of a 2x2 image.
      {"interlaced", Png(2, 2, 8, 0, Bytes({0, 1, 0, 2, 0, 3, 4}), "", true), 1, {1, 2, 3, 4}},
      {"gamma is ignored", Png(2, 1, 8, 0, Bytes({0, 7, 8}), Chunk("gAMA", BigEndian(22222))), 1, {7, 8}},
      {"a broken profile is ignored", Png(2, 1, 8, 0, Bytes({0, 7, 8}), Chunk("iCCP", "x")), 1, {7, 8}},
  };
  for (const auto& test : cases) {
    const auto raster = DecodePngRaster(test.bytes);
    ASSERT_TRUE(raster.ok()) << test.name << ": " << raster.status();
    EXPECT_EQ(raster->channels, test.channels) << test.name;
    EXPECT_EQ(raster->pixels, test.pixels) << test.name;
  }
}

TEST(Png, SaysWhatIsWrong) {
  std::string header = Png(2, 1, 8, 0, Bytes({0, 7, 8}));
  header[8 + 8 + 13] ^= 1;  // its checksum
  const struct {
    std::string bytes;
    const char* message;
  } cases[] = {
      {kSignature, "within its header"},
      {Png(2, 2, 8, 0, Bytes({0, 1, 2})), "Not enough image data"},
      {Png(2, 1, 8, 3, Bytes({0, 1, 2})), "Missing PLTE"},
      {Png(2, 1, 3, 0, Bytes({0, 1, 2})), "Invalid IHDR"},
      {header, "CRC"},
  };
  for (const auto& test : cases) EXPECT_THAT(ErrorOf(test.bytes), HasSubstr(test.message));
  EXPECT_FALSE(EncodePng(RgbImage{2, 2, {1, 2, 3}}).ok());
  EXPECT_FALSE(EncodePng(RgbImage{}).ok());
}

TEST(PngText, ComesBackAndChangesNoPixel) {
  const RgbImage image = ScatteredImage(20, 10);
  const PngText text = {{"Title", "a red circle left of a ring"},
                        {"run id", ""},
                        {"Author", "Zo\xc3\xab \xe7\x8c\xab \xf0\x9f\x90\x88"},
                        {std::string(79, 'k'), std::string(100000, 'v')}};
  const auto bytes = EncodePng(image, text);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_EQ(*ReadPngText(*bytes), text);
  EXPECT_EQ(DecodePng(*bytes)->pixels, image.pixels);
  EXPECT_EQ(*EncodePng(image, text), *bytes);
  EXPECT_EQ(*ReadPngText(*EncodePng(image)), PngText{});
}

TEST(PngText, ReadsOtherPrograms) {
  const std::string zero(1, '\0');
  const auto texts = [&](const std::string& chunks) {
    return ReadPngText(Png(1, 1, 8, 0, Bytes({0, 1}), chunks));
  };
  const auto read = texts(Chunk("tEXt", "latin" + zero + "caf\xe9") +
                          Chunk("zTXt", "packed" + zero + zero + Deflated("xyz")) +
                          Chunk("iTXt", "packed utf" + zero + "\1" + zero + "fr" + zero + "cl\xc3\xa9" +
                                            zero + Deflated("\xc3\xa9")) +
                          Chunk("tEXt", "twice" + zero + "1") + Chunk("tEXt", "twice" + zero + "2"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(
      *read,
      (PngText{{"latin", "caf\xc3\xa9"}, {"packed", "xyz"}, {"packed utf", "\xc3\xa9"}, {"twice", "2"}}));
  // After the pixels too.
  std::string late = Png(1, 1, 8, 0, Bytes({0, 1}));
  late.insert(late.size() - 12, Chunk("tEXt", "late" + zero + "yes"));
  EXPECT_EQ(ReadPngText(late)->at("late"), "yes");

  for (const std::string& chunk :
       {Chunk("tEXt", "no end"), Chunk("tEXt", zero + "no keyword"), Chunk("zTXt", "k" + zero),
        Chunk("zTXt", "k" + zero + "\1" + Deflated("x")), Chunk("zTXt", "k" + zero + zero + "not deflate"),
        Chunk("zTXt", "k" + zero + zero + Deflated(std::string(kMaxPngTextBytes + 1, 'x'))),
        Chunk("iTXt", "k" + zero + "\2" + zero + zero + zero), Chunk("iTXt", "k" + zero + zero + zero + "en"),
        Chunk("iTXt", "k" + zero + zero + zero + zero + zero + "\xff"),
        Chunk("tEXt", "k" + zero + "v").replace(10, 1, "w")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(texts(chunk).status()));
  }
  std::string many;
  for (int i = 0; i < 1001; ++i) many += Chunk("tEXt", absl::StrCat(i) + zero);
  EXPECT_TRUE(absl::IsInvalidArgument(texts(many).status()));
}

TEST(PngText, RefusesWhatAPngCannotHold) {
  const RgbImage image = ScatteredImage(2, 2);
  for (const auto& [key, value] : PngText{{"", "v"},
                                          {std::string(80, 'k'), "v"},
                                          {" front", "v"},
                                          {"back ", "v"},
                                          {"two  spaces", "v"},
                                          {"new\nline", "v"},
                                          {"caf\xc3\xa9", "v"},
                                          {"zero", std::string("a\0b", 3)},
                                          {"surrogate", "\xed\xa0\x80"},
                                          {"overlong", "\xc0\xaf"},
                                          {"too far", "\xf4\x90\x80\x80"},
                                          {"cut", "\xe7\x8c"},
                                          {"long", std::string(kMaxPngTextBytes, 'x')}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(EncodePng(image, {{key, value}}).status())) << key;
  }
  EXPECT_FALSE(AddPngText("no PNG", {{"k", "v"}}).ok());
}

TEST(Jpeg, ReadsGrayAndProgressive) {
  EXPECT_EQ(DecodeRaster(Jpeg(9, 7, {90}, JCS_GRAYSCALE))->channels, 1);
  const auto progressive = DecodeRaster(Jpeg(9, 7, {90, 90, 90}, JCS_RGB, true));
  ASSERT_TRUE(progressive.ok()) << progressive.status();
  EXPECT_EQ(progressive->channels, 3);
  for (const uint8_t value : progressive->pixels) EXPECT_NEAR(value, 90, 1);
}

TEST(Jpeg, RefusesEndlessScans) {
  const std::string file = Jpeg(9, 7, {90, 90, 90}, JCS_RGB, true);
  const size_t first = file.find("\xff\xda"), second = file.find("\xff\xda", first + 2);
  std::string scans = file.substr(0, first);
  for (int i = 0; i < 2000; ++i) scans += file.substr(first, second - first);
  EXPECT_EQ(ErrorOf(scans + "\xff\xd9"), "damaged JPEG: more than 500 scans");
}

TEST(ImageGrid, LeavesOddImagesOut) {
  const RgbImage grid = MakeGrid({FlatImage(2, 2, {1, 1, 1}), FlatImage(3, 2, {1, 1, 1})}, 2, 0, 1);
  EXPECT_EQ(grid.width, 4);
  EXPECT_THAT(grid.pixels, ElementsAre(1, 1, 1, 1, 1, 1, 255, 255, 255, 255, 255, 255,  //
                                       1, 1, 1, 1, 1, 1, 255, 255, 255, 255, 255, 255));
  EXPECT_EQ(MakeGrid({}, 0, 0, 0).width, 0);
}

}  // namespace
}  // namespace lvrpo
