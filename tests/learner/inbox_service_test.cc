#include "learner/inbox_service.h"

#include <functional>

#include "absl/time/clock.h"
#include "common/files/filesystem.h"
#include "common/net/rpc.h"
#include "common/telemetry/metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/client.h"
#include "learner/upload_check.h"
#include "tests/learner/spool_test.h"
#include "tests/testing/fake_clock.h"

namespace lvrpo {
namespace {

v1::UploadHeader Header() {
  v1::UploadHeader header;
  header.mutable_fence()->set_run_id("run");
  header.mutable_fence()->set_run_epoch(3);
  header.mutable_fence()->set_member_id("rollout-0");
  header.mutable_lease()->set_ordinal(9);
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
           {"lowest", [](v1::UploadHeader& h) { h.mutable_lease()->set_ordinal(5); }, kOk},
           {"newer than the view", [](v1::UploadHeader& h) { h.mutable_lease()->set_ordinal(200); }, kOk},
           {"largest", [](v1::UploadHeader& h) { h.set_size_bytes(1000); }, kOk},
           {"late", [](v1::UploadHeader& h) { h.mutable_lease()->set_ordinal(4); }, kLater},
           {"far", [](v1::UploadHeader& h) { h.mutable_lease()->set_ordinal(1013); }, kLater},
           {"very far", [](v1::UploadHeader& h) { h.mutable_lease()->set_ordinal(1000000000000000); },
            kLater},
           {"farthest", [](v1::UploadHeader& h) { h.mutable_lease()->set_ordinal(INT64_MAX); }, kLater},
           {"old epoch", [](v1::UploadHeader& h) { h.mutable_fence()->set_run_epoch(2); }, kLater},
           {"new epoch", [](v1::UploadHeader& h) { h.mutable_fence()->set_run_epoch(4); }, kLater},
           {"another run", [](v1::UploadHeader& h) { h.mutable_fence()->set_run_id("other"); },
            absl::StatusCode::kFailedPrecondition},
           {"negative ordinal", [](v1::UploadHeader& h) { h.mutable_lease()->set_ordinal(-1); }, kInvalid},
           {"negative attempt", [](v1::UploadHeader& h) { h.mutable_lease()->set_attempt(-1); }, kInvalid},
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

// A learner's inbox on a separate port.
class InboxTest : public SpoolTest {
 protected:
  InboxTest()
      : spool_(run_ + "/spool"),
        watch_({.most = 2, .every = {}}, clock_),
        greetings_({.most = 100, .silent = absl::Seconds(2), .every = {}}, clock_),
        inbox_(spool_, watch_, greetings_, 16 << 20, metrics_) {
    EXPECT_TRUE(spool_.Open().ok());
    inbox_.Open([] { return kOpen; });
    server_ = *RpcServer::Start({}, {&inbox_});
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
  CallWatch watch_, greetings_;
  InboxService inbox_;
  LearnerClient client_{64};
  std::unique_ptr<RpcServer> server_;
};

TEST_F(InboxTest, CarriesTrajectoriesIntact) {
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

TEST_F(InboxTest, TakesNothingBeforeItsRunIsKnown) {
  InboxService starting(spool_, watch_, greetings_, 16 << 20, metrics_);
  const auto server = *RpcServer::Start({}, {&starting});
  const std::string bytes = Bytes(9);
  const auto upload = [&] {
    return client_.Upload(server->address(), HeaderOf(bytes), bytes, absl::Seconds(10));
  };
  EXPECT_TRUE(absl::IsUnavailable(upload()));
  starting.Open([] { return kOpen; });
  EXPECT_TRUE(upload().ok());
}

TEST_F(InboxTest, EndsStreamsThatAreSilentAndTellsOthersToComeAgain) {
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

// Whoever says nothing takes no place of those who upload, and not for long.
TEST_F(InboxTest, SilentStreamsHoldUpNobody) {
  const auto stub = v1::TrajectoryInbox::NewStub(MakeChannel(server_->address(), 64));
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientWriter<v1::UploadRequest>>> streams;
  v1::UploadResponse responses[InboxService::kGreetingsOfAPeer];
  for (v1::UploadResponse& response : responses) {
    contexts.push_back(MakeContext(absl::Seconds(30)));
    streams.push_back(stub->Upload(contexts.back().get(), &response));
  }
  ASSERT_TRUE(greetings_.AwaitOpen(InboxService::kGreetingsOfAPeer, absl::Seconds(30)));
  EXPECT_EQ(watch_.open(), 0);
  const std::string bytes = Bytes(9);
  EXPECT_TRUE(absl::IsResourceExhausted(Upload(HeaderOf(bytes), bytes)));  // another of this machine
  clock_.Advance(absl::Seconds(3));
  EXPECT_EQ(greetings_.CancelLate(), InboxService::kGreetingsOfAPeer);
  for (const auto& stream : streams) EXPECT_FALSE(stream->Finish().ok());
  ASSERT_TRUE(greetings_.AwaitOpen(0, absl::Seconds(30)));
  EXPECT_TRUE(Upload(HeaderOf(bytes), bytes).ok());
}

}  // namespace
}  // namespace lvrpo
