#pragma once

#include <cstdint>

// How large a pool should be, from what was measured of it: one rule. Pure.
namespace lvrpo {

// What was measured over whole steps of a run, or while it did nothing but wait.
struct PoolStretch {
  int64_t members = 0;  // the most at one time
  int64_t work = 0;  // groups that could be worked on at the same time: more members would have nothing to do
  double busy = 0;   // members that were at work, mean
  double full_load = 1;  // share of its members that may be busy: the rest is for work that comes unevenly
  // Shares of the time, 0 to 1, in which the learner waited for groups: and the pool had more work than
  // members; and the pool was at work.
  double lacking = 0, waited_for = 0;
  bool other_pool_lacks = false;  // what it waits for is the other pool
};

// Whether the pool was too small: a larger one would have kept the learner from waiting.
bool IsTooSmall(const PoolStretch& stretch);

// The size after one of `wanted` members. Grows by the share of time that was lost, to
// twice what is there at most; shrinks to what was busy, and
// never to `floor - 1` members.
int64_t NextSize(const PoolStretch& stretch, int64_t wanted, int64_t floor);

}  // namespace lvrpo
