#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "collectives/collectives.h"
#include "gtest/gtest.h"

// The tests that every implementation of Collectives passes (collectives_suite.cc). A binary that links that
// file says INSTANTIATE_TEST_SUITE_P(..., CollectivesSuite, testing::Values(Implementation{...})).
namespace lvrpo {

// The ranks of one communicator in this process, with whatever they need around them. The destructor ends
// them.
class Ranks {
 public:
  virtual ~Ranks() = default;
  // Of those ranks that a test has not destroyed.
  std::vector<std::unique_ptr<Collectives>> ranks;
  // Called by a test whose ranks call different operations.
  virtual void ExpectMismatch() {}
};

struct Implementation {
  std::string name;
  // `deadline` is that of operations, not of making the ranks.
  std::function<std::unique_ptr<Ranks>(int size, absl::Duration deadline)> make;
  bool sums_in_rank_order = true;
  bool names_late_ranks = true;
  bool tells_mismatches = true;
  bool aborts_at_once = true;
  bool roots_wait = true;  // a broadcast's root ends only when the others take part
};

inline void PrintTo(const Implementation& implementation, std::ostream* out) { *out << implementation.name; }

class CollectivesSuite : public testing::TestWithParam<Implementation> {
 protected:
  // Far more than any operation of a test takes.
  static constexpr absl::Duration kAmple = absl::Seconds(60);
  // For an operation that cannot end.
  static constexpr absl::Duration kShort = absl::Milliseconds(20);

  std::unique_ptr<Ranks> Make(int size, absl::Duration deadline = kAmple) {
    return GetParam().make(size, deadline);
  }
  // Calls `run` for every rank, each in a separate thread.
  static void OnEach(Ranks& ranks, const std::function<void(Collectives&)>& run);
};

}  // namespace lvrpo
