#include "data/image/exif.h"

#include "absl/strings/str_cat.h"
#include "data/image/image_file.h"
#include "data/image/orientation.h"
#include "data/image/png.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/data/image_bytes.h"
#include "tests/data/sample_images.h"
#include "tests/testing/encoded_images.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;

std::string Number(uint32_t value, int bytes, bool big_endian) {
  std::string number;
  for (int i = 0; i < bytes; ++i) {
    number += static_cast<char>(value >> 8 * (big_endian ? bytes - 1 - i : i) & 255);
  }
  return number;
}

struct Entry {
  uint32_t tag, type, count;
  std::string value;  // 4 bytes
};

// A TIFF block with these entries.
std::string Tiff(const std::vector<Entry>& entries, bool big_endian, uint32_t offset = 8) {
  std::string block = (big_endian ? "MM" : "II") + Number(42, 2, big_endian) + Number(offset, 4, big_endian) +
                      Number(static_cast<uint32_t>(entries.size()), 2, big_endian);
  for (const Entry& entry : entries) {
    block += Number(entry.tag, 2, big_endian) + Number(entry.type, 2, big_endian) +
             Number(entry.count, 4, big_endian) + entry.value;
  }
  return block + Number(0, 4, big_endian);
}

// With an orientation after two other tags.
std::string Exif(uint32_t orientation, bool big_endian = true) {
  return Tiff({{0x0100, 4, 1, Number(64, 4, big_endian)},
               {0x010f, 2, 4, "abc" + std::string(1, '\0')},
               {0x0112, 3, 1, Number(orientation, 2, big_endian) + "xx"}},
              big_endian);
}

const std::string kExifPrefix("Exif\0\0", 6);

std::string JpegWith(const std::string& segments) {
  std::string file = EncodeJpeg(NaturalImage(24, 16, 1), {.quality = 95});
  return file.insert(2, segments);
}

std::string Segment(int marker, const std::string& data) {
  return Bytes({0xff, marker}) + Number(static_cast<uint32_t>(data.size() + 2), 2, true) + data;
}

std::string PngWith(const std::string& before, const std::string& after = "") {
  std::string file = *EncodePng(NaturalImage(24, 16, 1));
  file.insert(8 + 12 + 13, before);
  return file.insert(file.size() - 12, after);
}

std::string WebpWith(const std::string& exif, int flags = 8) {
  const std::string image = EncodeWebp(NaturalImage(24, 16, 1)).substr(12);
  return Webp(RiffChunk("VP8X", Bytes({flags, 0, 0, 0, 23, 0, 0, 15, 0, 0})) + image +
              RiffChunk("EXIF", exif));
}

TEST(Exif, ReadsTheOrientation) {
  for (uint32_t orientation = 1; orientation <= 8; ++orientation) {
    for (const bool big_endian : {false, true}) {
      EXPECT_EQ(ExifOrientation(Exif(orientation, big_endian)), static_cast<int>(orientation));
      EXPECT_EQ(ExifOrientation(kExifPrefix + Exif(orientation, big_endian)), static_cast<int>(orientation));
    }
  }
  // Programs that write it as another kind of number.
  EXPECT_EQ(ExifOrientation(Tiff({{0x0112, 4, 1, Number(6, 4, true)}}, true)), 6);
  EXPECT_EQ(ExifOrientation(Tiff({{0x0112, 1, 1, Number(6, 1, false) + "xxx"}}, false)), 6);
  EXPECT_EQ(ExifOrientation(Tiff({{0x0112, 3, 2, Number(6, 2, false) + "xx"}}, false)), 6);
}

TEST(Exif, DamageIsNoOrientation) {
  const std::string whole = Exif(6);
  for (size_t size = 0; size + 4 < whole.size(); ++size) {
    EXPECT_EQ(ExifOrientation(whole.substr(0, size)), 1) << size;
  }
  const std::string odd[] = {Exif(0),
                             Exif(9),
                             Exif(65535),
                             "MM" + Exif(6, false).substr(2),
                             "XX" + whole.substr(2),
                             Tiff({{0x0112, 3, 1, Number(6, 2, true) + "xx"}}, true, 0xffffffff),
                             Tiff({{0x0112, 3, 1, Number(6, 2, true) + "xx"}}, true, 4),
                             Tiff({{0x0112, 3, 0, Number(6, 2, true) + "xx"}}, true),
                             Tiff({{0x0112, 3, 0x7fffffff, Number(6, 2, true) + "xx"}}, true),
                             Tiff({{0x0112, 2, 1, "6\0\0\0"}}, true),
                             Tiff({{0x0112, 5, 1, Number(6, 4, true)}}, true)};
  for (const std::string& block : odd) EXPECT_EQ(ExifOrientation(block), 1);
}

TEST(Exif, IsFoundInEveryFormat) {
  const std::string block = Exif(6), app1 = Segment(0xe1, kExifPrefix + block);
  const std::string xmp = Segment(0xe1, std::string("http://ns.adobe.com/xap/1.0/") + '\0');
  const std::string zero(1, '\0');
  std::string digits;
  for (const char c : block) absl::StrAppend(&digits, absl::Hex(static_cast<uint8_t>(c), absl::kZeroPad2));
  digits.insert(20, "\n");
  const std::string raw =
      "Raw profile type exif" + zero + zero + Deflated("\nexif\n      54\n" + digits + "\n");
  const struct {
    const char* name;
    std::string file;
    int orientation;
  } cases[] = {
      {"JPEG", JpegWith(app1), 6},
      {"JPEG, after other segments", JpegWith(Segment(0xe0, "JFIF") + xmp + app1), 6},
      {"JPEG, after padding and stray bytes", JpegWith(Segment(0xe0, "JFIF") + "ab\xff\xff" + app1.substr(1)),
       6},
      {"JPEG, the first of two", JpegWith(app1 + Segment(0xe1, kExifPrefix + Exif(3))), 6},
      {"JPEG, after the pixels", JpegWith("") + app1, 1},
      {"JPEG without", JpegWith(""), 1},
      {"JPEG with a segment that never ends", JpegWith(Bytes({0xff, 0xe1, 0xff, 0xff})), 1},
      {"JPEG with an empty segment", JpegWith(Bytes({0xff, 0xe1, 0, 0})), 1},
      {"PNG before the pixels", PngWith(Chunk("eXIf", block)), 6},
      {"PNG after the pixels", PngWith("", Chunk("eXIf", block)), 6},
      {"PNG with the prefix of JPEG", PngWith(Chunk("eXIf", kExifPrefix + block)), 6},
      {"PNG, as text", PngWith(Chunk("zTXt", raw)), 6},
      {"PNG, the chunk before the text", PngWith(Chunk("zTXt", raw), Chunk("eXIf", Exif(3))), 3},
      {"PNG, a text that is no profile", PngWith(Chunk("tEXt", "Raw profile type exif" + zero + "x")), 1},
      {"PNG with a wrong checksum", PngWith(Chunk("eXIf", block).replace(40, 1, "z")), 1},
      {"PNG without", PngWith(""), 1},
      {"WebP", WebpWith(block), 6},
      {"WebP with the prefix of JPEG", WebpWith(kExifPrefix + block), 6},
      {"WebP whose header announces none", WebpWith(block, 0), 1},
      {"WebP, cut", WebpWith(block).substr(0, WebpWith(block).size() - 20), 1},
      {"WebP without header", EncodeWebp(ScatteredImage(4, 4)), 1},
      {"no image", "x", 1},
  };
  for (const auto& test : cases) EXPECT_EQ(ReadOrientation(test.file), test.orientation) << test.name;
}

// Two pixels wide, three high, by letters: ab / cd / ef.
TEST(Upright, TurnsAndMirrors) {
  RgbImage image{2, 3, {}};
  for (const char letter : std::string("abcdef")) {
    for (int c = 0; c < 3; ++c) image.pixels.push_back(static_cast<uint8_t>(letter + 100 * (c == 2)));
  }
  const struct {
    int orientation;
    ImageSize size;
    const char* letters;
  } cases[] = {{0, {2, 3}, "abcdef"}, {1, {2, 3}, "abcdef"}, {2, {2, 3}, "badcfe"}, {3, {2, 3}, "fedcba"},
               {4, {2, 3}, "efcdab"}, {5, {3, 2}, "acebdf"}, {6, {3, 2}, "ecafdb"}, {7, {3, 2}, "fdbeca"},
               {8, {3, 2}, "bdface"}, {9, {2, 3}, "abcdef"}};
  for (const auto& test : cases) {
    const RgbImage upright = Upright(image, test.orientation);
    EXPECT_EQ(upright.width, test.size.width) << test.orientation;
    EXPECT_EQ(upright.height, test.size.height) << test.orientation;
    std::string letters;
    for (size_t i = 0; i < upright.pixels.size(); i += 3) {
      letters += static_cast<char>(upright.pixels[i]);
      EXPECT_EQ(upright.pixels[i + 2], upright.pixels[i] + 100);
    }
    EXPECT_EQ(letters, test.letters) << test.orientation;
  }
}

TEST(Upright, IsTheDefaultAndCanBeLeftOut) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const std::string block = Exif(static_cast<uint32_t>(orientation), orientation % 2 == 0);
    for (const std::string& file :
         {JpegWith(Segment(0xe1, kExifPrefix + block)), PngWith(Chunk("eXIf", block)), WebpWith(block)}) {
      const RgbImage stored = *DecodeImage(file, {.upright = false});
      EXPECT_EQ(stored.width, 24);
      EXPECT_EQ(DecodeImage(file)->pixels, Upright(stored, orientation).pixels);
      EXPECT_EQ(DecodeImage(file)->width, orientation < 5 ? 24 : 16);
      EXPECT_EQ(DecodeRaster(file)->width, 24);
    }
  }
}

}  // namespace
}  // namespace lvrpo
