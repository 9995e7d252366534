// What the evaluation role reports.

#include <algorithm>
#include <cmath>

#include "coordinator/records/audit.h"
#include "coordinator/records/describe.h"
#include "tests/coordinator/service_fixture.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Evaluations : public StartedServiceTest {
 protected:
  void SetUp() override {
    StartedServiceTest::SetUp();
    evaluation_ = Join("evaluation-0", v1::ROLE_EVALUATION);
  }
  grpc::Status Report(const v1::EvaluationRecord& record) { return Report(evaluation_, record); }
  grpc::Status Report(const v1::Fence& fence, const v1::EvaluationRecord& record) {
    v1::ReportEvaluationRequest request;
    *request.mutable_fence() = fence;
    *request.mutable_evaluation() = record;
    v1::ReportEvaluationResponse response;
    return service_->ReportEvaluation(nullptr, &request, &response);
  }
  static v1::EvaluationRecord Of(int64_t step, double score, const std::string& digest = "") {
    v1::EvaluationRecord record;
    record.set_step(step);
    record.set_digest(digest);
    record.set_score(score);
    record.set_standard_error(.1);
    record.set_images(20);
    return record;
  }
  std::string Rendered() {
    service_->Tick();
    return metrics_.Render();
  }
  bool Audits() {
    const std::vector<Proof> proofs = AuditRun(dir_.string()).value();
    return std::all_of(proofs.begin(), proofs.end(), [](const Proof& proof) { return proof.holds; });
  }

  v1::Fence evaluation_;
};

TEST_F(Evaluations, AreRecordedShownAndMeasured) {
  EXPECT_THAT(Rendered(), Not(HasSubstr("heldout")));  // absent until known
  EXPECT_FALSE(Status().has_heldout());
  ASSERT_TRUE(Report(Of(0, .25)).ok());
  EXPECT_EQ(Status().heldout().score(), .25);
  EXPECT_THAT(Rendered(),
              AllOf(HasSubstr("lvrpo_coordinator_heldout_score 0.25"),
                    HasSubstr("lvrpo_coordinator_heldout_step 0"), Not(HasSubstr("heldout_gain"))));
  TakeStep(learner_, worker_, 0);
  v1::EvaluationRecord trained = Of(1, .5, Status().current_version().digest());
  trained.set_gain(.25);
  trained.set_gain_half_width(.125);
  trained.set_pairs(20);
  ASSERT_TRUE(Report(trained).ok());
  EXPECT_THAT(Rendered(), AllOf(HasSubstr("lvrpo_coordinator_heldout_gain 0.25"),
                                HasSubstr("lvrpo_coordinator_heldout_step 1")));
  const nlohmann::json described = *DescribeRun(dir_.string());
  ASSERT_EQ(described["evaluations"].size(), 2u);
  EXPECT_EQ(described["evaluations"][1]["gain"], .25);
  EXPECT_EQ(described["events"].back()["kind"], "evaluation");
  EXPECT_THAT(described["events"].back()["text"].get<std::string>(),
              HasSubstr("after 1 steps: held-out score 0.500 +- 0.100 over 20 images, gain +0.250 +- 0.125"));
  // The same again writes nothing; a coordinator that starts again knows them.
  const size_t events = described["events"].size();
  ASSERT_TRUE(Report(trained).ok());
  EXPECT_EQ((*DescribeRun(dir_.string()))["events"].size(), events);
  EXPECT_TRUE(Audits());
  Open();
  EXPECT_EQ(Status().heldout().step(), 1);
}

TEST_F(Evaluations, OfWhatTheRunIsNotAreRefused) {
  EXPECT_EQ(Reason(Report(Of(1, .5))), v1::REFUSAL_AHEAD_OF_RECORDS);
  TakeStep(learner_, worker_, 0);
  EXPECT_EQ(Reason(Report(Of(1, .5, "ffff"))), v1::REFUSAL_WRONG_DIGEST);
  EXPECT_EQ(Report(learner_, Of(1, .5)).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  std::vector<v1::EvaluationRecord> wrong = {Of(-1, .5),
                                             Of(1, NAN),
                                             Of(1, INFINITY),
                                             Of(1, -.1),
                                             Of(1, 1.1),
                                             Of(1, .5, "no digest"),
                                             v1::EvaluationRecord(),
                                             Of(1, .5),
                                             Of(1, .5),
                                             Of(1, .5)};
  wrong[7].set_gain(NAN);
  wrong[8].set_images(-1);
  wrong[9].set_pairs(21);
  for (const v1::EvaluationRecord& record : wrong)
    EXPECT_EQ(Report(record).error_code(), grpc::StatusCode::INVALID_ARGUMENT) << record.ShortDebugString();
  EXPECT_FALSE(Status().has_heldout());
}

TEST_F(Evaluations, OfAbandonedStepsAreForgotten) {
  TakeStep(learner_, worker_, 0);
  ASSERT_TRUE(Report(Of(0, .25)).ok());
  ASSERT_TRUE(Report(Of(1, .5)).ok());
  ASSERT_TRUE(Start(learner_, 0).ok());  // no checkpoint: from the base weights again
  EXPECT_EQ(Status().heldout().score(), .25);
  EXPECT_TRUE(Audits());
}

TEST_F(Evaluations, RecordsOfAnOlderProgramGetTheirTable) {
  service_.reset();
  Sql("DROP TABLE evaluations; DELETE FROM sums WHERE name = 'evaluations'");
  EXPECT_TRUE(Audits());  // as it is
  EXPECT_TRUE((*DescribeRun(dir_.string()))["evaluations"].empty());
  Open();
  evaluation_ = Join("evaluation-0", v1::ROLE_EVALUATION);
  EXPECT_TRUE(Report(Of(0, .25)).ok());
  EXPECT_TRUE(Audits());
}

TEST_F(Evaluations, AuditFindsOnesThatNobodyReported) {
  ASSERT_TRUE(Report(Of(0, .25)).ok());
  service_.reset();
  Sql("UPDATE evaluations SET step = 9");
  EXPECT_FALSE(Audits());
}

}  // namespace
}  // namespace lvrpo
