#include "learner/ranks/rank_process.h"

#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

TEST(RankProcess, RankZeroHasTheNamesOfALearnerAlone) {
  EXPECT_EQ(SpoolFolderOf("run", 0), "run/spool");
  EXPECT_EQ(SpoolFolderOf("run", 3), "run/spool-3");
  EXPECT_EQ(LockFileOf("run", 0), "run/learner.lock");
  EXPECT_EQ(LockFileOf("run", 3), "run/learner-3.lock");
}

TEST(RankProcess, SpoolsOfRanksThatAreNoMoreAreRemoved) {
  const TemporaryFolder run;
  for (const char* name : {"spool", "spool-1", "spool-2", "spool-11", "spool-x", "spooled"})
    run.Write(std::string(name) + "/0-0.group", "bytes");
  RemoveSpoolsFrom(run.path(), 2);
  EXPECT_THAT(*ListFolder(run.path()), UnorderedElementsAre("spool", "spool-1", "spool-x", "spooled"));
}

TEST(RankProcess, RanksOffLoopbackNeedATrustedNetwork) {
  struct {
    int ranks;
    const char *listen, *advertise;
    bool trusted, ok;
  } cases[] = {
      {1, "0.0.0.0:7070", "host:7070", false, true},   {2, "127.0.0.1:0", "", false, true},
      {2, "[::1]:0", "localhost:0", false, true},      {2, "0.0.0.0:7070", "host:7070", false, false},
      {2, "0.0.0.0:7070", "host:7070", true, true},    {2, "10.0.0.1:7070", "", false, false},
      {2, "127.0.0.1:7070", "host:7070", false, false}};
  for (const auto& c : cases) {
    RoleFlags flags;
    flags.ranks = c.ranks;
    flags.listen = c.listen;
    flags.advertise = c.advertise;
    const absl::Status status = CheckRankNetwork(flags, c.trusted);
    EXPECT_EQ(status.ok(), c.ok) << c.listen << " " << c.advertise;
    if (c.ok) continue;
    EXPECT_TRUE(absl::IsFailedPrecondition(status));
    EXPECT_THAT(std::string(status.message()), HasSubstr("neither encrypted nor authenticated"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("learner.trusted_network"));
  }
}

TEST(RankProcess, OthersReachItWhereItSays) {
  RoleFlags flags;
  EXPECT_EQ(*HostForRanks(flags), "127.0.0.1");
  flags.advertise = "learner-0.lan:0";
  EXPECT_EQ(*HostForRanks(flags), "learner-0.lan");
}

}  // namespace
}  // namespace lvrpo
