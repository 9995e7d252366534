#include "weight_plane/holders.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(PickHolder, TakesTheLeastLoadedAndOfEqualsTheFirst) {
  v1::PoolView view;
  EXPECT_TRUE(absl::IsUnavailable(PickHolder(view).status()));
  for (const auto& [address, load] :
       std::vector<std::pair<std::string, double>>{{"a:1", 2}, {"b:1", 1}, {"c:1", 1}}) {
    v1::Member& holder = *view.add_weight_holders();
    holder.set_address(address);
    holder.set_load(load);
  }
  EXPECT_EQ(*PickHolder(view), "b:1");
  view.mutable_weight_holders(0)->set_load(0);
  EXPECT_EQ(*PickHolder(view), "a:1");
}

}  // namespace
}  // namespace lvrpo
