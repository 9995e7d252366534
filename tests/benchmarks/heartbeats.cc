#include "tests/benchmarks/heartbeats.h"

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/net/rpc.h"
#include "common/stopwatch.h"
#include "coordinator/service.h"
#include "spdlog/spdlog.h"
#include "tests/benchmarks/timing.h"
#include "tests/testing/test_certificates.h"

namespace lvrpo {
namespace {

constexpr int kTurns = 5;
constexpr double kSeconds = 1;

// A coordinator, and members with a connection each.
class World {
 public:
  World(std::shared_ptr<TlsContext> coordinator, std::shared_ptr<TlsContext> member, int members) {
    CoordinatorService::Options options;
    options.run_id = "bench";
    options.run_dir = folder_.path();
    options.config_digest = "config";
    options.max_members = members;
    service_ = *CoordinatorService::Create(options, *Store::Open(folder_ / "db.sqlite", "bench", "config"),
                                           RealClock(), metrics_);
    if (!service_->Start().ok()) std::abort();
    RpcServer::Options serving;
    serving.tls = std::move(coordinator);
    serving.limits.per_second = serving.limits.burst = 1e9;
    server_ = *RpcServer::Start(serving, {service_.get()});
    for (int i = 0; i < members; ++i) Join(member, absl::StrCat("rollout-", i));
  }
  ~World() { server_.reset(); }

  double PerSecond() {
    std::atomic<int64_t> answered = 0;
    const Stopwatch watch;
    std::vector<std::thread> threads;
    for (size_t i = 0; i < stubs_.size(); ++i) {
      threads.emplace_back([&, i] {
        v1::HeartbeatResponse response;
        while (watch.Seconds() < kSeconds) {
          if (!stubs_[i]->Heartbeat(MakeContext(absl::Seconds(10)).get(), beats_[i], &response).ok())
            std::abort();
          ++answered;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return static_cast<double>(answered) / watch.Seconds();
  }

 private:
  void Join(const std::shared_ptr<TlsContext>& tls, const std::string& id) {
    ChannelOptions channel(64);
    channel.tls = tls;
    channels_.push_back(std::make_unique<ChannelCache>(channel));
    stubs_.push_back(v1::Coordinator::NewStub(channels_.back()->To(server_->address())));
    v1::RegisterRequest request;
    request.set_role(v1::ROLE_ROLLOUT_WORKER);
    request.set_member_id(id);
    request.set_process(id);
    request.set_config_digest("config");
    for (const char* term : {"schedule", "base weights", "prompts"})
      (*request.mutable_contract())[term] = "aaaa";
    v1::RegisterResponse response;
    const absl::Status status =
        FromGrpcStatus(stubs_.back()->Register(MakeContext(absl::Seconds(10)).get(), request, &response));
    if (!status.ok()) {
      std::fprintf(stderr, "%s\n", status.ToString().c_str());
      std::abort();
    }
    v1::HeartbeatRequest& beat = beats_.emplace_back();
    beat.mutable_fence()->set_run_id(response.run_id());
    beat.mutable_fence()->set_run_epoch(response.run_epoch());
    beat.mutable_fence()->set_member_id(id);
    beat.mutable_fence()->set_incarnation(response.incarnation());
    beat.set_state("ready");
  }

  const TemporaryFolder folder_;
  Metrics metrics_;
  std::unique_ptr<CoordinatorService> service_;
  std::unique_ptr<RpcServer> server_;
  std::vector<std::unique_ptr<ChannelCache>> channels_;
  std::vector<std::unique_ptr<v1::Coordinator::Stub>> stubs_;
  std::vector<v1::HeartbeatRequest> beats_;
};

}  // namespace

int BenchHeartbeats(int members) {
  spdlog::set_level(spdlog::level::warn);
  const TemporaryFolder folder;
  const TestAuthority authority;
  const auto identity = [&](PeerRole role) {
    return std::make_shared<TlsContext>(authority.Write(folder, std::string(Word(role)), role));
  };
  World plain(nullptr, nullptr, members);
  World tls(identity(PeerRole::kCoordinator), identity(PeerRole::kRollout), members);
  std::vector<double> in_plain, over_tls;
  for (int turn = 0; turn < kTurns; ++turn) {
    in_plain.push_back(plain.PerSecond());
    over_tls.push_back(tls.PerSecond());
  }
  std::printf("%d members: %.0f heartbeats/s in plain text, %.0f over TLS, %.2f of plain\n", members,
              Median(in_plain), Median(over_tls), Median(over_tls) / Median(in_plain));
  return 0;
}

}  // namespace lvrpo
