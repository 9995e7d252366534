#include "verifiers/images/ocr.h"

#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "data/image/image_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "verifiers/images/written_text.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

RgbImage Picture(const std::string& name) {
  const auto image = ReadImage(absl::StrCat(LVRPO_SOURCE_DIR, "/tests/verifiers/testdata/", name));
  EXPECT_TRUE(image.ok()) << image.status();
  return image.value_or(RgbImage());
}

std::unique_ptr<TextReader> Reader() {
  auto reader = TextReader::Create({});
  EXPECT_TRUE(reader.ok()) << reader.status();
  return reader.ok() ? *std::move(reader) : nullptr;
}

RgbImage Noise(int width, int height) {
  RgbImage image{width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height * 3)};
  uint32_t state = 1;
  for (uint8_t& value : image.pixels)
    value = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  return image;
}

TEST(TextReader, ReadsWordsOnPictures) {
  const std::unique_ptr<TextReader> reader = Reader();
  ASSERT_NE(reader, nullptr);
  for (const auto& [file, words] : {std::pair{"sign.png", "OPEN 24 HOURS"},
                                    {"small.png", "hello world"},
                                    {"dark.png", "GRAND Theatre"}}) {
    const absl::StatusOr<ReadText> read = reader->Read(Picture(file));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(WrittenSimilarity(words, read->text), 1) << file << ": " << read->text;
    EXPECT_GT(read->confidence, .5) << file;
    EXPECT_LE(read->confidence, 1) << file;
  }
  const ReadText none = *reader->Read(Picture("no_text.png"));
  EXPECT_LT(WrittenSimilarity("OPEN 24 HOURS", none.text), .5) << none.text;
}

TEST(TextReader, SaysWhereTheWordsStand) {
  const RgbImage image = Picture("dark.png");
  const ReadText read = *Reader()->Read(image);
  ASSERT_EQ(read.words.size(), 2u) << read.text;
  EXPECT_EQ(read.text, "GRAND\nTheatre");
  const ReadWord &grand = read.words[0], &theatre = read.words[1];
  EXPECT_EQ(grand.text, "GRAND");
  // Drawn at (40, 30) and (40, 110) in 52 pixels.
  EXPECT_NEAR(grand.x, 42, 6);
  EXPECT_NEAR(grand.y, 42, 10);
  EXPECT_NEAR(grand.height, 38, 8);
  EXPECT_GT(theatre.y, grand.y + grand.height);
  for (const ReadWord& word : read.words) {
    EXPECT_GE(word.x, 0);
    EXPECT_LE(word.x + word.width, image.width);
    EXPECT_LE(word.y + word.height, image.height);
  }
}

TEST(TextReader, ReadsTheSameWhateverItReadBefore) {
  const std::unique_ptr<TextReader> reader = Reader();
  const char* const files[] = {"sign.png", "small.png", "dark.png", "no_text.png", "small.png", "sign.png"};
  for (const char* file : files) {
    const ReadText again = *reader->Read(Picture(file)), fresh = *Reader()->Read(Picture(file));
    EXPECT_EQ(again.text, fresh.text) << file;
    EXPECT_EQ(again.confidence, fresh.confidence) << file;
    ASSERT_EQ(again.words.size(), fresh.words.size());
    for (size_t i = 0; i < again.words.size(); ++i) EXPECT_EQ(again.words[i].x, fresh.words[i].x);
  }
}

TEST(TextReader, WorksOnOneThread) {
  const auto threads = [] {
    std::filesystem::directory_iterator begin("/proc/self/task"), end;
    return std::distance(begin, end);
  };
  const std::unique_ptr<TextReader> reader = Reader();
  const auto before = threads();
  (void)*reader->Read(Picture("sign.png"));
  EXPECT_EQ(threads(), before);  // a team, once made, stays
  // Readers of several threads do not disturb one another.
  std::vector<std::thread> workers;
  for (const char* file : {"sign.png", "dark.png"}) {
    workers.emplace_back([file, expected = reader->Read(Picture(file))->text] {
      const std::unique_ptr<TextReader> mine = Reader();
      for (int i = 0; i < 3; ++i) EXPECT_EQ(mine->Read(Picture(file))->text, expected);
    });
  }
  for (std::thread& worker : workers) worker.join();
}

TEST(TextReader, TakesAnyPicture) {
  const std::unique_ptr<TextReader> reader = Reader();
  const RgbImage images[] = {{1, 1, {0, 0, 0}}, Noise(1, 300),
                             Noise(300, 1),     Noise(2, 2),
                             Noise(8, 8),       Noise(4096, 8),
                             Noise(8, 4096),    Noise(256, 256),
                             Noise(1000, 40),   {64, 64, std::vector<uint8_t>(64 * 64 * 3, 255)}};
  for (const RgbImage& image : images)
    EXPECT_TRUE(reader->Read(image).ok()) << image.width << "x" << image.height;
  EXPECT_TRUE(reader->Read(images[9])->text.empty());
  const RgbImage bad[] = {
      {}, {0, 4, {}}, {2, 2, {1, 2, 3}}, {-1, -1, {1, 2, 3}}, {5000, 1, std::vector<uint8_t>(15000)}};
  for (const RgbImage& image : bad) {
    EXPECT_EQ(reader->Read(image).status().code(), absl::StatusCode::kInvalidArgument) << image.width;
  }
}

TEST(TextReader, SaysWhichLanguageIsMissing) {
  struct {
    TextReader::Options options;
    absl::StatusCode code;
    const char* message;
  } const cases[] = {
      {{.language = "xyz_abc", .data_folder = ""}, absl::StatusCode::kNotFound, "tesseract-ocr-xyz-abc"},
      {{.language = "eng", .data_folder = "/nowhere"},
       absl::StatusCode::kNotFound,
       "put eng.traineddata into /nowhere"},
      {{.language = "", .data_folder = ""}, absl::StatusCode::kInvalidArgument, "not named"},
      {{.language = "../eng", .data_folder = ""}, absl::StatusCode::kInvalidArgument, "not named"},
      {{.language = "eng+", .data_folder = ""}, absl::StatusCode::kInvalidArgument, "not named"},
  };
  for (const auto& test : cases) {
    const auto reader = TextReader::Create(test.options);
    EXPECT_EQ(reader.status().code(), test.code) << reader.status();
    EXPECT_THAT(std::string(reader.status().message()), HasSubstr(test.message));
  }
}

}  // namespace
}  // namespace lvrpo
