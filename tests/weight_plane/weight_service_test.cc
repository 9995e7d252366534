#include "weight_plane/weight_service.h"

#include <memory>

#include "common/net/rpc.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"
#include "tests/weight_plane/some_weights.h"
#include "weight_plane/resuming_fetch.h"
#include "weight_plane/weight_client.h"

namespace lvrpo {
namespace {

// A receiver that takes the pieces slowly is not silent.
TEST(WeightService, AStreamGoesOnAsLongAsItsPiecesAreTaken) {
  FakeClock clock;
  CallWatch watch({.most = 1, .longest = absl::Hours(1), .silent = absl::Seconds(10), .every = {}}, clock);
  int pieces = 0, cancelled = 0;
  WeightService service(watch, 1, [&](int64_t) {
    ++pieces;
    clock.Advance(absl::Seconds(6));
    cancelled += watch.CancelLate();
  });
  const auto server = *RpcServer::Start({}, {&service});
  const auto weights = std::make_shared<const PackedWeights>(SomeWeights(4));
  service.Publish(weights);
  v1::PoolView view;
  view.add_weight_holders()->set_address(server->address());
  WeightClient client(64);
  ResumingFetch fetch(
      client, {.own_address = "", .limits = {.whole = absl::Seconds(30), .silence = absl::Seconds(30)}});
  const auto fetched = fetch.Fetch(WantedOf(*weights), [&] { return view; });
  EXPECT_TRUE(fetched.ok()) << fetched.status();
  server->Shutdown(absl::Seconds(20));
  EXPECT_GT(pieces, 2);
  EXPECT_EQ(cancelled, 0);
}

}  // namespace
}  // namespace lvrpo
