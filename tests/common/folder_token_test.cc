#include "common/files/folder_token.h"

#include <set>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/files/filesystem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;

TEST(FolderToken, AllWhoSeeAFolderGetOne) {
  const TemporaryFolder folder, other;
  absl::Mutex mutex;
  std::set<std::string> tokens;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const absl::StatusOr<std::string> token = FolderToken(folder.path());
      ASSERT_TRUE(token.ok()) << token.status();
      absl::MutexLock lock(&mutex);
      tokens.insert(*token);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(tokens.size(), 1u);
  EXPECT_EQ(tokens.begin()->size(), 16u);
  EXPECT_NE(FolderToken(other.path()).value_or(""), *tokens.begin());
  EXPECT_THAT(*ListFolder(folder.path()), ElementsAre("folder.id"));
}

TEST(FolderToken, ADamagedOneIsNoToken) {
  const TemporaryFolder folder;
  folder.Write("folder.id", "short");
  EXPECT_TRUE(absl::IsDataLoss(FolderToken(folder.path()).status()));
  EXPECT_FALSE(FolderToken(folder / "nowhere").ok());
}

}  // namespace
}  // namespace lvrpo
