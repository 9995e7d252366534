#include "common/names.h"

#include <gtest/gtest.h>

#include <string>

namespace lvrpo {
namespace {

TEST(IsName, IsOnePartOfAPathThatCanBePrinted) {
  for (const std::string& name :
       {std::string("a"), std::string("rollout-0"), std::string("A.b_c"), std::string(128, 'x')})
    EXPECT_TRUE(IsName(name, kMostMemberId)) << name;
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string(".a"), std::string("-a"),
        std::string("../x"), std::string("a/b"), std::string("a b"), std::string("a\nb"),
        std::string("a\xff"), std::string("\xc3\xa4"), std::string("a\0b", 3), std::string("a\x1b[31m"),
        std::string(129, 'x')})
    EXPECT_FALSE(IsName(name, kMostMemberId)) << name;
  EXPECT_TRUE(IsName(std::string(200, 'x'), kMostRunId));
}

}  // namespace
}  // namespace lvrpo
