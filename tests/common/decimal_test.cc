#include "common/decimal.h"

#include <gtest/gtest.h>

#include <string>

namespace lvrpo {
namespace {

TEST(IsDecimal, TakesWhatEveryReaderTakesAlike) {
  for (const char* text :
       {"0", "1", "-1", "+1", "10", "0.5", "-0.0", ".5", "5.", "1e5", "1E-05", "1.5e+3", "1e999"})
    EXPECT_TRUE(IsDecimal(text)) << text;
  for (const std::string& text :
       {std::string(),         std::string("-"),       std::string("."),     std::string("0x1"),
        std::string("0x1p3"),  std::string("010"),     std::string("-01.5"), std::string("1e"),
        std::string("1e+"),    std::string("e5"),      std::string("inf"),   std::string("Infinity"),
        std::string("nan"),    std::string(" 1"),      std::string("1 "),    std::string("1,5"),
        std::string("1_000"),  std::string("1.2.3"),   std::string("--1"),   std::string("1f"),
        std::string("1\0", 2), std::string("\xd9\xa3")})
    EXPECT_FALSE(IsDecimal(text)) << text;
}

}  // namespace
}  // namespace lvrpo
