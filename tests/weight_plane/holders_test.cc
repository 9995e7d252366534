#include "weight_plane/holders.h"

#include <map>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

v1::PoolView ViewOf(const std::map<std::string, int>& streams_of) {
  v1::PoolView view;
  for (const auto& [address, streams] : streams_of) {
    v1::Member& holder = *view.add_weight_holders();
    holder.set_address(address);
    holder.set_weight_streams(streams);
  }
  return view;
}

TEST(PickHolder, TakesNoneThatIsAvoided) {
  EXPECT_TRUE(absl::IsUnavailable(PickHolder({}, {}, 0).status()));
  const v1::PoolView view = ViewOf({{"a:1", 0}, {"b:1", 9}});
  for (uint64_t draw = 0; draw < 10; ++draw) EXPECT_EQ(PickHolder(view, {"a:1"}, draw)->address(), "b:1");
  EXPECT_TRUE(absl::IsUnavailable(PickHolder(view, {"a:1", "b:1"}, 0).status()));
}

TEST(PickHolder, TakesTheLessLoadedOfTwoDrawn) {
  const v1::PoolView view = ViewOf({{"a:1", 1}, {"b:1", 0}});
  for (uint64_t draw = 0; draw < 10; ++draw) EXPECT_EQ(PickHolder(view, {}, draw)->address(), "b:1");
}

// Members that see the same view do not all ask the same holder.
TEST(PickHolder, SpreadsOverAllButTheBusiest) {
  const v1::PoolView view = ViewOf({{"a:1", 0}, {"b:1", 0}, {"c:1", 0}, {"d:1", 3}});
  std::map<std::string, int> picked;
  for (uint64_t draw = 0; draw < 12; ++draw) ++picked[PickHolder(view, {}, draw)->address()];
  EXPECT_EQ(picked.size(), 3u);
  for (const auto& [address, times] : picked) EXPECT_GE(times, 2) << address;
}

}  // namespace
}  // namespace lvrpo
