#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/net/rpc.h"
#include "tests/testing/nccl_world.h"
#include "tests/weight_plane/some_weights.h"
#include "weight_plane/gang/gang_member.h"
#include "weight_plane/gang/gang_root.h"
#include "weight_plane/resuming_fetch.h"
#include "weight_plane/weight_client.h"
#include "weight_plane/weight_service.h"

namespace lvrpo {

// A learner that broadcasts over the NCCL double and serves gRPC, and workers, in one process. Time stands
// still (TimeOnDemand) where the gang waits; the desk has another clock, which passes as everyone asks.
class GangWorld {
 public:
  static constexpr absl::Duration kPatience = absl::Seconds(5);

  // What one fetch gave.
  struct Fetched {
    absl::StatusOr<VerifiedWeights> weights = absl::UnknownError("not fetched");
    int64_t nccl_bytes = 0, grpc_bytes = 0;
  };

  // One worker's process.
  class Worker {
   public:
    Worker(GangWorld& world, std::string name)
        : world_(world),
          name_(std::move(name)),
          member_(
              {.self = {},
               .fence = [this] { return world_.FenceOf(name_); },
               .stop = [this] { return stop_.load(); },
               .patience = absl::Hours(1),
               .most_failures = world.most_failures_},
              world.nccl.Place(world.time.Limits()), world.client_,
              [this](const std::string&, const v1::AskGangRequest& request) { return world_.Ask(request); },
              world.metrics) {}

    Fetched Fetch(const PackedWeights& weights) {
      Fetched fetched;
      bytes_ = &fetched;
      const v1::PoolView view = world_.ViewOf(weights);
      fetched.weights = fetch_.Fetch(WantedOf(weights), [&] { return view; });
      return fetched;
    }
    absl::Status Measure() { return member_.Measure(world_.address(), absl::Hours(1)); }
    GangMember& member() { return member_; }
    void Stop() { stop_ = true; }

   private:
    GangWorld& world_;
    const std::string name_;
    std::atomic<bool> stop_ = false;
    GangMember member_;
    Fetched* bytes_ = nullptr;
    ResumingFetch fetch_{world_.client_,
                         {.own_address = name_,
                          .limits = {.whole = absl::Hours(1), .silence = absl::Seconds(30)},
                          .on_bytes =
                              [this](int64_t bytes, v1::Role, absl::string_view transport) {
                                (transport == "nccl" ? bytes_->nccl_bytes : bytes_->grpc_bytes) += bytes;
                                if (transport == "nccl") world_.Came(bytes_->nccl_bytes);
                              },
                          .first = &member_}};
  };

  explicit GangWorld(NcclDouble& nccl_double = NcclDouble::Newest(), int most_failures = kMostGangFailures)
      : nccl(nccl_double), most_failures_(most_failures) {
    // gRPC's own end, with the last of its users, may take 10 seconds.
    static auto* const keeps_grpc = new grpc::CompletionQueue;
    (void)keeps_grpc;
    StartRoot();
  }

  void StartRoot() {
    root = std::make_unique<GangRoot>(GangRoot::Options{.self = {},
                                                        .whole = absl::Hours(1),
                                                        .chunk_bytes = kChunk,
                                                        .measured_bytes = 3 * kChunk + 5,
                                                        .most_failures = most_failures_},
                                      nccl.Place(time.Limits()), *desk, service_, metrics);
    desk->Open([] { return FenceOf("learner"); });
  }
  // A learner's process that is started again: it knows nobody.
  void RestartRoot() {
    root.reset();
    absl::MutexLock lock(&mutex_);
    desk = std::make_unique<GangDesk>(GangDesk::Options{.patience = kPatience}, desk_clock_);
    StartRoot();
  }
  Worker& Add(const std::string& name) {
    return *workers.emplace(name, std::make_unique<Worker>(*this, name)).first->second;
  }

  // All named fetch `weights` at once, which the learner publishes before.
  std::map<std::string, Fetched> PublishTo(const std::vector<std::string>& names, PackedWeights weights) {
    const auto shared = std::make_shared<const PackedWeights>(std::move(weights));
    root->Publish(shared);
    return FetchAll(names, *shared);
  }
  std::map<std::string, Fetched> FetchAll(const std::vector<std::string>& names,
                                          const PackedWeights& weights) {
    ExpectToAsk(static_cast<int>(names.size()));
    ways.clear();
    const double failed = Rounds("failed");
    std::map<std::string, Fetched> all;
    for (const std::string& name : names) all[name];
    std::atomic<size_t> fetched = 0;
    std::vector<std::thread> threads;
    for (const std::string& name : names) {
      threads.emplace_back([&, name] {
        all[name] = workers.at(name)->Fetch(weights);
        ++fetched;
      });
    }
    // Ranks that wait for one that has failed do so until their deadline.
    while (fetched < names.size()) {
      if (Rounds("failed") > failed) time.Fly();
      absl::SleepFor(absl::Milliseconds(1));
    }
    for (std::thread& thread : threads) thread.join();
    AwaitRoot();
    time.Stand();
    return all;
  }
  // So many workers ask: each time all have, a second passes at the desk.
  void ExpectToAsk(int workers_that_ask) {
    absl::MutexLock lock(&mutex_);
    asking_ = workers_that_ask;
    asked_.clear();
  }
  // Waits until the root has ended every broadcast that it began.
  void AwaitRoot() {
    while (Rounds("complete") + Rounds("failed") < Begun()) absl::SleepFor(absl::Milliseconds(1));
  }
  // Broadcasts that the root has ended so.
  double Rounds(const std::string& outcome) const {
    return Figure(absl::StrCat("lvrpo_learner_weight_broadcasts_total{outcome=\"", outcome, "\"}"));
  }
  // Lets time fly once a stream over NCCL has got so many bytes; 0: once all have their plans.
  void FlyAfter(int64_t bytes) {
    absl::MutexLock lock(&mutex_);
    fly_after_ = bytes;
  }
  // Waits until a stream over NCCL has got so many bytes.
  void AwaitBytes(int64_t bytes) {
    absl::MutexLock lock(&mutex_);
    while (most_bytes_ < bytes) came_.Wait(&mutex_);
  }
  void PublishGrpc(PackedWeights weights) {
    service_.Publish(std::make_shared<const PackedWeights>(std::move(weights)));
  }
  // Changes answers on their way to workers.
  void Tamper(std::function<void(const std::string& worker, v1::AskGangResponse&)> tamper) {
    absl::MutexLock lock(&mutex_);
    tamper_ = std::move(tamper);
  }
  void Fault(const char* fault) { ASSERT_EQ(nccl.nccl.fault(fault), 0) << fault; }

  // Of a metric, with its labels.
  double Figure(const std::string& line) const {
    const std::string text = metrics.Render();
    const size_t found = text.find("\n" + line + " ");
    return found == std::string::npos ? 0 : std::stod(text.substr(found + line.size() + 2));
  }
  const std::string& address() const { return server_->address(); }

  static constexpr int64_t kChunk = 1 << 20;
  TimeOnDemand time;
  NcclWorld nccl;
  Metrics metrics;
  std::vector<v1::GangPlan::Way> ways;  // of the plans of the last fetches
  FakeClock desk_clock_;
  std::unique_ptr<GangDesk> desk =
      std::make_unique<GangDesk>(GangDesk::Options{.patience = kPatience}, desk_clock_);

 private:
  static v1::Fence FenceOf(const std::string& worker) {
    v1::Fence fence;
    fence.set_run_id("run");
    fence.set_run_epoch(3);
    fence.set_member_id(worker);
    fence.set_incarnation(1);
    return fence;
  }
  v1::PoolView ViewOf(const PackedWeights& weights) {
    v1::PoolView view;
    *view.mutable_current_version() = weights.manifest.version();
    v1::Member& learner = *view.add_weight_holders();
    learner.set_address(address());
    learner.set_role(v1::ROLE_LEARNER);
    return view;
  }
  absl::StatusOr<v1::AskGangResponse> Ask(const v1::AskGangRequest& request) {
    absl::MutexLock lock(&mutex_);
    absl::StatusOr<v1::AskGangResponse> answer = desk->Ask(request);
    if (!answer.ok()) return answer;
    asked_.insert(request.fence().member_id());
    if (answer->answer() == v1::AskGangResponse::WAIT && static_cast<int>(asked_.size()) >= asking_) {
      asked_.clear();
      desk_clock_.Advance(absl::Seconds(1));
    }
    if (answer->answer() == v1::AskGangResponse::TAKE) {
      if (answer->plan().rank() == 1) ++begun_;
      ways.push_back(answer->plan().way());
      if (fly_after_ == 0 && static_cast<int>(ways.size()) == answer->plan().size() - 1) time.Fly();
    }
    if (tamper_) tamper_(request.fence().member_id(), *answer);
    return answer;
  }
  void Came(int64_t bytes) {
    absl::MutexLock lock(&mutex_);
    most_bytes_ = std::max(most_bytes_, bytes);
    came_.SignalAll();
    if (fly_after_ > 0 && bytes >= fly_after_) time.Fly();
  }

  double Begun() {
    absl::MutexLock lock(&mutex_);
    return begun_;
  }

  const int most_failures_;
  absl::Mutex mutex_;
  int begun_ ABSL_GUARDED_BY(mutex_) = 0;  // broadcasts
  int asking_ ABSL_GUARDED_BY(mutex_) = 1;
  std::set<std::string> asked_ ABSL_GUARDED_BY(mutex_);
  int64_t most_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::CondVar came_;
  int64_t fly_after_ ABSL_GUARDED_BY(mutex_) = -1;
  std::function<void(const std::string&, v1::AskGangResponse&)> tamper_ ABSL_GUARDED_BY(mutex_);
  CallWatch watch_{{.most = 64, .every = {}}};
  WeightService service_{watch_, 2};
  std::unique_ptr<RpcServer> server_ = *RpcServer::Start({}, {&service_});
  WeightClient client_{64};

 public:
  std::unique_ptr<GangRoot> root;
  std::map<std::string, std::unique_ptr<Worker>> workers;
};

}  // namespace lvrpo
