#include "collectives/in_process.h"

#include "tests/collectives/collectives_suite.h"

namespace lvrpo {
namespace {

std::unique_ptr<Ranks> MakeRanks(int size, absl::Duration deadline) {
  auto made = std::make_unique<Ranks>();
  made->ranks = MakeInProcess(size, deadline);
  return made;
}

INSTANTIATE_TEST_SUITE_P(InProcess, CollectivesSuite,
                         testing::Values(Implementation{.name = "in_process", .make = MakeRanks}));

}  // namespace
}  // namespace lvrpo
