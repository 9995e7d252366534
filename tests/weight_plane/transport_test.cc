// What every transport of weights must do. A new one is one more factory at the end of this file.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/net/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/weight_plane/memory_transport.h"
#include "tests/weight_plane/some_weights.h"
#include "weight_plane/weight_client.h"
#include "weight_plane/weight_service.h"
#include "weight_plane/weight_transport.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

// Both ends of a transport, and what the fetcher calls the holder.
class Ends {
 public:
  virtual ~Ends() = default;
  virtual WeightPublisher& publisher() = 0;
  virtual WeightFetcher& fetcher() = 0;
  virtual std::string holder() = 0;
};

class MemoryEnds final : public Ends {
 public:
  WeightPublisher& publisher() override { return transport_; }
  WeightFetcher& fetcher() override { return transport_; }
  std::string holder() override { return "here"; }

 private:
  MemoryTransport transport_;
};

class GrpcEnds final : public Ends {
 public:
  WeightPublisher& publisher() override { return service_; }
  WeightFetcher& fetcher() override { return client_; }
  std::string holder() override { return server_->address(); }

 private:
  CallWatch watch_{{.every = {}}};
  WeightService service_{watch_};
  std::unique_ptr<RpcServer> server_ = *RpcServer::Start({}, {&service_});
  WeightClient client_{64};
};

struct Kind {
  std::string name;
  std::function<std::unique_ptr<Ends>()> make;
};

class TransportTest : public ::testing::TestWithParam<Kind> {
 protected:
  std::shared_ptr<const PackedWeights> Publish(PackedWeights weights) {
    auto shared = std::make_shared<const PackedWeights>(std::move(weights));
    ends_->publisher().Publish(shared);
    return shared;
  }
  absl::StatusOr<VerifiedWeights> Fetch(const WantedWeights& wanted) {
    received_ = 0;
    return ends_->fetcher().Fetch(ends_->holder(), wanted, absl::Seconds(30),
                                  [this](int64_t bytes) { received_ += bytes; });
  }

  const std::unique_ptr<Ends> ends_ = GetParam().make();
  int64_t received_ = 0;
};

TEST_P(TransportTest, DeliversEveryByte) {
  const auto weights = Publish(SomeWeights(4));
  ASSERT_EQ(weights->buckets.size(), 2u);
  const auto fetched = Fetch(WantedOf(*weights));
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(fetched->manifest().SerializeAsString(), weights->manifest.SerializeAsString());
  EXPECT_TRUE(fetched->buckets() == weights->buckets);
  EXPECT_EQ(received_, (1500 * 1000 + 7) * 4);
}

TEST_P(TransportTest, HasTheTwoNewestVersionsOnly) {
  std::vector<WantedWeights> wanted;
  for (const char fill : {'a', 'b', 'c'}) {
    const auto number = static_cast<int64_t>(wanted.size());
    wanted.push_back(WantedOf(SomeWeights(number, fill)));
    EXPECT_TRUE(absl::IsNotFound(Fetch(wanted.back()).status()));
    Publish(SomeWeights(number, fill));
  }
  const absl::Status gone = Fetch(wanted[0]).status();
  EXPECT_TRUE(absl::IsNotFound(gone));
  EXPECT_THAT(std::string(gone.message()), HasSubstr(ends_->holder()));
  for (const size_t number : {1, 2}) EXPECT_EQ(Fetch(wanted[number])->manifest().version().number(), number);
}

TEST_P(TransportTest, AByteThatChangedAfterPackingIsDataLoss) {
  PackedWeights weights = SomeWeights(4);
  const WantedWeights wanted = WantedOf(weights);
  weights.buckets[0][4711] ^= 1;  // what the holder's memory says: every checksum on the way is right
  Publish(std::move(weights));
  const absl::Status status = Fetch(wanted).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("bucket 0 does not match its checksum"));
}

TEST_P(TransportTest, OtherValuesUnderTheSameNumberAreDataLossBeforeAnyAreTransferred) {
  Publish(SomeWeights(4, 'b'));
  const absl::Status status = Fetch(WantedOf(SomeWeights(4, 'a'))).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_EQ(received_, 0);
}

TEST_P(TransportTest, TransfersNothingThatIsNotWanted) {
  const auto weights = Publish(SomeWeights(4));
  WantedWeights wanted = WantedOf(*weights);
  wanted.shapes.erase("small");
  EXPECT_TRUE(absl::IsDataLoss(Fetch(wanted).status()));
  PackedWeights liar = *weights;
  liar.manifest.mutable_version()->set_number(5);
  liar.manifest.mutable_buckets(0)->set_size(8);
  wanted = WantedOf(liar);
  Publish(std::move(liar));
  EXPECT_TRUE(absl::IsDataLoss(Fetch(wanted).status()));
  EXPECT_EQ(received_, 0);
}

TEST_P(TransportTest, BucketsThatAreMissingAreDataLoss) {
  PackedWeights weights = SomeWeights(4);
  const WantedWeights wanted = WantedOf(weights);
  weights.buckets.pop_back();
  Publish(std::move(weights));
  EXPECT_TRUE(absl::IsDataLoss(Fetch(wanted).status()));
}

TEST_P(TransportTest, ServesSeveralFetchersWhileVersionsAreMade) {
  const auto weights = Publish(SomeWeights(1));
  std::atomic<int> whole = 0;
  std::vector<std::thread> fetchers;
  for (int i = 0; i < 3; ++i) {
    fetchers.emplace_back([&] {
      whole += ends_->fetcher().Fetch(ends_->holder(), WantedOf(*weights), absl::Seconds(30)).ok() ? 1 : 0;
    });
  }
  Publish(SomeWeights(2, 'b'));
  for (std::thread& fetcher : fetchers) fetcher.join();
  EXPECT_EQ(whole, 3);
}

INSTANTIATE_TEST_SUITE_P(EachTransport, TransportTest,
                         ::testing::Values(Kind{"memory", [] { return std::make_unique<MemoryEnds>(); }},
                                           Kind{"grpc", [] { return std::make_unique<GrpcEnds>(); }}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace lvrpo
