#include "collectives/gloo/gloo_collectives.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "collectives/gloo/gloo_layout.h"
#include "collectives/operation.h"
#include "common/net/host_port.h"
#include "common/thrown.h"
#include "torch/csrc/distributed/c10d/PrefixStore.hpp"
#include "torch/csrc/distributed/c10d/ProcessGroupGloo.hpp"
#include "torch/csrc/distributed/c10d/TCPStore.hpp"

namespace lvrpo {
namespace {

using Work = c10::intrusive_ptr<c10d::Work>;

torch::ScalarType TypeOf(Element element) {
  switch (element) {
    case Element::kFloat64:
      return torch::kFloat64;
    case Element::kBFloat16:
      return torch::kBFloat16;
    case Element::kInt64:
      return torch::kInt64;
    case Element::kByte:
      return torch::kUInt8;
    case Element::kFloat32:
      break;
  }
  return torch::kFloat32;
}

c10d::ReduceOp OpOf(Reduction reduction) {
  switch (reduction) {
    case Reduction::kMax:
      return c10d::ReduceOp::MAX;
    case Reduction::kMin:
      return c10d::ReduceOp::MIN;
    case Reduction::kSum:
      break;
  }
  return c10d::ReduceOp::SUM;
}

// A view of `count` elements of a call's buffer.
at::Tensor View(const char* data, int64_t count, Element element) {
  return torch::from_blob(const_cast<char*>(data), {count}, TypeOf(element));
}

// What Gloo says about a broken operation, by its words: it has no codes.
absl::Status Classified(const absl::Status& thrown, const std::string& what) {
  const std::string text = absl::StrCat(what, ": ", thrown.message());
  if (absl::StrContains(thrown.message(), "imed out") || absl::StrContains(thrown.message(), "imeout"))
    return absl::DeadlineExceededError(text);
  return absl::UnavailableError(text);
}

class GlooCollectives final : public Collectives {
 public:
  GlooCollectives(c10::intrusive_ptr<c10d::ProcessGroupGloo> group) : group_(std::move(group)) {}

  int rank() const override { return group_->getRank(); }
  int size() const override { return group_->getSize(); }
  absl::string_view name() const override { return "gloo"; }

  std::unique_ptr<Pending> AllGather(ConstSpan in, Span out) override {
    return Start(AllGatherCall(in, out, size()), [this](Running& running, const Call& call) {
      const Operation& op = call.operation;
      running.in = {View(call.in, op.count, op.element)};
      running.out = {View(call.out, op.count * size(), op.element)};
      return group_->_allgather_base(running.out[0], running.in[0]);
    });
  }

  std::unique_ptr<Pending> ReduceScatter(ConstSpan in, Span out) override {
    // Gloo reads `in` during the call, and writes `out` in Wait(): what is in progress ends before, and this
    // one too, so that operations happen in the order of their calls.
    if (last_ != nullptr) (void)TryToRun([this] { last_->wait(); });
    std::unique_ptr<Pending> pending =
        Start(ReduceScatterCall(in, out, size()), [this](Running& running, const Call& call) {
          const Operation& op = call.operation;
          running.in = {View(call.in, op.count * size(), op.element)};
          running.out = {View(call.out, op.count, op.element)};
          return group_->_reduce_scatter_base(running.out[0], running.in[0]);
        });
    return Ended(pending->Wait());
  }

  std::unique_ptr<Pending> AllReduce(Span data, Reduction reduction) override {
    return Start(AllReduceCall(data, reduction), [this](Running& running, const Call& call) {
      c10d::AllreduceOptions options;
      options.reduceOp = OpOf(call.operation.reduction);
      running.out = {View(call.out, call.operation.count, call.operation.element)};
      return group_->allreduce(running.out, options);
    });
  }

  std::unique_ptr<Pending> Broadcast(Span data, int root) override {
    return Start(BroadcastCall(data, root, size()), [this](Running& running, const Call& call) {
      c10d::BroadcastOptions options;
      options.rootRank = call.operation.root;
      running.out = {View(call.out, call.operation.count, call.operation.element)};
      return group_->broadcast(running.out, options);
    });
  }

  absl::Status Barrier() override {
    return Start(Call(), [this](Running&, const Call&) { return group_->barrier(); })->Wait();
  }

  void Abort(const std::string& why) override { Break(absl::AbortedError(why)); }

 private:
  struct Running {
    std::string name;
    std::vector<at::Tensor> in, out;  // views of the caller's memory, kept while Gloo uses it
    Work work;
  };

  class GlooPending final : public Pending {
   public:
    GlooPending(GlooCollectives& owner, Running running, absl::Status status)
        : owner_(owner), running_(std::move(running)), status_(std::move(status)) {}
    ~GlooPending() override { (void)Wait(); }
    absl::Status Wait() override {
      if (running_.work == nullptr) return status_;
      const absl::Status thrown = TryToRun([&] { running_.work->wait(); });
      running_.work.reset();
      if (!thrown.ok()) owner_.Break(Classified(thrown, running_.name));
      return status_ = owner_.broken();
    }

   private:
    GlooCollectives& owner_;
    Running running_;
    absl::Status status_;
  };

  // `begin` hands the call to Gloo.
  template <typename Begin>
  std::unique_ptr<Pending> Start(const absl::StatusOr<Call>& call, const Begin& begin) {
    if (absl::Status status = broken(); !status.ok()) return Ended(status);
    if (!call.ok()) return Ended(call.status());
    Running running;
    running.name = absl::StrCat(InWords(call->operation, next_++), " of rank ", rank());
    const absl::Status thrown = TryToRun([&] {
      // c10d notes every operation in a recorder that all groups of the process share, and which does not
      // lock its map of groups (pytorch:torch/csrc/distributed/c10d/FlightRecorderDetail.hpp). Nothing waits
      // here.
      static absl::Mutex recorder(absl::kConstInit);
      absl::MutexLock lock(&recorder);
      running.work = begin(running, *call);
    });
    if (!thrown.ok()) Break(Classified(thrown, running.name));
    last_ = running.work;
    return std::make_unique<GlooPending>(*this, std::move(running), broken());
  }

  void Break(const absl::Status& why) {
    absl::MutexLock lock(&mutex_);
    if (broken_.ok()) broken_ = why;
  }
  absl::Status broken() const {
    absl::MutexLock lock(&mutex_);
    return broken_;
  }

  const c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
  int64_t next_ = 0;  // place of the next operation in the order
  Work last_;         // the operation before it; null: none
  mutable absl::Mutex mutex_;
  absl::Status broken_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<Collectives>> ConnectGloo(const GlooOptions& options) {
  const absl::StatusOr<HostPort> where = ParseHostPort(options.rendezvous, AddressUse::kDial);
  if (!where.ok()) return where.status();
  static const absl::Status layout = CheckGlooLayout();
  if (!layout.ok()) return layout;
  const auto meeting = std::chrono::milliseconds(absl::ToInt64Milliseconds(options.meeting)),
             deadline = std::chrono::milliseconds(absl::ToInt64Milliseconds(options.deadline));
  std::unique_ptr<Collectives> collectives;
  const absl::Status connected = TryToRun([&] {
    c10d::TCPStoreOptions at;
    at.port = static_cast<std::uint16_t>(where->port);
    at.waitWorkers = false;
    at.timeout = meeting;
    auto store = c10::make_intrusive<c10d::PrefixStore>(options.epoch,
                                                        c10::make_intrusive<c10d::TCPStore>(where->host, at));
    const auto gloo = c10d::ProcessGroupGloo::Options::create(meeting);
    gloo->devices = {c10d::ProcessGroupGloo::createDeviceForHostname(options.host)};
    gloo->threads = 1;  // operations run in the order of their calls
    auto group = c10::make_intrusive<c10d::ProcessGroupGloo>(store, options.rank, options.size, gloo);
    group->setTimeout(deadline);
    collectives = std::make_unique<GlooCollectives>(std::move(group));
  });
  if (!connected.ok()) {
    return Classified(connected, absl::StrCat("rank ", options.rank, " of ", options.size,
                                              " could not meet the others at ", options.rendezvous));
  }
  return collectives;
}

}  // namespace lvrpo
