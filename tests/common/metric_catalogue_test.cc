#include <set>

#include "absl/strings/match.h"
#include "common/telemetry/catalogue.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

// The conventions of Prometheus and OpenMetrics.
TEST(MetricCatalogue, KeepsTheConventions) {
  std::set<std::string> families;
  for (const MetricSpec& metric : MetricCatalogue()) {
    SCOPED_TRACE(metric.name);
    EXPECT_EQ(metric.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string::npos);
    EXPECT_EQ(absl::EndsWith(metric.name, "_total"), metric.type == MetricType::kCounter);
    EXPECT_TRUE(metric.type != MetricType::kHistogram || UnitOf(metric) == "seconds");
    std::string family = metric.name;
    if (metric.type == MetricType::kCounter) family.resize(family.size() - std::string("_total").size());
    for (const char* reserved : {"_sum", "_count", "_bucket", "_info"})
      EXPECT_FALSE(absl::EndsWith(family, reserved) && metric.name != "lvrpo_build_info");
    EXPECT_TRUE(families.insert(family).second) << "a family of this name is there already";
    EXPECT_TRUE(absl::EndsWith(metric.help, ".") || absl::EndsWith(metric.help, ")."));
    for (const MetricSpec::Label& label : metric.labels) EXPECT_NE(label.name, "run");
  }
}

TEST(MetricCatalogue, KnowsUnitsAndRoles) {
  EXPECT_EQ(UnitOf(*FindMetric("lvrpo_rollout_wait_seconds_total")), "seconds");
  EXPECT_EQ(UnitOf(*FindMetric("lvrpo_learner_checkpoint_timestamp_seconds")), "timestamp");
  EXPECT_EQ(UnitOf(*FindMetric("lvrpo_disk_free_bytes")), "bytes");
  EXPECT_EQ(UnitOf(*FindMetric("lvrpo_coordinator_step")), "");
  EXPECT_EQ(RoleOf(*FindMetric("lvrpo_reward_queue_depth")), "reward");
  EXPECT_EQ(RoleOf(*FindMetric("lvrpo_role_state")), "every role");
  EXPECT_EQ(FindMetric("lvrpo_nothing"), nullptr);
}

TEST(MetricCatalogue, SeriesAreKnownWhenAllLabelsAre) {
  EXPECT_THAT(KnownSeries(*FindMetric("lvrpo_reward_vqa_tokens_total")),
              ElementsAre(ElementsAre(Pair("kind", "input")), ElementsAre(Pair("kind", "output"))));
  EXPECT_THAT(KnownSeries(*FindMetric("lvrpo_rollout_samples_total")), ElementsAre(IsEmpty()));
  EXPECT_THAT(KnownSeries(*FindMetric("lvrpo_rpc_denied_total")), IsEmpty());
}

TEST(MetricCatalogue, TheDocumentHasEachInOneRow) {
  const std::string document = MetricsDocument();
  for (const MetricSpec& metric : MetricCatalogue())
    EXPECT_THAT(document, HasSubstr("\n| `" + metric.name + "` | "));
}

}  // namespace
}  // namespace lvrpo
