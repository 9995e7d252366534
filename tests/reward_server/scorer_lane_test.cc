#include "reward_server/scoring/scorer_lane.h"

#include <atomic>
#include <stdexcept>
#include <thread>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::shared_ptr<const ScoringGroup> MakeGroup(const std::string& id, size_t samples = 1) {
  auto group = std::make_shared<ScoringGroup>();
  group->prompt.set_id(id);
  group->prompt.set_task(v1::TASK_KIND_TEXT);
  group->texts.assign(samples, "text");
  return group;
}

// Scores samples with the number of the call. Its first call lasts until Open().
class GatedScorer : public Scorer {
 public:
  std::string name() const override { return "gated"; }
  std::string digest() const override { return "gated/1"; }
  bool AppliesTo(const v1::PromptRecord&) const override { return true; }
  bool TakesSeveral() const override { return takes_several; }
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup&) override {
    return absl::UnimplementedError("in batches only");
  }
  std::vector<absl::StatusOr<std::vector<SampleScore>>> ScoreGroups(
      std::span<const ScoringGroup* const> groups) override {
    if (!started.HasBeenNotified()) started.Notify();
    gate_.WaitForNotification();
    std::vector<absl::StatusOr<std::vector<SampleScore>>> answers;
    calls.emplace_back();
    for (const ScoringGroup* group : groups) {
      calls.back().push_back(group->prompt.id());
      answers.push_back(std::vector<SampleScore>(
          group->size(), SampleScore{.value = static_cast<float>(calls.size()), .detail = "", .maps = {}}));
    }
    return answers;
  }
  void Open() {
    if (!gate_.HasBeenNotified()) gate_.Notify();
  }

  std::atomic<bool> takes_several = true;
  absl::Notification started;
  std::vector<std::vector<std::string>> calls;  // ids; read when the lane is idle

 private:
  absl::Notification gate_;
};

// Says odd things about a sample, or fails with them.
class OddScorer : public Scorer {
 public:
  explicit OddScorer(bool fails) : fails_(fails) {}
  std::string name() const override { return "odd"; }
  std::string digest() const override { return "odd/1"; }
  bool AppliesTo(const v1::PromptRecord&) const override { return true; }
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup&) override {
    const std::string said = "\x1b[31mx\nfoo 1.0\xff";
    if (fails_) return absl::DataLossError(said);
    return std::vector<SampleScore>{{.value = .5, .detail = said, .maps = {}}};
  }

 private:
  const bool fails_;
};

TEST(CallScorer, DetailsAreOneLineThatCanBePrinted) {
  const auto group = MakeGroup("a");
  const ScoringGroup* const only = group.get();
  OddScorer scores(false), fails(true);
  EXPECT_EQ(CallScorer(scores, {&only, 1})[0].scores[0].detail, " [31mx foo 1.0\xef\xbf\xbd");
  EXPECT_EQ(CallScorer(fails, {&only, 1})[0].detail, " [31mx foo 1.0\xef\xbf\xbd");
}

class LaneTest : public ::testing::Test {
 protected:
  // With a first request that is being computed.
  void Start(const LaneOptions& options) {
    lane_ = std::make_unique<ScorerLane>(scorer_, options, clock_);
    first_ = Submit("first");
    scorer_.started.WaitForNotification();
  }
  std::shared_ptr<ScorerLane::Ticket> Submit(const std::string& id, size_t samples = 1,
                                             absl::Duration deadline = absl::Hours(1)) {
    return lane_->TrySubmit(MakeGroup(id, samples), clock_.Now() + deadline);
  }
  ~LaneTest() override { scorer_.Open(); }

  FakeClock clock_;
  GatedScorer scorer_;
  std::unique_ptr<ScorerLane> lane_;
  std::shared_ptr<ScorerLane::Ticket> first_;
};

TEST_F(LaneTest, ScoresSeveralRequestsInOneCallUpToItsLimitAndInOrder) {
  Start({.limit = 10, .batch_samples = 4});
  const auto a = Submit("a", 2), b = Submit("b", 2), c = Submit("c", 1), large = Submit("large", 9);
  EXPECT_EQ(lane_->load(), 5);
  scorer_.Open();
  const LaneAnswer of_b = lane_->Wait(*b), of_large = lane_->Wait(*large);
  EXPECT_EQ(of_b.outcome, v1::ComponentScore::OK);
  EXPECT_EQ(of_b.batch_samples, 4);
  EXPECT_EQ(of_b.scores.size(), 2);
  EXPECT_EQ(of_large.scores.size(), 9);
  (void)lane_->Wait(*a), (void)lane_->Wait(*c), (void)lane_->Wait(*first_);
  lane_.reset();
  EXPECT_THAT(scorer_.calls, ElementsAre(ElementsAre("first"), ElementsAre("a", "b"), ElementsAre("c"),
                                         ElementsAre("large")));
}

TEST_F(LaneTest, TakesNoMoreThanItsLimitAndGivesBackWhatIsCancelled) {
  Start({.limit = 2});
  const auto a = Submit("a"), b = Submit("b");
  EXPECT_EQ(Submit("c"), nullptr);
  lane_->Cancel(*a);
  EXPECT_NE(Submit("d"), nullptr);
  scorer_.Open();
  (void)lane_->Wait(*b);
  lane_.reset();
  EXPECT_THAT(scorer_.calls, ElementsAre(ElementsAre("first"), ElementsAre("b", "d")));
}

TEST_F(LaneTest, SaysWhichDeadlinePassed) {
  Start({.queue_deadline = absl::Seconds(5), .compute_deadline = absl::Seconds(8)});
  const auto hasty = Submit("hasty", 1, absl::Seconds(2)), waits = Submit("waits");
  clock_.Advance(absl::Seconds(3));
  lane_->Expire();
  const LaneAnswer of_hasty = lane_->Wait(*hasty);
  EXPECT_EQ(of_hasty.outcome, v1::ComponentScore::TIMED_OUT);
  EXPECT_THAT(of_hasty.detail, HasSubstr("had not begun when the request's own deadline passed"));
  EXPECT_EQ(of_hasty.queue_seconds, 3);
  EXPECT_EQ(of_hasty.compute_seconds, 0);
  EXPECT_EQ(of_hasty.batch_samples, 0);

  clock_.Advance(absl::Seconds(2));
  lane_->Expire();
  EXPECT_THAT(lane_->Wait(*waits).detail, HasSubstr("queue deadline of 5 s"));
  EXPECT_EQ(lane_->busy(), absl::Seconds(5));

  clock_.Advance(absl::Seconds(3));
  lane_->Expire();
  const LaneAnswer hung = lane_->Wait(*first_);
  EXPECT_EQ(hung.outcome, v1::ComponentScore::TIMED_OUT);
  EXPECT_THAT(hung.detail, HasSubstr("computed longer than its deadline of 8 s"));
  EXPECT_EQ(hung.compute_seconds, 8);
  // The call returned: the lane works again.
  scorer_.Open();
  const auto next = Submit("next");
  EXPECT_EQ(lane_->Wait(*next).outcome, v1::ComponentScore::OK);
}

TEST_F(LaneTest, ARequestsOwnDeadlineEndsACallToo) {
  lane_ = std::make_unique<ScorerLane>(scorer_, LaneOptions(), clock_);
  first_ = Submit("first", 1, absl::Seconds(1));
  scorer_.started.WaitForNotification();
  clock_.Advance(absl::Seconds(1));
  lane_->Expire();
  EXPECT_THAT(lane_->Wait(*first_).detail, HasSubstr("was computing when the request's own deadline passed"));
}

TEST_F(LaneTest, WaitsForABatchToFillOrItsDelayToPass) {
  scorer_.Open();
  lane_ = std::make_unique<ScorerLane>(
      scorer_, LaneOptions{.batch_samples = 3, .batch_delay = absl::Seconds(1)}, clock_);
  const auto a = Submit("a"), b = Submit("b", 2);
  (void)lane_->Wait(*a), (void)lane_->Wait(*b);  // full
  const auto c = Submit("c");
  lane_->Expire();
  EXPECT_EQ(lane_->load(), 1);
  clock_.Advance(absl::Seconds(1));
  lane_->Expire();
  (void)lane_->Wait(*c);
  lane_.reset();
  EXPECT_THAT(scorer_.calls, ElementsAre(ElementsAre("a", "b"), ElementsAre("c")));
}

// Ways in which a scorer may misbehave.
class WrongScorer : public GatedScorer {
 public:
  enum class Kind {
    kThrows,
    kMiscountsRequests,
    kMiscountsSamples,
    kRefuses,
    kFails,
    kIsAway,
    kIsFull,
    kIsSlow
  };
  explicit WrongScorer(Kind kind) : kind_(kind) {}
  std::vector<absl::StatusOr<std::vector<SampleScore>>> ScoreGroups(
      std::span<const ScoringGroup* const> groups) override {
    std::vector<absl::StatusOr<std::vector<SampleScore>>> answers(groups.size());
    if (kind_ == Kind::kThrows) throw std::runtime_error("out of luck\nbacktrace");
    if (kind_ == Kind::kMiscountsRequests) return {};
    if (kind_ == Kind::kMiscountsSamples) answers[0] = std::vector<SampleScore>(7);
    if (kind_ == Kind::kRefuses) answers[0] = absl::InvalidArgumentError("no such thing");
    if (kind_ == Kind::kFails) answers[0] = absl::InternalError("broken");
    if (kind_ == Kind::kIsAway) answers[0] = absl::UnavailableError("no connection");
    if (kind_ == Kind::kIsFull) answers[0] = absl::ResourceExhaustedError("come back later");
    if (kind_ == Kind::kIsSlow) answers[0] = absl::DeadlineExceededError("no answer in 5 s");
    return answers;
  }

 private:
  const Kind kind_;
};

TEST_F(LaneTest, AScorerThatTakesOneRequestGetsOneAtATime) {
  scorer_.takes_several = false;
  Start({.batch_samples = 10, .batch_delay = absl::Hours(1)});
  const auto second = Submit("second"), third = Submit("third");
  scorer_.Open();
  lane_->Wait(*third);
  EXPECT_THAT(scorer_.calls, ElementsAre(ElementsAre("first"), ElementsAre("second"), ElementsAre("third")));
}

TEST(CallScorer, MakesTypedFailuresOfWhatGoesWrong) {
  using Kind = WrongScorer::Kind;
  const std::tuple<Kind, v1::ComponentScore::Outcome, std::string> cases[] = {
      {Kind::kThrows, v1::ComponentScore::SCORER_FAILED, "scorer 'gated' threw: out of luck"},
      {Kind::kMiscountsRequests, v1::ComponentScore::SCORER_FAILED, "answered for 0 of 1 requests"},
      {Kind::kMiscountsSamples, v1::ComponentScore::SCORER_FAILED, "answered for 7 of 2 samples"},
      {Kind::kRefuses, v1::ComponentScore::INVALID_INPUT, "no such thing"},
      {Kind::kFails, v1::ComponentScore::SCORER_FAILED, "broken"},
      {Kind::kIsAway, v1::ComponentScore::OVERLOADED, "no connection"},
      {Kind::kIsFull, v1::ComponentScore::OVERLOADED, "come back later"},
      {Kind::kIsSlow, v1::ComponentScore::TIMED_OUT, "no answer in 5 s"}};
  for (const auto& [kind, outcome, detail] : cases) {
    WrongScorer scorer(kind);
    const auto group = MakeGroup("p", 2);
    const ScoringGroup* const only = group.get();
    const std::vector<LaneAnswer> answers = CallScorer(scorer, {&only, 1});
    ASSERT_EQ(answers.size(), 1);
    EXPECT_EQ(answers[0].outcome, outcome);
    EXPECT_THAT(answers[0].detail, HasSubstr(detail));
    EXPECT_TRUE(answers[0].scores.empty());
  }
}

}  // namespace
}  // namespace lvrpo
