#include "data/prompts/sample_file.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(SampleFile, NamesAreNumbersAndStayInTheirFolder) {
  EXPECT_EQ(SampleFileName(0), "sample-0000.png");
  EXPECT_EQ(SampleFileName(12345), "sample-12345.png");
  for (const char* plain : {"sample-0000.png", "heldout-single-000.png", "..a", "..."})
    EXPECT_TRUE(IsPlainFileName(plain)) << plain;
  for (const absl::string_view elsewhere :
       {absl::string_view(""), absl::string_view("."), absl::string_view(".."), absl::string_view("../a.png"),
        absl::string_view("/a"), absl::string_view("a/"), absl::string_view("a\0b", 3)})
    EXPECT_FALSE(IsPlainFileName(elsewhere)) << elsewhere;
}

}  // namespace
}  // namespace lvrpo
