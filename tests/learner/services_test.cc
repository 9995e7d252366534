#include <functional>

#include "absl/time/clock.h"
#include "common/files/filesystem.h"
#include "common/net/rpc.h"
#include "common/telemetry/metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/call_watch.h"
#include "learner/client.h"
#include "learner/inbox_service.h"
#include "learner/upload_check.h"
#include "learner/weight_service.h"
#include "tests/learner/spool_test.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

TEST(CallWatch, BoundsHowManyStreamsThereAreAndHowLongTheyTake) {
  FakeClock clock;
  CallWatch watch({.most = 2, .longest = absl::Seconds(60), .silent = absl::Seconds(10), .every = {}}, clock);
  std::vector<int> cancelled;
  auto silent = watch.Begin([&] { cancelled.push_back(1); });
  auto slow = watch.Begin([&] { cancelled.push_back(2); });
  EXPECT_EQ(watch.Begin([] {}), nullptr);
  for (int i = 0; i < 7; ++i) {
    clock.Advance(absl::Seconds(9));
    slow->Heard();
    watch.CancelLate();
    watch.CancelLate();
  }
  EXPECT_THAT(cancelled, ::testing::ElementsAre(1, 2));  // each once
  silent.reset();
  EXPECT_NE(watch.Begin([] {}), nullptr);
  slow.reset();
  EXPECT_EQ(watch.CancelLate(), 0);
}

v1::UploadHeader Header() {
  v1::UploadHeader header;
  header.mutable_fence()->set_run_id("run");
  header.mutable_fence()->set_run_epoch(3);
  header.mutable_fence()->set_member_id("rollout-0");
  header.set_ordinal(9);
  header.set_size_bytes(100);
  header.set_digest(std::string(64, 'a'));
  return header;
}

constexpr char kRun[] = "run";
const OpenLeases kOpen = {.run_id = kRun, .run_epoch = 3, .lowest_open_ordinal = 5, .next_ordinal = 13};

TEST(CheckUpload, TakesOnlyWhatALeaseOfThisRunCanBeFor) {
  EXPECT_TRUE(CheckUpload(Header(), kOpen, 1000).ok());
  struct Case {
    std::string name;
    std::function<void(v1::UploadHeader&)> change;
    absl::StatusCode code;
  };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument, kLater = absl::StatusCode::kUnavailable,
                 kOk = absl::StatusCode::kOk;
  for (const Case& c : std::vector<Case>{
           {"lowest", [](v1::UploadHeader& h) { h.set_ordinal(5); }, kOk},
           {"newer than the view", [](v1::UploadHeader& h) { h.set_ordinal(200); }, kOk},
           {"largest", [](v1::UploadHeader& h) { h.set_size_bytes(1000); }, kOk},
           {"late", [](v1::UploadHeader& h) { h.set_ordinal(4); }, kLater},
           {"far", [](v1::UploadHeader& h) { h.set_ordinal(1013); }, kLater},
           {"very far", [](v1::UploadHeader& h) { h.set_ordinal(1000000000000000); }, kLater},
           {"farthest", [](v1::UploadHeader& h) { h.set_ordinal(INT64_MAX); }, kLater},
           {"old epoch", [](v1::UploadHeader& h) { h.mutable_fence()->set_run_epoch(2); }, kLater},
           {"new epoch", [](v1::UploadHeader& h) { h.mutable_fence()->set_run_epoch(4); }, kLater},
           {"another run", [](v1::UploadHeader& h) { h.mutable_fence()->set_run_id("other"); },
            absl::StatusCode::kFailedPrecondition},
           {"negative ordinal", [](v1::UploadHeader& h) { h.set_ordinal(-1); }, kInvalid},
           {"negative attempt", [](v1::UploadHeader& h) { h.set_attempt(-1); }, kInvalid},
           {"empty", [](v1::UploadHeader& h) { h.set_size_bytes(0); }, kInvalid},
           {"negative size", [](v1::UploadHeader& h) { h.set_size_bytes(-1); }, kInvalid},
           {"too large", [](v1::UploadHeader& h) { h.set_size_bytes(1001); }, kInvalid},
           {"no digest", [](v1::UploadHeader& h) { h.clear_digest(); }, kInvalid},
           {"short digest", [](v1::UploadHeader& h) { h.set_digest("abc"); }, kInvalid},
           {"upper case", [](v1::UploadHeader& h) { h.set_digest(std::string(64, 'A')); }, kInvalid},
           {"a path", [](v1::UploadHeader& h) { h.set_digest("../" + std::string(61, 'a')); }, kInvalid},
           {"no member", [](v1::UploadHeader& h) { h.mutable_fence()->clear_member_id(); }, kInvalid},
           {"line feed", [](v1::UploadHeader& h) { h.mutable_fence()->set_member_id("a\nb"); }, kInvalid},
           {"long name", [](v1::UploadHeader& h) { h.mutable_fence()->set_member_id(std::string(300, 'a')); },
            kInvalid},
       }) {
    v1::UploadHeader header = Header();
    c.change(header);
    EXPECT_EQ(CheckUpload(header, kOpen, 1000).code(), c.code) << c.name;
  }
  EXPECT_TRUE(absl::IsUnavailable(CheckUpload(Header(), {}, 1000)));  // before the learner has joined
}

// A learner's two services on a separate port.
class LearnerServicesTest : public SpoolTest {
 protected:
  LearnerServicesTest()
      : spool_(run_ + "/spool"),
        watch_({.most = 2, .every = {}}, clock_),
        inbox_(
            spool_, watch_, [] { return kOpen; }, 16 << 20, metrics_),
        weights_(watch_, metrics_) {
    EXPECT_TRUE(spool_.Open().ok());
    server_ = *RpcServer::Start({}, {&inbox_, &weights_});
  }
  absl::Status Upload(const v1::UploadHeader& header, const std::string& bytes) {
    return client_.Upload(server_->address(), header, bytes, absl::Seconds(10));
  }
  static v1::UploadHeader HeaderOf(const std::string& bytes) {
    v1::UploadHeader header = Header();
    header.set_size_bytes(static_cast<int64_t>(bytes.size()));
    header.set_digest(Sha256Hex(bytes));
    return header;
  }

  Metrics metrics_;
  Spool spool_;
  CallWatch watch_;
  InboxService inbox_;
  WeightService weights_;
  LearnerClient client_{64};
  std::unique_ptr<RpcServer> server_;
};

TEST_F(LearnerServicesTest, CarryTrajectoriesIntact) {
  const std::string bytes = Bytes(9, size_t{5} << 20);  // several chunks
  v1::UploadHeader header = HeaderOf(bytes);
  EXPECT_TRUE(Upload(header, bytes).ok());
  EXPECT_TRUE(Upload(header, bytes).ok());  // again
  EXPECT_EQ(spool_.Get(9, 0, header.digest())->image_rgb().size(), size_t{5} << 20);
  header.mutable_fence()->set_run_id("another");
  EXPECT_TRUE(absl::IsFailedPrecondition(Upload(header, bytes)));
  header = HeaderOf(bytes);
  header.set_digest(std::string(64, 'a'));
  EXPECT_TRUE(absl::IsDataLoss(Upload(header, bytes)));
  EXPECT_TRUE(absl::IsDataLoss(Upload(HeaderOf(bytes), bytes + "more")));
  EXPECT_EQ(ListFolder(run_ + "/spool")->size(), 1u);
}

TEST_F(LearnerServicesTest, EndStreamsThatAreSilentAndTellOthersToComeAgain) {
  const auto stub = v1::TrajectoryInbox::NewStub(MakeChannel(server_->address(), 64));
  v1::UploadRequest begin;
  *begin.mutable_header() = Header();
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientWriter<v1::UploadRequest>>> streams;
  v1::UploadResponse responses[2];
  for (v1::UploadResponse& response : responses) {
    contexts.push_back(MakeContext(absl::Seconds(30)));
    streams.push_back(stub->Upload(contexts.back().get(), &response));
    ASSERT_TRUE(streams.back()->Write(begin));
  }
  ASSERT_TRUE(watch_.AwaitOpen(2, absl::Seconds(30)));
  const std::string bytes = Bytes(9);
  EXPECT_TRUE(absl::IsResourceExhausted(Upload(HeaderOf(bytes), bytes)));
  clock_.Advance(absl::Minutes(2));
  EXPECT_EQ(watch_.CancelLate(), 2);
  for (const auto& stream : streams) EXPECT_FALSE(stream->Finish().ok());
  ASSERT_TRUE(watch_.AwaitOpen(0, absl::Seconds(30)));
  EXPECT_TRUE(Upload(HeaderOf(bytes), bytes).ok());
}

TEST_F(LearnerServicesTest, CarryWeightsIntact) {
  const std::string address = server_->address();
  absl::Status allowed;
  const auto fetch = [&](const v1::PolicyVersion& version, int64_t* received = nullptr) {
    return client_.FetchWeights(
        address, version, [&](const v1::WeightManifest&) { return allowed; }, absl::Seconds(10),
        [&](int64_t n) {
          if (received != nullptr) *received += n;
        });
  };
  const TensorMap tensors = {{"a", torch::randn({1500, 1000})}, {"b", torch::randn({7})}};
  auto packed = std::make_shared<PackedWeights>(PackWeights(tensors, 4));
  EXPECT_EQ(packed->buckets.size(), 2u);  // "a" fills one
  EXPECT_TRUE(absl::IsNotFound(fetch(packed->manifest.version()).status()));
  weights_.Publish(packed);
  int64_t received = 0;
  const auto fetched = fetch(packed->manifest.version(), &received);
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(received, (1500 * 1000 + 7) * 4);
  const auto unpacked = UnpackWeights(fetched->manifest, fetched->buckets);
  EXPECT_TRUE(torch::equal(unpacked->at("a"), tensors.at("a")));
  EXPECT_TRUE(torch::equal(unpacked->at("b"), tensors.at("b")));
  v1::PolicyVersion wrong = packed->manifest.version();
  wrong.set_digest("another");
  EXPECT_TRUE(absl::IsDataLoss(fetch(wrong).status()));
  // A manifest that is refused, and one that announces less than comes.
  received = 0;
  allowed = absl::DataLossError("too much");
  EXPECT_EQ(fetch(packed->manifest.version(), &received).status(), allowed);
  EXPECT_EQ(received, 0);
  allowed = absl::OkStatus();
  auto liar = std::make_shared<PackedWeights>(*packed);
  liar->manifest.mutable_version()->set_number(5);
  liar->manifest.mutable_buckets(0)->set_size(8);
  weights_.Publish(liar);
  EXPECT_TRUE(absl::IsDataLoss(fetch(liar->manifest.version(), &received).status()));
  EXPECT_EQ(received, 0);
}

}  // namespace
}  // namespace lvrpo
