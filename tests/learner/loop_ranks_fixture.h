#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "collectives/in_process.h"
#include "gtest/gtest.h"
#include "learner/loop.h"
#include "learner/ranks/rank_process.h"
#include "tests/learner/loop_script.h"
#include "tests/learner/spool_test.h"
#include "tests/learner/tiny_run.h"
#include "tests/testing/stepped_executor.h"

namespace lvrpo {

// LearnerLoops of several ranks, each in a thread, with one scripted session.
class LoopRanksTest : public SpoolTest {
 protected:
  struct Rank {
    std::unique_ptr<Collectives> collectives;
    std::unique_ptr<Spool> spool;
    std::unique_ptr<GrpoTrainer> trainer;
    std::unique_ptr<LearnerLoop> loop;
    Shelf shelf;
    FakeClock clock;
    Metrics metrics;
    std::function<void()> on_pause;
    bool stop = false;
    // Of its own machine, when they are not those of all.
    std::string memory, run_dir;  // learner.step_copies, the run folder
  };

  LoopRanksTest() {
    config_ = TinyRun();
    config_.mutable_train()->set_steps(2);
    config_.mutable_train()->set_checkpoint_every(1);
    Restart();
  }
  // New processes: another epoch when its id says so.
  void Restart(int count = 2, const std::string& epoch = "E") {
    count_ = count;
    epoch_.Clear();
    epoch_.set_id(epoch);
    epoch_.set_ranks(count_);
    for (int i = 0; i < count_; ++i) {
      v1::LearnerRank& present = *epoch_.add_present();
      present.set_rank(i);
      present.set_process(std::to_string(i));
    }
    std::vector<std::unique_ptr<Collectives>> collectives = MakeInProcess(count_, absl::Seconds(60));
    for (int i = 0; i < count_; ++i) {
      Rank& rank = ranks_[i];
      rank.loop.reset();
      rank.collectives = std::move(collectives[static_cast<size_t>(i)]);
      rank.spool = std::make_unique<Spool>(SpoolFolderOf(run_, i), 1 << 30, rank.clock);
      EXPECT_TRUE(rank.spool->Open().ok());
      const bool bf16 = config_.model().weights_dtype() == "bf16";
      rank.trainer = *GrpoTrainer::Create(config_, bf16 ? TinyModelInBf16() : TinyModel());
      v1::RunConfig config = config_;
      if (!rank.memory.empty()) config.mutable_learner()->set_step_copies(rank.memory);
      rank.loop = std::make_unique<LearnerLoop>(
          LearnerLoop::Options{
              .config = config, .run_dir = rank.run_dir.empty() ? run_ : rank.run_dir, .writing = writing_},
          [this](const v1::TrajectoryGroup& group) {
            return ReadGroup(group, ImagePrompt(), TinyRules(config_));
          },
          *rank.trainer, *rank.spool, rank.shelf, script_.Session(),
          Waiting{.clock = &rank.clock,
                  .sleep =
                      [&rank](absl::Duration duration) {
                        rank.clock.Advance(duration);
                        if (rank.on_pause) rank.on_pause();
                      }},
          rank.metrics);
    }
  }
  LearnerLoop::Team TeamOf(int i) {
    Rank& rank = ranks_[i];
    return {.epoch = epoch_,
            .collectives = count_ == 1 ? nullptr : rank.collectives.get(),
            .outline =
                [](const v1::AssignedGroup& assigned) {
                  SampledGroup group;
                  group.ordinal = assigned.ordinal();
                  return group;
                },
            .run_id = "run"};
  }
  // Of all ranks, each started and run in a thread.
  std::vector<absl::Status> Run() {
    std::vector<absl::Status> statuses(static_cast<size_t>(count_));
    std::vector<std::thread> threads;
    for (int i = 0; i < count_; ++i) {
      threads.emplace_back([this, i, &status = statuses[static_cast<size_t>(i)]] {
        Rank& rank = ranks_[i];
        status =
            rank.loop->Start(i == 0 ? script_.checkpoints : std::vector<v1::CheckpointRecord>(), TeamOf(i));
        if (status.ok()) status = rank.loop->Run([&rank] { return rank.stop; });
        rank.collectives.reset();  // its process ends
      });
    }
    for (std::thread& thread : threads) thread.join();
    return statuses;
  }
  // As a worker that has the weights of `step` delivers it to a rank.
  v1::AssignedGroup Deliver(int64_t ordinal, int to, const v1::PolicyVersion& version = {}) {
    v1::TrajectoryGroup group = EncodeGroup(SampleImageGroup(ranks_[0].trainer->policy(), config_, ordinal),
                                            ImagePrompt().record, config_.rollout());
    *group.mutable_version() = version;
    const std::string bytes = group.SerializeAsString();
    EXPECT_TRUE(Put(*ranks_[to].spool, ordinal, 0, bytes).ok());
    v1::AssignedGroup assigned;
    assigned.set_ordinal(ordinal);
    assigned.set_rank(to);
    assigned.set_trajectory_digest(Sha256Hex(bytes));
    *assigned.mutable_version() = version;
    for (int slot = 0; slot < group.samples_size(); ++slot)
      *assigned.add_samples() = Summary(slot, static_cast<float>(slot % 2));
    return assigned;
  }

  v1::RunConfig config_;
  v1::LearnerEpoch epoch_;
  Script script_;
  InlineExecutor at_once_;
  Executor* writing_ = &at_once_;
  int count_ = 2;
  Rank ranks_[4];
};

}  // namespace lvrpo
