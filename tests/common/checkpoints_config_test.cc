#include "common/config/checkpoints_config.h"

#include "common/config/config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::vector<std::string> Problems(const std::function<void(v1::CheckpointsConfig&)>& change) {
  v1::CheckpointsConfig config = DefaultRunConfig().checkpoints();
  change(config);
  ConfigProblems problems;
  CheckCheckpoints(config, problems);
  return problems.found;
}

TEST(CheckCheckpoints, SaysWhatIsWrongInOneSentence) {
  EXPECT_THAT(Problems([](auto&) {}), IsEmpty());
  EXPECT_THAT(Problems([](auto& c) { c.set_store("s3://bucket/runs"); }), IsEmpty());
  EXPECT_THAT(Problems([](auto& c) { c.set_store("bucket/runs"); }),
              ElementsAre(StartsWith("checkpoints.store: 'bucket/runs' is no s3://bucket/prefix")));
  EXPECT_THAT(Problems([](auto& c) {
                c.set_store("s3://bucket");
                c.set_endpoint("http://store.example.org");
              }),
              ElementsAre(StartsWith("checkpoints.endpoint: the endpoint is http:// on another machine")));
  EXPECT_THAT(Problems([](auto& c) { c.set_endpoint("https://store.example.org"); }),
              ElementsAre(StartsWith("checkpoints.endpoint: is set, and checkpoints.store names no bucket")));
  EXPECT_THAT(Problems([](auto& c) {
                c.set_store("s3://bucket");
                c.set_ca_file("/no/such/file");
              }),
              ElementsAre("checkpoints.ca_file: there is no /no/such/file"));
  EXPECT_THAT(Problems([](auto& c) {
                c.mutable_kept()->set_last(0);
                c.mutable_stored()->set_every(-1);
                c.set_last_upload_seconds(-1);
              }),
              ElementsAre(StartsWith("checkpoints.kept.last: "), StartsWith("checkpoints.stored.every: "),
                          StartsWith("checkpoints.last_upload_seconds: ")));
}

// Where checkpoints are kept changes no result: a run may be resumed with another store.
TEST(ConfigDigest, DoesNotCoverTheStore) {
  v1::RunConfig config = DefaultRunConfig();
  const std::string digest = ConfigDigest(config);
  config.mutable_checkpoints()->set_store("s3://bucket/runs");
  EXPECT_EQ(ConfigDigest(config), digest);
}

}  // namespace
}  // namespace lvrpo
