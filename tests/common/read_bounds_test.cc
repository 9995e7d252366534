// What has no end is not read without one, and what was read is printed without moving the terminal.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/files/text_file.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(ReadFile, EndlessDevicesAreRefused) {
  for (const char* path : {"/dev/zero", "/dev/full"}) {
    const absl::Status status = ReadTextFile(path).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(absl::StrCat(path, " holds more than 1048576 bytes")));
    EXPECT_THAT(std::string(status.message()), HasSubstr("not a regular file"));
  }
  EXPECT_EQ(*ReadFile("/dev/null"), "");
}

TEST(ReadFile, APipeIsReadToItsEnd) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const std::string text(3 << 20, 'x');
  std::thread writer([&] {
    EXPECT_EQ(AppendToFile(absl::StrCat("/dev/fd/", ends[1]), text).code(), absl::StatusCode::kOk);
    close(ends[1]);
  });
  EXPECT_EQ(*ReadTextFile(absl::StrCat("/dev/fd/", ends[0])), text);
  writer.join();
  close(ends[0]);
}

TEST(ReadFile, ABoundIsKept) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("bounded", "12345");
  EXPECT_EQ(*ReadFile(path, 5), "12345");
  EXPECT_TRUE(absl::IsInvalidArgument(ReadFile(path, 4).status()));
}

TEST(PrintableLines, KeepsLineFeedsAndNothingElseThatMovesATerminal) {
  EXPECT_EQ(PrintableLines("a.yaml:1: x\na.yaml:2: y"), "a.yaml:1: x\na.yaml:2: y");
  EXPECT_EQ(PrintableLines("\x1b[31m\r\xff\n\n"), " [31m \xef\xbf\xbd\n\n");
  EXPECT_EQ(PrintableLines(std::string(5000, 'x')), std::string(5000, 'x'));
  EXPECT_EQ(PrintableLines(""), "");
}

}  // namespace
}  // namespace lvrpo
