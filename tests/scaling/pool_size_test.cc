#include "coordinator/scaling/pool_size.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(NextSize, OfAPool) {
  struct {
    const char* when;
    PoolStretch stretch;
    int64_t wanted, floor, next;
  } cases[] = {
      {"the learner waits, all are busy: twice as many",
       {.members = 4, .work = 64, .busy = 4, .lacking = .5, .waited_for = .5},
       4,
       1,
       8},
      {"never more than there is work for",
       {.members = 4, .work = 6, .busy = 4, .lacking = .5, .waited_for = .5},
       4,
       1,
       6},
      {"one becomes two", {.members = 1, .work = 8, .busy = 1, .lacking = 1, .waited_for = 1}, 1, 1, 2},
      {"members that still load count as wanted",
       {.members = 2, .work = 64, .busy = 2, .lacking = 1, .waited_for = 1},
       8,
       1,
       8},
      {"as many as can work: it stays",
       {.members = 8, .work = 8, .busy = 6, .lacking = .3, .waited_for = .5},
       8,
       1,
       8},
      {"the other pool is what is waited for: it stays",
       {.members = 4, .work = 64, .busy = 4, .lacking = .5, .waited_for = .5, .other_pool_lacks = true},
       4,
       1,
       4},
      {"a short wait: it stays",
       {.members = 4, .work = 64, .busy = 1, .lacking = .05, .waited_for = .05},
       4,
       1,
       4},
      {"no wait: what was busy, with room to spare",
       {.members = 16, .work = 64, .busy = 4, .full_load = .8},
       16,
       1,
       5},
      {"never a size that was too small", {.members = 16, .work = 64, .busy = 4, .full_load = .8}, 16, 7, 7},
      {"no wait, all busy: it does not grow",
       {.members = 4, .work = 64, .busy = 4, .full_load = .8},
       4,
       1,
       4},
      {"idle: one stays", {.members = 4, .work = 64}, 4, 1, 1},
  };
  for (const auto& c : cases) EXPECT_EQ(NextSize(c.stretch, c.wanted, c.floor), c.next) << c.when;
}

}  // namespace
}  // namespace lvrpo
