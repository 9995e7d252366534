#include "coordinator/records/read_only.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(ReadOnlyName, FollowsWhatLiesBesideTheDatabase) {
  struct Case {
    DatabaseFacts facts;
    const char* name;  // empty: refused
  };
  for (const Case& c : std::initializer_list<Case>{
           {{.may_write = true}, "file:/r/a.sqlite"},
           {{.may_write = true, .has_log = true}, "file:/r/a.sqlite"},
           {{.may_write = true, .has_log = true, .has_index = true}, "file:/r/a.sqlite"},
           {{.may_write = false}, "file:/r/a.sqlite?immutable=1"},
           {{.may_write = false, .has_index = true}, "file:/r/a.sqlite?immutable=1"},
           {{.may_write = false, .has_log = true, .has_index = true}, "file:/r/a.sqlite"},
           {{.may_write = false, .has_log = true}, ""},
       }) {
    const absl::StatusOr<std::string> name = ReadOnlyName("/r/a.sqlite", c.facts);
    EXPECT_EQ(name.value_or(""), c.name);
    if (!name.ok()) {
      EXPECT_TRUE(absl::IsPermissionDenied(name.status()));
    }
  }
}

TEST(ReadOnlyName, TakesAnyPath) {
  EXPECT_EQ(*ReadOnlyName("/a b/?#%&\xff/x.sqlite", {.may_write = true}),
            "file:/a%20b/%3f%23%25%26%ff/x.sqlite");
  EXPECT_EQ(*ReadOnlyName("x.sqlite", {.may_write = true}), "file:x.sqlite");
}

}  // namespace
}  // namespace lvrpo
