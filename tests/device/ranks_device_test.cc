// A learner's ranks on devices that are no CPU: tensors over the NCCL double, the host's numbers in process.

#include <thread>

#include "collectives/by_memory.h"
#include "collectives/in_process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/trainer.h"
#include "model/weights/moved.h"
#include "tests/device/moved.h"
#include "tests/learner/tiny_run.h"
#include "tests/testing/nccl_world.h"

namespace lvrpo {
namespace {

// The double computes on the host: it gets the host's addresses, and only of memory of a device.
class OfDevices final : public Collectives {
 public:
  explicit OfDevices(std::unique_ptr<Collectives> collectives) : collectives_(std::move(collectives)) {}
  int rank() const override { return collectives_->rank(); }
  int size() const override { return collectives_->size(); }
  absl::string_view name() const override { return collectives_->name(); }
  std::unique_ptr<Pending> AllGather(ConstSpan in, Span out) override {
    return Counted(collectives_->AllGather(Here(in), Here(out)));
  }
  std::unique_ptr<Pending> ReduceScatter(ConstSpan in, Span out) override {
    return Counted(collectives_->ReduceScatter(Here(in), Here(out)));
  }
  std::unique_ptr<Pending> AllReduce(Span data, Reduction reduction) override {
    return Counted(collectives_->AllReduce(Here(data), reduction));
  }
  std::unique_ptr<Pending> Broadcast(Span data, int root) override {
    return Counted(collectives_->Broadcast(Here(data), root));
  }
  absl::Status Barrier() override { return collectives_->Barrier(); }
  void Abort(const std::string& why) override { collectives_->Abort(why); }
  int operations() const { return operations_; }

 private:
  template <typename AnySpan>
  static AnySpan Here(AnySpan span) {
    EXPECT_NE(HostAddress(span.data), span.data) << "the host's memory";
    EXPECT_EQ(span.memory, Memory::kDevice);
    span.data = HostAddress(span.data);
    return span;
  }
  std::unique_ptr<Pending> Counted(std::unique_ptr<Pending> pending) {
    ++operations_;
    return pending;
  }

  const std::unique_ptr<Collectives> collectives_;
  int operations_ = 0;
};

struct Team {
  int ranks = 1;
  bool sharded = false, ordered = false;
};

// Rank 0's weights after two steps, in the host's memory.
TensorMap TrainOn(const Team& team, v1::RunConfig config) {
  config.mutable_learner()->set_sharded(team.sharded);
  NcclWorld world;
  auto nccl = world.CollectivesOfAll(team.ranks);
  auto hosts = MakeInProcess(team.ranks, absl::Seconds(30));
  std::vector<TrainingGroup> groups;
  for (int i = 0; i < 4; ++i) {
    groups.push_back(i < 2 ? TrainImages(TinyModel(), config, i) : TrainTexts(TinyModel(), config, i));
    groups.back().rank = i % team.ranks;
  }
  TensorMap trained;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < team.ranks; ++rank) {
    const auto at = static_cast<size_t>(rank);
    auto device = std::make_unique<OfDevices>(std::move(nccl[at]));
    OfDevices& watched = *device;
    auto made = GrpoTrainer::Create(config, Moved(TinyModel(), std::nullopt, rank));
    EXPECT_TRUE(made.ok()) << made.status();
    threads.emplace_back(
        [&, rank, trainer = *std::move(made), own = ByMemory(std::move(hosts[at]), std::move(device))] {
          if (team.sharded) trainer->Shard(own.get(), team.ordered);
          for (int64_t step = 0; step < 2; ++step) {
            std::vector<TrainingGroup> mine = groups;
            for (TrainingGroup& group : mine) {
              if (group.rank == rank) continue;
              const bool images = std::holds_alternative<ImageGroup>(group.trajectories.samples);
              group.trajectories.samples = TextGroup{};
              if (images) group.trajectories.samples = ImageGroup{};
            }
            const auto result = trainer->Step(mine, step, {*own, team.ordered});
            ASSERT_TRUE(result.ok()) << result.status();
            EXPECT_TRUE(result->unusable.empty());
          }
          ASSERT_TRUE(trainer->GatherOptimizers().ok());
          EXPECT_GT(watched.operations(), 0);
          if (rank == 0) trained = HostCopies(trainer->trained());
          EXPECT_TRUE(own->Barrier().ok());
        });
  }
  for (std::thread& thread : threads) thread.join();
  return trained;
}

TEST(RanksOnDevices, GiveTheWeightsOfOne) {
  const v1::RunConfig config = TinyRun();
  std::vector<TrainingGroup> groups;
  for (const bool ordered : {false, true}) {
    const TensorMap whole = TrainOn({.ranks = 2, .ordered = ordered}, config),
                    sharded = TrainOn({.ranks = 2, .sharded = true, .ordered = ordered}, config),
                    three = TrainOn({.ranks = 3, .sharded = true, .ordered = ordered}, config);
    ASSERT_FALSE(whole.empty());
    for (const auto& [name, tensor] : whole) {
      for (const TensorMap* other : {&sharded, &three}) {
        const double difference = (other->at(name) - tensor).abs().max().item<double>();
        if (ordered) {
          EXPECT_EQ(difference, 0) << name;
        } else {
          EXPECT_LT(difference, 4 * config.train().image().learning_rate()) << name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace lvrpo
