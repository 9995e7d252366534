// Files that are not what an encoder's manual shows: of other colours, animated, with a small fault, of
// another vendor.
#include "data/image/foreign_image.h"
#include "data/image/image_file.h"
#include "data/image/png.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/data/image_bytes.h"
#include "tests/data/sample_images.h"
#include "tests/testing/encoded_images.h"

namespace lvrpo {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string ErrorOf(absl::string_view bytes) {
  const auto image = DecodeImage(bytes);
  return image.ok() ? "" : std::string(image.status().message());
}

// Expected by hand: light * (255 - ink) / 255 with inks as stored, inverted: 255 is none.
TEST(Jpeg, MixesInks) {
  const struct {
    std::vector<uint8_t> stored;
    std::vector<uint8_t> rgb;
  } cases[] = {{{255, 255, 255, 255}, {255, 255, 255}}, {{0, 0, 0, 255}, {0, 0, 0}},
               {{255, 255, 255, 0}, {0, 0, 0}},         {{255, 0, 0, 255}, {255, 0, 0}},
               {{0, 255, 255, 128}, {0, 128, 128}},     {{200, 100, 50, 180}, {141, 71, 35}}};
  for (const auto& test : cases) {
    for (const J_COLOR_SPACE saved_as : {JCS_CMYK, JCS_YCCK}) {
      const auto raster = DecodeRaster(Jpeg(8, 8, test.stored, JCS_CMYK, false, saved_as));
      ASSERT_TRUE(raster.ok()) << raster.status();
      ASSERT_EQ(raster->channels, 3);
      for (size_t i = 0; i < raster->pixels.size(); ++i) {
        // YCCK is rounded in the conversion.
        EXPECT_NEAR(raster->pixels[i], test.rgb[i % 3], saved_as == JCS_CMYK ? 0 : 2) << saved_as;
      }
    }
  }
  // Inks are read as inverted without Adobe's marker too.
  std::string plain = Jpeg(8, 8, {255, 0, 0, 255}, JCS_CMYK);
  const size_t marker = plain.find("\xff\xee");
  ASSERT_NE(marker, std::string::npos);
  plain.erase(marker, 16);
  EXPECT_EQ(DecodeImage(plain)->pixels[0], 255);
  EXPECT_THAT(ErrorOf(Jpeg(8, 8, {1, 2}, JCS_UNKNOWN)), HasSubstr("2 components"));
}

// A JPEG of 64 rows; with 4:4:4, rows of blocks are 8 pixels high.
TEST(Jpeg, ReadsFilesWhoseEndIsMissing) {
  const RgbImage image = NaturalImage(64, 64, 3);
  const std::string file = EncodeJpeg(image, {.quality = 90, .subsample_chroma = false});
  const RgbImage whole = *DecodeImage(file);
  EXPECT_EQ(DecodeImage(file.substr(0, file.size() - 2))->pixels, whole.pixels);  // the end marker
  EXPECT_EQ(DecodeImage(file.substr(0, file.size() - 1))->pixels, whole.pixels);
  EXPECT_EQ(DecodeImage(file + "a video, for example")->pixels, whole.pixels);
  const auto cut = DecodeImage(file.substr(0, file.size() - 20));
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_TRUE(std::equal(whole.pixels.begin(), whole.pixels.begin() + 56 * 64 * 3, cut->pixels.begin()));
  EXPECT_NE(cut->pixels, whole.pixels);
  EXPECT_THAT(ErrorOf(file.substr(0, file.size() / 2)), HasSubstr("damaged JPEG"));
  EXPECT_THAT(ErrorOf(file.substr(0, file.size() * 4 / 5)), HasSubstr("damaged JPEG"));
  // In a small picture the last row of blocks is much of it.
  const std::string small = EncodeJpeg(NaturalImage(24, 16, 3), {.subsample_chroma = false});
  EXPECT_EQ(ErrorOf(small.substr(0, small.size() - 2)), "");
  EXPECT_THAT(ErrorOf(small.substr(0, small.size() - 12)), HasSubstr("damaged JPEG"));
}

TEST(Jpeg, ReadsProgressiveFilesWhoseLastScanIsThere) {
  const std::string file = Jpeg(64, 64, {40, 90, 200}, JCS_RGB, /*progressive=*/true);
  const RgbImage whole = *DecodeImage(file);
  EXPECT_EQ(DecodeImage(file.substr(0, file.size() - 2))->pixels, whole.pixels);
  const size_t last_scan = file.rfind("\xff\xda");
  EXPECT_THAT(ErrorOf(file.substr(0, last_scan)), HasSubstr("damaged JPEG"));
}

TEST(Jpeg, NamesRareKinds) {
  std::string file = Jpeg(8, 8, {90}, JCS_GRAYSCALE);
  const size_t frame = file.find("\xff\xc0");
  std::string lossless = file, twelve_bits = file;
  lossless[frame + 1] = '\xc3';
  twelve_bits[frame + 4] = 12;
  for (const std::string& rare : {lossless, twelve_bits}) {
    EXPECT_THAT(ErrorOf(rare), HasSubstr("save it as an ordinary JPEG or as PNG"));
  }
}

TEST(Png, ReadsFilesWithSmallFaults) {
  const RgbImage image = NaturalImage(16, 16, 1);
  const std::string file = *EncodePng(image),
                    interlaced = Png(2, 2, 8, 0, Bytes({0, 1, 0, 2, 0, 3, 4}), "", true);
  std::string checksum = file, text = Png(1, 1, 8, 0, Bytes({0, 7}), Chunk("tEXt", std::string("a\0b", 3)));
  checksum[checksum.size() - 13] ^= 1;  // of the pixels' chunk
  text[8 + 25 + 9] ^= 1;                // a letter of the text
  const std::string faulty[] = {checksum, file + "trailing bytes",
                                file.substr(0, file.size() - 12),       // no end
                                file.substr(0, file.size() - 5),        // nor a whole one
                                file.substr(0, file.size() - 12 - 4)};  // nor the chunk's checksum
  for (const std::string& bytes : faulty) {
    const auto read = DecodeImage(bytes);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->pixels, image.pixels);
  }
  EXPECT_EQ(DecodeImage(text)->pixels[0], 7);
  EXPECT_THAT(DecodeRaster(interlaced.substr(0, interlaced.size() - 12))->pixels, ElementsAre(1, 2, 3, 4));
}

TEST(Png, WrongPixelsAreNoSmallFault) {
  const std::string scanline = Bytes({0, 7, 8});
  std::string data = Deflated(scanline);
  data.back() = static_cast<char>(data.back() ^ 1);  // zlib's checksum
  const std::string whole = Png(2, 1, 8, 0, scanline);
  const std::string wrong = whole.substr(0, 8 + 25) + Chunk("IDAT", data) + Chunk("IEND", "");
  EXPECT_THAT(ErrorOf(wrong), AnyOf(HasSubstr("checksum of its pixels"), HasSubstr("incorrect data check")));
  const std::string file = *EncodePng(NaturalImage(16, 16, 1));
  EXPECT_NE(ErrorOf(file.substr(0, file.size() - 40)), "");
}

TEST(Png, NamesApplesPrivateForm) {
  const std::string file = Png(2, 1, 8, 6, Bytes({0, 1, 2, 3, 4, 5, 6, 7, 8}));
  const std::string apple = file.substr(0, 8) + Chunk("CgBI", Bytes({0x50, 0, 0x20, 2})) + file.substr(8);
  EXPECT_THAT(ErrorOf(apple), HasSubstr("Apple's private form"));
}

std::string Frame(int left, int top, int width, int height, const std::string& image) {
  return RiffChunk(
      "ANMF", Bytes({left / 2, 0, 0, top / 2, 0, 0, width - 1, 0, 0, height - 1, 0, 0, 0, 0, 0, 0}) + image);
}

std::string Animation(int width, int height, bool alpha, const std::string& frames) {
  return Webp(RiffChunk("VP8X", Bytes({2 + 16 * alpha, 0, 0, 0, width - 1, 0, 0, height - 1, 0, 0})) +
              RiffChunk("ANIM", Bytes({9, 9, 9, 9, 0, 0})) + frames);
}

TEST(Webp, ReadsTheFirstPictureOfAnimations) {
  const RgbImage first = ScatteredImage(3, 2);
  const std::string image = EncodeWebp(first).substr(12),
                    other = EncodeWebp(FlatImage(3, 2, {1, 2, 3})).substr(12);
  const auto still =
      DecodeRaster(Animation(3, 2, false, Frame(0, 0, 3, 2, image) + Frame(0, 0, 3, 2, other)));
  ASSERT_TRUE(still.ok()) << still.status();
  EXPECT_EQ(still->channels, 3);
  EXPECT_EQ(still->pixels, first.pixels);
  // On a part of the canvas: the rest is transparent, or black when the file has no transparency.
  for (const bool alpha : {false, true}) {
    const auto part = DecodeRaster(Animation(7, 6, alpha, Frame(2, 4, 3, 2, image)));
    ASSERT_TRUE(part.ok()) << part.status();
    ASSERT_EQ(part->channels, alpha ? 4 : 3);
    for (int y = 0; y < 6; ++y) {
      for (int x = 0; x < 7; ++x) {
        const uint8_t* pixel = &part->pixels[static_cast<size_t>((y * 7 + x) * part->channels)];
        const bool inside = x >= 2 && x < 5 && y >= 4;
        for (int c = 0; c < 3; ++c) {
          EXPECT_EQ(pixel[c], inside ? first.pixels[static_cast<size_t>(((y - 4) * 3 + x - 2) * 3 + c)] : 0);
        }
        if (alpha) {
          EXPECT_EQ(pixel[3], inside ? 255 : 0);
        }
      }
    }
  }
  // Cut after the first picture.
  const std::string whole = Animation(3, 2, false, Frame(0, 0, 3, 2, image) + Frame(0, 0, 3, 2, other));
  EXPECT_EQ(ErrorOf(whole.substr(0, whole.size() - 10)), "");
}

TEST(Webp, SaysWhatIsWrongWithAnimations) {
  const std::string image = EncodeWebp(ScatteredImage(3, 2)).substr(12);
  const struct {
    std::string file;
    const char* message;
  } cases[] = {
      {Animation(3, 2, false, ""), "an animation without a picture"},
      {Animation(3, 2, false, Frame(0, 0, 3, 2, "")), "it has no image"},
      {Animation(3, 2, false, Frame(0, 0, 3, 1, image)), "not the size"},
      {Animation(3, 2, false, Frame(2, 0, 3, 2, image)), "not the size"},
      {Animation(4, 2, false, Frame(0, 2, 3, 2, image)), "not the size"},
      {Animation(3, 2, false, Frame(0, 0, 3, 2, image.substr(0, 20))), "it ends within its image"},
  };
  for (const auto& test : cases) EXPECT_THAT(ErrorOf(test.file), HasSubstr(test.message));
  std::string huge = Animation(3, 2, false, Frame(0, 0, 3, 2, image));
  huge.replace(12 + 8 + 4, 6, std::string(6, '\xff'));  // the canvas
  EXPECT_THAT(ErrorOf(huge), HasSubstr("a WebP of 16777216x16777216 pixels"));
}

// Programs that write to a pipe do not know the size of a file when they write its beginning.
TEST(Webp, IgnoresTheSizeThatAFileClaims) {
  const RgbImage image = ScatteredImage(5, 4);
  for (const uint32_t size : {0u, 5u, 0x7ffffff0u}) {
    std::string file = EncodeWebp(image);
    for (int i = 0; i < 4; ++i) file[static_cast<size_t>(4 + i)] = static_cast<char>(size >> (8 * i));
    const auto read = DecodeImage(file + "trailing");
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->pixels, image.pixels);
  }
}

TEST(ForeignImages, AreNamed) {
  const struct {
    std::string bytes;
    const char* name;
  } cases[] = {
      {std::string("\0\0\0\x20"
                   "ftypavif",
                   12),
       "but an AVIF picture: save it as PNG or JPEG"},
      {std::string("\0\0\0\x20"
                   "ftypheic",
                   12),
       "HEIC"},
      {std::string("\0\0\0\x20"
                   "ftypisom",
                   12),
       "a video"},
      {std::string("II*\0\x10\0\0\0CR\2\0", 12), "Canon"},
      {std::string("MM\0*", 4), "TIFF"},
      {"BM6", "BMP"},
      {"8BPS", "Photoshop"},
      {"\xff\x0a", "JPEG XL"},
      {std::string("\0\0\0\x0cjP  ", 8), "JPEG 2000"},
      {"<?xml version=\"1.0\"?>\n<svg>", "SVG"},
      {"\n <!DOCTYPE html>", "a web page"},
      {"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"},
      {"%PDF-1.7", "PDF"},
      {"", "an empty file"},
  };
  for (const auto& test : cases) EXPECT_THAT(ErrorOf(test.bytes), HasSubstr(test.name));
  EXPECT_EQ(ErrorOf("text"), "not a PNG, JPEG, WebP or GIF file");
}

}  // namespace
}  // namespace lvrpo
