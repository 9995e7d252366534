#include "collectives/measured.h"

#include <utility>

#include "common/pause_point.h"
#include "common/stopwatch.h"

namespace lvrpo {
namespace {

// Where one kind of operation is counted.
struct Counted {
  Counted(const std::string& operation, Metrics& metrics)
      : blocked(metrics.Seconds("lvrpo_learner_collective_seconds", {{"operation", operation}})),
        bytes(metrics.Counter("lvrpo_learner_collective_bytes_total", {{"operation", operation}})),
        failures(metrics.Counter("lvrpo_learner_collective_failures_total", {{"operation", operation}})) {}
  prometheus::Histogram& blocked;
  prometheus::Counter& bytes;
  prometheus::Counter& failures;
};

// While it lives, the thread is blocked.
class Blocked {
 public:
  Blocked(BlockedSince* blocked, Clock& clock) : blocked_(blocked) {
    if (blocked_ != nullptr) blocked_->Begin(clock.Now());
  }
  ~Blocked() {
    if (blocked_ != nullptr) blocked_->End();
  }
  Blocked(const Blocked&) = delete;
  Blocked& operator=(const Blocked&) = delete;

 private:
  BlockedSince* const blocked_;
};

class MeasuredPending final : public Pending {
 public:
  MeasuredPending(std::unique_ptr<Pending> pending, Counted& counted, Clock& clock, BlockedSince* blocked)
      : pending_(std::move(pending)), counted_(counted), clock_(clock), blocked_(blocked) {}
  absl::Status Wait() override {
    const Blocked waits(blocked_, clock_);
    Stopwatch watch(clock_);
    const absl::Status status = pending_->Wait();
    if (std::exchange(waited_, true)) return status;
    counted_.blocked.Observe(watch.Lap());
    if (!status.ok()) counted_.failures.Increment();
    return status;
  }

 private:
  const std::unique_ptr<Pending> pending_;
  Counted& counted_;
  Clock& clock_;
  BlockedSince* const blocked_;
  bool waited_ = false;
};

class MeasuredCollectives final : public Collectives {
 public:
  MeasuredCollectives(std::unique_ptr<Collectives> collectives, Metrics& metrics, Clock& clock,
                      BlockedSince* blocked)
      : collectives_(std::move(collectives)),
        clock_(clock),
        blocked_(blocked),
        all_gather_("all_gather", metrics),
        reduce_scatter_("reduce_scatter", metrics),
        all_reduce_("all_reduce", metrics),
        broadcast_("broadcast", metrics),
        barrier_("barrier", metrics) {}

  int rank() const override { return collectives_->rank(); }
  int size() const override { return collectives_->size(); }
  absl::string_view name() const override { return collectives_->name(); }
  std::unique_ptr<Pending> AllGather(ConstSpan in, Span out) override {
    PausePoint("gather");
    return Measure(all_gather_, out, collectives_->AllGather(in, out));
  }
  std::unique_ptr<Pending> ReduceScatter(ConstSpan in, Span out) override {
    PausePoint("scatter");
    return Measure(reduce_scatter_, in, collectives_->ReduceScatter(in, out));
  }
  std::unique_ptr<Pending> AllReduce(Span data, Reduction reduction) override {
    PausePoint("reduce");
    return Measure(all_reduce_, data, collectives_->AllReduce(data, reduction));
  }
  std::unique_ptr<Pending> Broadcast(Span data, int root) override {
    return Measure(broadcast_, data, collectives_->Broadcast(data, root));
  }
  absl::Status Barrier() override {
    const Blocked waits(blocked_, clock_);
    Stopwatch watch(clock_);
    const absl::Status status = collectives_->Barrier();
    barrier_.blocked.Observe(watch.Lap());
    if (!status.ok()) barrier_.failures.Increment();
    return status;
  }
  void Abort(const std::string& why) override { collectives_->Abort(why); }

 private:
  std::unique_ptr<Pending> Measure(Counted& counted, const ConstSpan& data,
                                   std::unique_ptr<Pending> pending) {
    counted.bytes.Increment(static_cast<double>(data.count * SizeOf(data.element)));
    return std::make_unique<MeasuredPending>(std::move(pending), counted, clock_, blocked_);
  }

  const std::unique_ptr<Collectives> collectives_;
  Clock& clock_;
  BlockedSince* const blocked_;
  Counted all_gather_, reduce_scatter_, all_reduce_, broadcast_, barrier_;
};

}  // namespace

std::unique_ptr<Collectives> Measured(std::unique_ptr<Collectives> collectives, Metrics& metrics,
                                      Clock& clock, BlockedSince* blocked) {
  return std::make_unique<MeasuredCollectives>(std::move(collectives), metrics, clock, blocked);
}

}  // namespace lvrpo
