// What every transport of weights must do. A new one is one more factory at the end of this file.
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/net/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/weight_plane/gang_world.h"
#include "tests/weight_plane/memory_transport.h"
#include "tests/weight_plane/some_weights.h"
#include "weight_plane/weight_client.h"
#include "weight_plane/weight_service.h"
#include "weight_plane/weight_transport.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

constexpr StreamLimits kLimits = {.whole = absl::Seconds(30), .silence = absl::Seconds(30)};

// Both ends of a transport, and what the fetcher calls the holder.
class Ends {
 public:
  virtual ~Ends() = default;
  virtual WeightPublisher& publisher() = 0;
  virtual WeightFetcher& fetcher() = 0;
  virtual std::string holder() = 0;
  // Bytes that came in another way than over this transport.
  virtual int64_t elsewhere() const { return 0; }
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
  WeightService service_{watch_, 2};
  std::unique_ptr<RpcServer> server_ = *RpcServer::Start({}, {&service_});
  WeightClient client_{64};
};

// Over NCCL; as in a run, what a broadcast does not give comes over gRPC. Each stream is of a broadcast to
// one worker, unless that has broken off before.
class NcclEnds final : public Ends, public WeightPublisher, public WeightFetcher {
 public:
  WeightPublisher& publisher() override { return *this; }
  WeightFetcher& fetcher() override { return *this; }
  std::string holder() override { return world_.address(); }
  int64_t elsewhere() const override { return over_grpc_; }

  void Publish(std::shared_ptr<const PackedWeights> weights) override {
    kept_.Keep(weights);
    world_.root->Publish(std::move(weights));
  }
  absl::string_view name() const override { return "nccl"; }
  std::unique_ptr<WeightStream> Open(const std::string& holder, int64_t number,
                                     const StreamLimits& limits) override {
    return std::make_unique<Either>(*this, holder, number, limits);
  }

 private:
  // From a broadcast if it is read from the begin, and from gRPC otherwise.
  class Either final : public WeightStream {
   public:
    Either(NcclEnds& ends, const std::string& holder, int64_t number, const StreamLimits& limits)
        : ends_(ends), number_(number), grpc_(ends.client_.Open(holder, number, limits)) {
      if (ends_.in_use_.exchange(true)) return;  // one at a time
      nccl_ = ends_.worker_.member().Open(holder, number, limits);
    }
    ~Either() override {
      if (nccl_ == nullptr) return;
      nccl_.reset();
      ends_.world_.AwaitRoot();
      ends_.in_use_ = false;
    }
    absl::StatusOr<v1::WeightManifest> Manifest() override {
      if (nccl_ == nullptr) return grpc_->Manifest();
      ends_.OfferAgain(number_);
      absl::StatusOr<v1::WeightManifest> manifest = nccl_->Manifest();
      over_nccl_ = manifest.ok();
      return over_nccl_ ? std::move(manifest) : grpc_->Manifest();
    }
    absl::StatusOr<size_t> Read(int64_t bucket, int64_t offset, std::span<char> into) override {
      if (over_nccl_) return nccl_->Read(bucket, offset, into);
      const absl::StatusOr<size_t> bytes = grpc_->Read(bucket, offset, into);
      ends_.over_grpc_ += bytes.ok() ? static_cast<int64_t>(*bytes) : 0;
      return bytes;
    }

   private:
    NcclEnds& ends_;
    const int64_t number_;
    const std::unique_ptr<WeightStream> grpc_;
    std::unique_ptr<WeightStream> nccl_;
    bool over_nccl_ = false;
  };

  void OfferAgain(int64_t number) {
    if (auto weights = kept_.Find(number)) world_.desk->Offer(std::move(weights));
  }

  GangWorld world_{NcclDouble::Newest(), /*most_failures=*/1000};
  GangWorld::Worker& worker_ = world_.Add("a");
  KeptVersions kept_{2};
  WeightClient client_{64};
  std::atomic<bool> in_use_ = false;
  std::atomic<int64_t> over_grpc_ = 0;
};

struct Kind {
  std::string name;
  std::function<std::unique_ptr<Ends>()> make;
};

// Gives up after some reads.
class BreakingStream final : public WeightStream {
 public:
  BreakingStream(std::unique_ptr<WeightStream> stream, int reads)
      : stream_(std::move(stream)), reads_(reads) {}
  absl::StatusOr<v1::WeightManifest> Manifest() override { return stream_->Manifest(); }
  absl::StatusOr<size_t> Read(int64_t bucket, int64_t offset, std::span<char> into) override {
    if (reads_-- == 0) return absl::UnavailableError("broken");
    return stream_->Read(bucket, offset, into);
  }

 private:
  const std::unique_ptr<WeightStream> stream_;
  int reads_;
};

class TransportTest : public ::testing::TestWithParam<Kind> {
 protected:
  std::shared_ptr<const PackedWeights> Publish(PackedWeights weights) {
    auto shared = std::make_shared<const PackedWeights>(std::move(weights));
    ends_->publisher().Publish(shared);
    return shared;
  }
  std::unique_ptr<WeightStream> Open(const WantedWeights& wanted) {
    return ends_->fetcher().Open(ends_->holder(), wanted.version.number(), kLimits);
  }
  absl::StatusOr<VerifiedWeights> Fetch(const WantedWeights& wanted) {
    received_ = 0;
    return ReceiveAll(*Open(wanted), wanted, [this](int64_t bytes) { received_ += bytes; });
  }

  const std::unique_ptr<Ends> ends_ = GetParam().make();
  int64_t received_ = 0;
};

TEST_P(TransportTest, DeliversEveryByte) {
  const auto weights = Publish(SomeWeights(4));
  ASSERT_EQ(weights->buckets.size(), 3u);
  const auto fetched = Fetch(WantedOf(*weights));
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(fetched->manifest().SerializeAsString(), weights->manifest.SerializeAsString());
  EXPECT_TRUE(SameBytes(fetched->buckets(), weights->buckets));
  EXPECT_EQ(received_, (3100 * 1000 + 7) * 4);
  EXPECT_EQ(ends_->elsewhere(), 0);
}

TEST_P(TransportTest, HasTheTwoNewestVersionsOnly) {
  std::vector<WantedWeights> wanted;
  for (const char fill : {'a', 'b', 'c'}) {
    const auto number = static_cast<int64_t>(wanted.size());
    wanted.push_back(WantedOf(SomeWeights(number, fill)));
    EXPECT_TRUE(absl::IsNotFound(Fetch(wanted.back()).status()));
    Publish(SomeWeights(number, fill));
  }
  EXPECT_TRUE(absl::IsNotFound(Fetch(wanted[0]).status()));
  for (const size_t number : {1, 2}) EXPECT_EQ(Fetch(wanted[number])->manifest().version().number(), number);
}

TEST_P(TransportTest, AByteThatChangedAfterPackingIsDataLoss) {
  for (const size_t bucket : {0, 1, 2}) {
    PackedWeights weights = SomeWeights(4);
    const WantedWeights wanted = WantedOf(weights);
    weights.buckets[bucket].data()[17] ^= 1;  // what the holder's memory says
    Publish(std::move(weights));
    const absl::Status status = Fetch(wanted).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(absl::StrCat("bucket ", bucket, " does not match its checksum")));
  }
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
  PackedWeights liar = CopyOf(*weights);
  liar.manifest.mutable_version()->set_number(5);
  liar.manifest.mutable_buckets(0)->set_size(8);
  wanted = WantedOf(liar);
  Publish(std::move(liar));
  EXPECT_TRUE(absl::IsDataLoss(Fetch(wanted).status()));
  EXPECT_EQ(received_, 0);
}

TEST_P(TransportTest, BucketsThatAreMissingOrShortAreDataLoss) {
  const PackedWeights whole = SomeWeights(4);
  PackedWeights missing = CopyOf(whole), small = CopyOf(whole);
  missing.buckets.pop_back();
  small.buckets[1] = Bucket(5);
  std::memset(small.buckets[1].data(), 'a', 5);
  for (PackedWeights* weights : {&missing, &small}) {
    Publish(std::move(*weights));
    const absl::Status status = Fetch(WantedOf(whole)).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  }
}

TEST_P(TransportTest, ContinuesAfterABreakAtAnyPiece) {
  const auto weights = Publish(SomeWeights(4));
  const WantedWeights wanted = WantedOf(*weights);
  int breaks = 0;
  for (bool broke = true; broke; ++breaks) {
    PartialWeights partial(wanted);
    BreakingStream breaking(Open(wanted), breaks);
    broke = !partial.Continue(breaking, nullptr).ok();
    int64_t rest = 0;
    ASSERT_TRUE(partial.Continue(*Open(wanted), [&](int64_t bytes) { rest += bytes; }).ok()) << breaks;
    EXPECT_EQ(rest == 0, !broke) << breaks;
    EXPECT_TRUE(SameBytes(std::move(partial).Take().buckets(), weights->buckets)) << breaks;
  }
  EXPECT_GE(breaks, 13);
}

// The holder makes another version under the same number while a stream of the first is open.
TEST_P(TransportTest, NeverMixesVersionsInOneStream) {
  const auto weights = Publish(SomeWeights(4));
  const WantedWeights wanted = WantedOf(*weights);
  const auto fetched = ReceiveAll(*Open(wanted), wanted, [this, published = false](int64_t) mutable {
    if (!std::exchange(published, true)) Publish(SomeWeights(4, 'b'));
  });
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_TRUE(SameBytes(fetched->buckets(), weights->buckets));
  // A stream that breaks finds the other version when it continues.
  PartialWeights partial(wanted);
  Publish(CopyOf(*weights));
  BreakingStream breaking(Open(wanted), 7);
  EXPECT_FALSE(partial.Continue(breaking, nullptr).ok());
  Publish(SomeWeights(4, 'b'));
  EXPECT_TRUE(absl::IsDataLoss(partial.Continue(*Open(wanted), nullptr)));
  Publish(CopyOf(*weights));
  EXPECT_TRUE(partial.Continue(*Open(wanted), nullptr).ok());
  EXPECT_TRUE(SameBytes(std::move(partial).Take().buckets(), weights->buckets));
}

TEST_P(TransportTest, ServesSeveralFetchersWhileVersionsAreMade) {
  const auto weights = Publish(SomeWeights(1));
  const WantedWeights wanted = WantedOf(*weights);
  std::atomic<int> whole = 0;
  std::vector<std::thread> fetchers;
  for (int i = 0; i < 3; ++i) {
    fetchers.emplace_back([&] { whole += ReceiveAll(*Open(wanted), wanted).ok() ? 1 : 0; });
  }
  Publish(SomeWeights(2, 'b'));
  for (std::thread& fetcher : fetchers) fetcher.join();
  EXPECT_EQ(whole, 3);
}

INSTANTIATE_TEST_SUITE_P(EachTransport, TransportTest,
                         ::testing::Values(Kind{"memory", [] { return std::make_unique<MemoryEnds>(); }},
                                           Kind{"grpc", [] { return std::make_unique<GrpcEnds>(); }},
                                           Kind{"nccl", [] { return std::make_unique<NcclEnds>(); }}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace lvrpo
