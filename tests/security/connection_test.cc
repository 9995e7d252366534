// Who gets a connection: both sides, and what they say when there is none.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/net/host_port.h"
#include "proto/lvrpo/v1/coordinator.grpc.pb.h"
#include "tests/security/tls_world.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

class ConnectionTest : public TlsWorld {
 protected:
  std::unique_ptr<RpcServer> Serve(std::shared_ptr<TlsContext> tls) {
    return *RpcServer::Start(ServerOptions(std::move(tls)), {&service_});
  }
  InfoService service_;
};

TEST_F(ConnectionTest, MembersOfARunTalk) {
  const auto server = Serve(Identity(PeerRole::kReward));
  const auto client = Client(Identity(PeerRole::kRollout), {PeerRole::kReward});
  EXPECT_EQ(GetInfo(server->address(), client), absl::OkStatus());
  EXPECT_EQ(service_.caller(), PeerRole::kRollout);
  EXPECT_TRUE(denied().empty());
}

TEST_F(ConnectionTest, AServerTellsOfEveryCall) {
  RpcServer::Options options = ServerOptions(Identity(PeerRole::kReward));
  absl::Mutex mutex;
  std::map<std::string, int> calls;
  options.answered = [&](const std::string& method, const std::string& code, absl::Duration lasted) {
    absl::MutexLock lock(&mutex);
    EXPECT_GE(lasted, absl::ZeroDuration());
    ++calls[method + " " + code];
  };
  auto server = *RpcServer::Start(options, {&service_});
  const auto client = Client(Identity(PeerRole::kRollout));
  EXPECT_EQ(GetInfo(server->address(), client), absl::OkStatus());
  EXPECT_EQ(GetInfo(server->address(), client), absl::OkStatus());
  v1::ScoreResponse score;  // not for this role
  (void)v1::Reward::NewStub(MakeChannel(server->address(), Client(Identity(PeerRole::kLearner))))
      ->Score(MakeContext(absl::Seconds(20)).get(), v1::ScoreRequest(), &score);
  v1::GetStatusResponse status;  // this server has no such method
  (void)v1::Coordinator::NewStub(MakeChannel(server->address(), client))
      ->GetStatus(MakeContext(absl::Seconds(20)).get(), v1::GetStatusRequest(), &status);
  server = nullptr;
  absl::MutexLock lock(&mutex);
  EXPECT_EQ(calls["Reward/GetInfo OK"], 2);
  EXPECT_EQ(calls["Reward/Score PERMISSION_DENIED"], 1);
}

TEST_F(ConnectionTest, AServerRefusesClientsThatItDoesNotTrust) {
  const auto server = Serve(Identity(PeerRole::kReward));
  const TestAuthority theirs;
  Leaf expired(PeerRole::kRollout), early(PeerRole::kRollout), stranger(PeerRole::kRollout);
  expired.to = absl::Now() - absl::Minutes(1);
  early.from = absl::Now() + absl::Minutes(30);
  stranger.uri = "spiffe://elsewhere/app";
  ChannelOptions nameless(64);
  nameless.credentials = TlsToStrangers(folder_.Write("ca.crt", ours_.certificate()), "", "");
  const std::pair<const char*, ChannelOptions> cases[] = {
      {"untrusted", Client(Identity(theirs, PeerRole::kRollout))},
      {"expired", Client(Identity(expired))},
      {"not_yet_valid", Client(Identity(early))},
      {"wrong_identity", Client(Identity(stranger))},
      {"no_certificate", nameless},
      {"handshake", Client(nullptr)},  // plain text
  };
  for (const auto& [reason, client] : cases) {
    const absl::Status status = GetInfo(server->address(), client);
    EXPECT_TRUE(absl::IsUnavailable(status)) << reason << ": " << status;
    EXPECT_EQ(TlsTroubleOf(status), TlsTrouble::kMaybe) << reason << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(server->address() + " hangs up at once")) << reason;
    EXPECT_TRUE(AwaitDenied(reason)) << reason;
  }
  EXPECT_EQ(service_.caller(), std::nullopt);
}

TEST_F(ConnectionTest, AClientRefusesServersThatItDoesNotTrust) {
  const TestAuthority theirs;
  Leaf expired(PeerRole::kReward), stranger(PeerRole::kReward);
  expired.to = absl::Now() - absl::Minutes(1);
  stranger.scope = "another-run";
  const std::pair<std::shared_ptr<TlsContext>, const char*> cases[] = {
      {Identity(theirs, PeerRole::kReward), "is not accepted by ca.crt"},
      {Identity(expired), "expired on"},
      {Identity(stranger), "is for 'another-run', and ours for 'test'"},
      {Identity(PeerRole::kRollout), "is for the role rollout, and reward is expected there"},
      {nullptr, "does not speak TLS"},
  };
  const auto client = Client(Identity(PeerRole::kRollout), {PeerRole::kReward});
  for (const auto& [identity, said] : cases) {
    const auto server = Serve(identity);
    const absl::Status status = GetInfo(server->address(), client);
    EXPECT_TRUE(absl::IsUnavailable(status)) << said << ": " << status;
    EXPECT_EQ(TlsTroubleOf(status), TlsTrouble::kCertain) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(said));
    EXPECT_THAT(std::string(status.message()), HasSubstr(server->address()));
  }
  EXPECT_EQ(service_.caller(), std::nullopt);
}

TEST_F(ConnectionTest, OtherFailuresAreNotTakenForTls) {
  EXPECT_EQ(TlsTroubleOf(GetInfo("127.0.0.1:1", Client(nullptr))), TlsTrouble::kNone);
  EXPECT_EQ(TlsTroubleOf(absl::OkStatus()), TlsTrouble::kNone);
}

TEST_F(ConnectionTest, AHandshakeThatNeverEndsIsEnded) {
  RpcServer::Options options = ServerOptions(Identity(PeerRole::kReward));
  options.silence = absl::Milliseconds(100);
  const auto server = *RpcServer::Start(options, {&service_});
  sockaddr_in where = {};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  where.sin_port = htons(static_cast<uint16_t>(ParseHostPort(server->address(), AddressUse::kDial)->port));
  const int slow = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect(slow, reinterpret_cast<sockaddr*>(&where), sizeof(where)), 0);
  const char beginning[] = {0x16, 0x03, 0x01};  // of a ClientHello
  ASSERT_EQ(send(slow, beginning, sizeof(beginning), MSG_NOSIGNAL), 3);
  const timeval patience = {.tv_sec = 20, .tv_usec = 0};
  setsockopt(slow, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  char buffer[64];
  EXPECT_LE(recv(slow, buffer, sizeof(buffer), 0), 0);
  EXPECT_NE(errno, EAGAIN);
  close(slow);
}

// As Kubernetes swaps a secret: the files are links into a folder that a link names.
class MountedSecret {
 public:
  explicit MountedSecret(const TemporaryFolder& folder, const std::string& name)
      : folder_(folder), name_(name) {}
  TlsFolder Set(const TestAuthority& authority, const TestAuthority::Leaf& leaf, const std::string& bundle) {
    const std::string version = "version" + std::to_string(versions_++);
    TlsFolder folder = authority.Write(folder_, name_ + "/" + version, leaf, bundle);
    const std::string root = folder_ / name_;
    EXPECT_EQ(symlink(version.c_str(), (root + "/..new").c_str()), 0);
    EXPECT_TRUE(Rename(root + "/..new", root + "/..data").ok());
    for (const auto& [file, path] : {std::pair<const char*, std::string*>{"ca.crt", &folder.ca},
                                     {"tls.crt", &folder.certificate},
                                     {"tls.key", &folder.key}}) {
      *path = root + "/" + file;
      if (versions_ > 1) continue;
      EXPECT_EQ(symlink((std::string("..data/") + file).c_str(), path->c_str()), 0);
    }
    return folder;
  }

 private:
  const TemporaryFolder& folder_;
  const std::string name_;
  int versions_ = 0;
};

// A CA is replaced under running processes: first it is trusted besides the old one, then used, then alone.
TEST_F(ConnectionTest, RenewedCertificatesAreUsedByNewConnections) {
  const TestAuthority next;
  const std::string both = ours_.certificate() + next.certificate();
  MountedSecret server_secret(folder_, "server"), client_secret(folder_, "client");
  const auto server = Serve(Context(server_secret.Set(ours_, PeerRole::kReward, ours_.certificate())));
  const auto client = Context(client_secret.Set(ours_, PeerRole::kRollout, ours_.certificate()));
  const auto newcomer = Client(Identity(next, PeerRole::kRollout, /*trusts_ours=*/false));
  const auto await = [&](const ChannelOptions& who, bool accepted) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (absl::Now() < deadline) {
      if (GetInfo(server->address(), who).ok() == accepted) return true;
      absl::SleepFor(absl::Milliseconds(20));
    }
    return false;
  };
  EXPECT_TRUE(GetInfo(server->address(), Client(client)).ok());
  EXPECT_FALSE(GetInfo(server->address(), newcomer).ok());
  // The server has a leaf of the next CA, and trusts both: a process of the next CA alone is served.
  server_secret.Set(next, PeerRole::kReward, both);
  EXPECT_TRUE(await(newcomer, true));
  // The client that trusts the old one alone does not talk to it, until its secret is renewed as well.
  EXPECT_FALSE(GetInfo(server->address(), Client(client)).ok());
  client_secret.Set(next, PeerRole::kRollout, next.certificate());
  EXPECT_TRUE(await(Client(client), true));
  // The old CA is trusted no more.
  server_secret.Set(next, PeerRole::kReward, next.certificate());
  EXPECT_TRUE(await(Client(Identity(PeerRole::kRollout)), false));
  EXPECT_TRUE(await(Client(client), true));
}

}  // namespace
}  // namespace lvrpo
