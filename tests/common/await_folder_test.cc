#include "common/files/await_folder.h"

#include "common/files/filesystem.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_waiting.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

TEST(AwaitFolder, UntilItIsThereOrPatienceIsOver) {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  FakeWaiting time;
  const auto await = [&](const std::function<bool()>& give_up) {
    return AwaitFolder(run, absl::Seconds(60), give_up, time.waiting());
  };
  const auto never = [] { return false; };
  const absl::Status missing = await(never);
  EXPECT_TRUE(absl::IsUnavailable(missing)) << missing;
  EXPECT_NE(missing.message().find(run), std::string::npos);
  EXPECT_EQ(time.clock.Now() - FakeClock().Now(), absl::Seconds(60));
  EXPECT_TRUE(absl::IsCancelled(await([] { return true; })));
  int asked = 0;
  EXPECT_TRUE(await([&] { return ++asked == 3 && !MakeFolder(run).ok(); }).ok());
  EXPECT_EQ(asked, 3);
  time.waits.clear();
  EXPECT_TRUE(await(never).ok());
  EXPECT_TRUE(time.waits.empty());  // it is there
}

}  // namespace
}  // namespace lvrpo
