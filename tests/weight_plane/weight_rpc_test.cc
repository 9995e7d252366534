// Holders that fail, stall, lie or are full, over gRPC.
#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/net/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/weight_plane/memory_transport.h"
#include "tests/weight_plane/some_weights.h"
#include "weight_plane/weight_client.h"
#include "weight_plane/weight_service.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

constexpr StreamLimits kPatient = {.whole = absl::Seconds(30), .silence = absl::Seconds(30)};
constexpr StreamLimits kImpatient = {.whole = absl::Seconds(30), .silence = absl::Milliseconds(100)};

// A holder of one version.
struct Holder {
  explicit Holder(const PackedWeights& weights, int streams = 4) : watch({.most = streams, .every = {}}) {
    service.Publish(std::make_shared<const PackedWeights>(CopyOf(weights)));
  }
  const std::string& address() const { return server->address(); }

  CallWatch watch;
  int64_t sent = 0;
  WeightService service{watch, 1, [this](int64_t bytes) { sent += bytes; }};
  std::unique_ptr<RpcServer> server = *RpcServer::Start({}, {&service});
};

// Says whatever it is told to.
class Liar final : public v1::WeightSource::Service {
 public:
  using Send = std::function<void(int64_t first_bucket, grpc::ServerWriter<v1::WeightChunk>&)>;
  Liar(v1::WeightManifest manifest, Send send) : manifest_(std::move(manifest)), send_(std::move(send)) {}

  grpc::Status GetManifest(grpc::ServerContext*, const v1::GetManifestRequest*,
                           v1::WeightManifest* response) override {
    *response = manifest_;
    return grpc::Status::OK;
  }
  grpc::Status StreamWeights(grpc::ServerContext*, const v1::StreamWeightsRequest* request,
                             grpc::ServerWriter<v1::WeightChunk>* writer) override {
    send_(request->first_bucket(), *writer);
    return grpc::Status::OK;
  }
  const std::string& address() const { return server_->address(); }

 private:
  const v1::WeightManifest manifest_;
  const Send send_;
  std::unique_ptr<RpcServer> server_ = *RpcServer::Start({}, {this});
};

class WeightRpcTest : public ::testing::Test {
 protected:
  std::unique_ptr<WeightStream> Open(const std::string& address, const StreamLimits& limits = kPatient) {
    return client_.Open(address, wanted_.version.number(), limits);
  }

  const PackedWeights weights_ = SomeWeights(4);
  const WantedWeights wanted_ = WantedOf(weights_);
  WeightClient client_{64};
};

TEST_F(WeightRpcTest, AHolderThatDiesIsReplacedWithoutSendingTwice) {
  Holder first(weights_), second(weights_);
  PartialWeights partial(wanted_);
  int64_t came = 0;
  const absl::Status status = partial.Continue(*Open(first.address()), [&](int64_t bytes) {
    if (came < 7000000 && came + bytes >= 7000000) first.server->Shutdown(absl::ZeroDuration());
    came += bytes;
  });
  // What was under way when it died may still have come; what is missing comes from the other.
  EXPECT_FALSE(absl::IsDataLoss(status)) << status;
  ASSERT_TRUE(partial.Continue(*Open(second.address()), nullptr).ok());
  EXPECT_TRUE(SameBytes(std::move(partial).Take().buckets(), weights_.buckets));
  EXPECT_LE(second.sent, static_cast<int64_t>(weights_.buckets[1].size() + weights_.buckets[2].size()));
  const absl::Status gone = PartialWeights(wanted_).Continue(*Open(first.address()), nullptr);
  EXPECT_TRUE(absl::IsUnavailable(gone)) << gone;
}

TEST_F(WeightRpcTest, AFullHolderSaysSo) {
  Holder holder(weights_, /*streams=*/1);
  const std::unique_ptr<WeightStream> open = Open(holder.address());
  Bucket bucket(weights_.buckets[0].size());
  ASSERT_TRUE(open->Read(0, 0, {bucket.data(), bucket.size()}).ok());
  const absl::Status status = PartialWeights(wanted_).Continue(*Open(holder.address()), nullptr);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
}

TEST_F(WeightRpcTest, AStreamThatWasLeftMakesRoom) {
  Holder holder(weights_, /*streams=*/1);
  for (int i = 0; i < 3; ++i) {
    Bucket bucket(weights_.buckets[0].size());
    EXPECT_TRUE(Open(holder.address())->Read(0, 0, {bucket.data(), bucket.size()}).ok());
    EXPECT_TRUE(holder.watch.AwaitOpen(0, absl::Seconds(30)));
  }
}

TEST_F(WeightRpcTest, AHolderThatStallsIsLeft) {
  absl::Notification end;
  Liar stalls(weights_.manifest,
              [&](int64_t, grpc::ServerWriter<v1::WeightChunk>&) { end.WaitForNotification(); });
  const absl::Status status = PartialWeights(wanted_).Continue(*Open(stalls.address(), kImpatient), nullptr);
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  end.Notify();
}

TEST_F(WeightRpcTest, NothingThatIsNotTheNextPieceIsTaken) {
  const auto chunk = [](int64_t bucket, int64_t offset, size_t size) {
    v1::WeightChunk chunk;
    chunk.set_bucket(bucket);
    chunk.set_offset(offset);
    chunk.mutable_chunk()->set_data(std::string(size, 'a'));
    return chunk;
  };
  const std::vector<std::pair<std::string, std::vector<v1::WeightChunk>>> lies = {
      {"nothing", {}},
      {"another bucket", {chunk(1, 0, 100)}},
      {"a gap", {chunk(0, 0, 100), chunk(0, 101, 100)}},
      {"the same again", {chunk(0, 0, 100), chunk(0, 0, 100)}},
      {"no bytes", {chunk(0, 0, 0)}},
      {"too many bytes", {chunk(0, 0, 6000001)}},
      {"half", {chunk(0, 0, 3000000)}},
  };
  for (const auto& lie : lies) {
    Liar liar(weights_.manifest, [&](int64_t, grpc::ServerWriter<v1::WeightChunk>& writer) {
      for (const v1::WeightChunk& piece : lie.second) writer.Write(piece);
    });
    const absl::Status status = PartialWeights(wanted_).Continue(*Open(liar.address()), nullptr);
    EXPECT_TRUE(absl::IsDataLoss(status)) << lie.first << ": " << status;
  }
}

TEST_F(WeightRpcTest, MoreThanWasAnnouncedIsNotRead) {
  Liar generous(weights_.manifest, [&](int64_t, grpc::ServerWriter<v1::WeightChunk>& writer) {
    for (int64_t bucket = 0; bucket < 100; ++bucket) {
      v1::WeightChunk chunk;
      chunk.set_bucket(bucket);
      const auto announced = std::min<size_t>(static_cast<size_t>(bucket), 2);
      chunk.mutable_chunk()->set_data(std::string(weights_.buckets[announced].size(), 'a'));
      if (!writer.Write(chunk)) return;
    }
  });
  int64_t came = 0;
  PartialWeights partial(wanted_);
  ASSERT_TRUE(partial.Continue(*Open(generous.address()), [&](int64_t bytes) { came += bytes; }).ok());
  EXPECT_EQ(came, (3100 * 1000 + 7) * 4);
}

TEST_F(WeightRpcTest, AWrongFirstBucketIsRefused) {
  Holder holder(weights_);
  char byte = 0;
  EXPECT_TRUE(absl::IsInvalidArgument(Open(holder.address())->Read(-1, 0, {&byte, 1}).status()));
  EXPECT_TRUE(absl::IsDataLoss(Open(holder.address())->Read(9, 0, {&byte, 1}).status()));
}

}  // namespace
}  // namespace lvrpo
