#include "common/telemetry/event_file.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <vector>

#include "absl/strings/escaping.h"
#include "common/files/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/lvrpo/v1/event_file.pb.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::UnorderedElementsAre;

uint64_t LittleEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

uint32_t Unmask(uint64_t masked) {
  const uint32_t rotated = static_cast<uint32_t>(masked) - 0xA282EAD8u;
  return rotated >> 17 | rotated << 15;
}

// The events of a file, as a reader takes them off its framing; stops at the first record that is not whole.
std::vector<v1::TensorboardEvent> ReadEvents(const std::string& path) {
  const std::string bytes = ReadFile(path).value_or("");
  std::vector<v1::TensorboardEvent> events;
  absl::string_view rest = bytes;
  while (rest.size() >= 12) {
    const uint64_t length = LittleEndian(rest.substr(0, 8));
    EXPECT_EQ(Unmask(LittleEndian(rest.substr(8, 4))), Crc32c(rest.substr(0, 8)));
    if (rest.size() < length + 16) break;
    const absl::string_view data = rest.substr(12, length);
    EXPECT_EQ(Unmask(LittleEndian(rest.substr(12 + length, 4))), Crc32c(data));
    EXPECT_TRUE(events.emplace_back().ParseFromString(std::string(data)));
    rest.remove_prefix(length + 16);
  }
  EXPECT_TRUE(rest.empty()) << rest.size() << " bytes are no record";
  return events;
}

std::vector<std::string> Names(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

class EventFileTest : public ::testing::Test {
 protected:
  const TemporaryFolder here_;
  const std::string folder_ = here_ / "made";
};

// The check value of CRC-32C/iSCSI, and the vectors of RFC 3720, B.4.
TEST(Crc32c, KnownValues) {
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  EXPECT_EQ(Crc32c(""), 0u);
}

// Bytes that the python package tensorboard 2.21.0 writes for the same two events (RecordWriter of
// tensorboard/summary/writer/record_writer.py).
TEST_F(EventFileTest, WritesTheBytesThatTensorboardWrites) {
  const auto file = EventFile::Create(folder_, 1700000000);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->AddScalars(3, 1700000001.5, {{"reward/mean", 0.25}, {"kl", 0}}).ok());
  EXPECT_THAT((*file)->path(), EndsWith("/events.out.tfevents.1700000000.lvrpo"));
  EXPECT_EQ(absl::BytesToHexString(ReadFile((*file)->path()).value_or("")),
            "1800000000000000a37f4b220900000040fc54d9411a0d627261696e2e4576656e743a32eced8f9d"
            "2c00000000000000f4aecc450900006040fc54d94110032a1f0a090a026b6c15000000000a120a0b"
            "7265776172642f6d65616e150000803e92796f0b");
}

TEST_F(EventFileTest, IsReadBackWhileItIsBeingWritten) {
  const auto file = EventFile::Create(folder_, 7);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(ReadEvents((*file)->path()).size(), 1u);
  for (int64_t step = 0; step < 3; ++step) {
    ASSERT_TRUE((*file)->AddScalars(step, 8.5 + static_cast<double>(step), {{"loss", 0.5 * step}}).ok());
    const std::vector<v1::TensorboardEvent> events = ReadEvents((*file)->path());
    ASSERT_EQ(events.size(), static_cast<size_t>(step) + 2);
    EXPECT_EQ(events[0].file_version(), "brain.Event:2");
    EXPECT_EQ(events.back().step(), step);
    EXPECT_DOUBLE_EQ(events.back().wall_time(), 8.5 + static_cast<double>(step));
    ASSERT_EQ(events.back().summary().value_size(), 1);
    EXPECT_EQ(events.back().summary().value(0).tag(), "loss");
    EXPECT_FLOAT_EQ(events.back().summary().value(0).simple_value(), 0.5f * static_cast<float>(step));
  }
}

TEST_F(EventFileTest, KeepsWhatIsNotFinite) {
  const auto file = EventFile::Create(folder_, 7);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE(
      (*file)->AddScalars(1, 8, {{"a", std::nan("")}, {"b", std::numeric_limits<double>::infinity()}}).ok());
  const std::vector<v1::TensorboardEvent> events = ReadEvents((*file)->path());
  ASSERT_EQ(events.size(), 2u);
  EXPECT_TRUE(std::isnan(events[1].summary().value(0).simple_value()));
  EXPECT_TRUE(std::isinf(events[1].summary().value(1).simple_value()));
}

TEST_F(EventFileTest, ReplacesTheFilesOfEarlierStartsAndNothingElse) {
  ASSERT_TRUE(EventFile::Create(folder_, 5).ok());
  ASSERT_TRUE(EventFile::Create(folder_, 6).ok());
  EXPECT_THAT(Names(folder_), ElementsAre("events.out.tfevents.6.lvrpo"));
  ASSERT_TRUE(WriteFileAtomic(JoinPath(folder_, "events.out.tfevents.1.host"), "another program's").ok());
  const auto same_second = EventFile::Create(folder_, 6);
  ASSERT_TRUE(same_second.ok()) << same_second.status();
  EXPECT_THAT(Names(folder_),
              UnorderedElementsAre("events.out.tfevents.6.lvrpo", "events.out.tfevents.1.host"));
  EXPECT_EQ(ReadEvents((*same_second)->path()).size(), 1u);
}

TEST_F(EventFileTest, AFolderThatCannotBeIsAnError) {
  ASSERT_TRUE(MakeFolder(folder_).ok());
  const std::string file = JoinPath(folder_, "file");
  ASSERT_TRUE(WriteFileAtomic(file, "").ok());
  EXPECT_FALSE(EventFile::Create(file, 1).ok());
}

// Writes three records to a disk that has no room for the second; true when the file holds the other two
// whole.
bool SurvivesAFullDisk(const std::string& folder) {
  const auto file = EventFile::Create(folder, 1);
  if (!file.ok() || !(*file)->AddScalars(1, 1, {{"a", 1}}).ok()) return false;
  signal(SIGXFSZ, SIG_IGN);
  rlimit limit = {.rlim_cur = std::filesystem::file_size((*file)->path()) + 5, .rlim_max = RLIM_INFINITY};
  setrlimit(RLIMIT_FSIZE, &limit);
  const bool refused = !(*file)->AddScalars(2, 2, {{"a", 2}}).ok();
  limit.rlim_cur = RLIM_INFINITY;
  setrlimit(RLIMIT_FSIZE, &limit);
  if (!refused || !(*file)->AddScalars(3, 3, {{"a", 3}}).ok()) return false;
  const std::vector<v1::TensorboardEvent> events = ReadEvents((*file)->path());
  std::filesystem::remove_all(folder);
  return events.size() == 3 && events[1].step() == 1 && events[2].step() == 3;
}

TEST_F(EventFileTest, ARecordThatDoesNotFitLeavesNothingBehind) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a separate process: the limit is per process
  EXPECT_EXIT(_exit(SurvivesAFullDisk(folder_) ? 0 : 1), ::testing::ExitedWithCode(0), "");
}

TEST(EventFile, HoldsImagesAndHistograms) {
  const TemporaryFolder folder;
  const auto file = EventFile::Create(folder.path(), 7);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->AddImage(3, 8, "samples", {.width = 5, .height = 4, .png = "png"}).ok());
  ASSERT_TRUE((*file)->AddHistogram(3, 9, "rewards", {0, .5, 1, 1}).ok());
  ASSERT_TRUE((*file)->AddHistogram(4, 9, "rewards", {.25, .25}).ok());
  const std::vector<v1::TensorboardEvent> events = ReadEvents((*file)->path());
  ASSERT_EQ(events.size(), 4u);
  const auto& image = events[1].summary().value(0);
  EXPECT_EQ(image.tag(), "samples");
  EXPECT_EQ(image.image().width(), 5);
  EXPECT_EQ(image.image().height(), 4);
  EXPECT_EQ(image.image().encoded_image_string(), "png");
  const v1::TensorboardHistogram& histogram = events[2].summary().value(0).histogram();
  EXPECT_EQ(histogram.num(), 4);
  EXPECT_EQ(histogram.sum(), 2.5);
  EXPECT_EQ(histogram.sum_squares(), 2.25);
  ASSERT_EQ(histogram.bucket_size(), histogram.bucket_limit_size());
  EXPECT_EQ(histogram.bucket(0), 1);
  EXPECT_EQ(histogram.bucket(histogram.bucket_size() - 1), 2);
  EXPECT_NEAR(histogram.bucket_limit(histogram.bucket_size() - 1), 1, 1e-9);
  EXPECT_EQ(events[3].summary().value(0).histogram().bucket(0), 2);  // all equal
}

}  // namespace
}  // namespace lvrpo
