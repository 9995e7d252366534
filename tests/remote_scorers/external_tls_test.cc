#include "reward_server/remote/http/external_tls.h"

#include <cstdlib>

#include "common/exit_code.h"
#include "common/net/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/lvrpo/v1/external_scorer.grpc.pb.h"
#include "reward_server/remote/external_scorer.h"
#include "reward_server/remote/http/curl_transport.h"
#include "tests/testing/fake_waiting.h"
#include "tests/testing/test_certificates.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

class DescribedScorer final : public v1::ExternalScorer::Service {
 public:
  grpc::Status Describe(grpc::ServerContext*, const v1::DescribeScorerRequest*,
                        v1::DescribeScorerResponse* response) override {
    response->set_digest("w/1");
    return grpc::Status::OK;
  }
};

class ExternalTlsTest : public ::testing::Test {
 protected:
  ~ExternalTlsTest() override { unsetenv("LVRPO_EXTERNAL_TLS"); }
  void Use(const std::string& folder) { setenv("LVRPO_EXTERNAL_TLS", (folder_ / folder).c_str(), 1); }
  // A scorer that wants a certificate.
  std::unique_ptr<RpcServer> Serve(const TestAuthority& authority, const std::string& bundle = "") {
    RpcServer::Options options;
    options.tls = std::make_shared<TlsContext>(authority.Write(folder_, "scorer", PeerRole::kReward, bundle));
    return *RpcServer::Start(options, {&service_});
  }
  absl::Status Meet(const std::string& address) {
    v1::ExternalScorerConfig config;
    config.set_name("mine");
    config.set_address(address);
    config.set_task("image");
    LinkOptions options;
    options.waiting = time_.waiting();
    return ExternalScorer::Create(config, options).status();
  }

  const TemporaryFolder folder_;
  const TestAuthority ours_, theirs_;
  DescribedScorer service_;
  FakeWaiting time_;
};

TEST_F(ExternalTlsTest, ScorersAreMetWithTheFoldersCertificates) {
  ours_.Write(folder_, "client", PeerRole::kReward);
  Use("client");
  const auto server = Serve(ours_);
  EXPECT_EQ(Meet(server->address()), absl::OkStatus());
}

TEST_F(ExternalTlsTest, AScorerOfAnotherCaEndsTheStart) {
  ours_.Write(folder_, "client", PeerRole::kReward);
  Use("client");
  const auto server = Serve(theirs_, ours_.certificate());
  const absl::Status status = Meet(server->address());
  EXPECT_EQ(ExitCodeFor(status), kExitData) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("is not accepted: it is expired, or its CA is not in ca.crt"));
  EXPECT_TRUE(time_.waits.empty());
}

TEST_F(ExternalTlsTest, NothingIsSentInPlainText) {
  ours_.Write(folder_, "client", PeerRole::kReward);
  Use("client");
  RpcServer::Options plain;
  plain.tls = nullptr;
  const auto server = *RpcServer::Start(plain, {&service_});
  const absl::Status status = Meet(server->address());
  EXPECT_EQ(ExitCodeFor(status), kExitData) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("does not speak TLS"));
}

TEST_F(ExternalTlsTest, ABadFolderEndsTheStart) {
  ours_.Write(folder_, "client", PeerRole::kReward);
  folder_.Write("client/tls.key", ours_.Issue(PeerRole::kReward).key);
  folder_.Write("junk/ca.crt", "junk");
  ours_.Write(folder_, "alone", PeerRole::kReward);
  ASSERT_TRUE(RemoveFile(folder_ / "alone/tls.crt").ok());
  for (const auto& [folder, said] :
       {std::pair<const char*, const char*>{"client", "not the key of the certificate"},
        {"junk", "contains no certificate"},
        {"nowhere", "ca.crt"}}) {
    Use(folder);
    for (const char* address : {"127.0.0.1:1", "https://127.0.0.1:1"}) {
      const absl::Status status = Meet(address);
      EXPECT_EQ(ExitCodeFor(status), kExitData) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("LVRPO_EXTERNAL_TLS")) << address;
      EXPECT_THAT(std::string(status.message()), HasSubstr(said)) << address;
    }
  }
  Use("alone");  // a CA alone will do
  const absl::StatusOr<ExternalTls> tls = ExternalTlsFromEnvironment();
  ASSERT_TRUE(tls.ok()) << tls.status();
  EXPECT_EQ(tls->ca, folder_ / "alone/ca.crt");
  EXPECT_EQ(tls->certificate, "");
}

// The server speaks HTTP/2 only, which an HTTP/1.1 client can tell apart from a handshake that fails.
TEST_F(ExternalTlsTest, HttpsShowsTheSameCertificates) {
  ours_.Write(folder_, "client", PeerRole::kReward);
  const auto server = Serve(ours_);
  const auto get = [&] {
    const HttpRequest request{.url = "https://" + server->address() + "/describe"};
    return CurlTransport().Send({&request, 1}, {})[0].status();
  };
  const absl::Status unknown = get();
  EXPECT_TRUE(absl::IsFailedPrecondition(unknown)) << unknown;
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("certificate"));
  Use("client");
  EXPECT_THAT(std::string(get().message()), ::testing::Not(HasSubstr("certificate")));
}

}  // namespace
}  // namespace lvrpo
