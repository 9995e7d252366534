#include "cli/doctor/gather.h"

#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/doctor/check.h"
#include "common/files/filesystem.h"
#include "common/net/listen_socket.h"
#include "common/net/reach.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

Check Find(const std::vector<Check>& checks, const std::string& name) {
  for (const Check& check : checks) {
    if (check.name == name) return check;
  }
  ADD_FAILURE() << "no check " << name;
  return {};
}

// A port of this machine where somebody listens.
class Listener {
 public:
  Listener() : fd_(*BindSocket(where_)) { EXPECT_EQ(listen(fd_, 4), 0); }
  ~Listener() { close(fd_); }
  const HostPort& where() const { return where_; }

 private:
  HostPort where_{.host = "127.0.0.1", .port = 0};
  const int fd_;
};

TEST(Reach, FindsWhoListens) {
  const Listener listener;
  EXPECT_TRUE(Reach(listener.where(), absl::Seconds(5)).ok());
  HostPort free{.host = "127.0.0.1", .port = 0};
  close(*BindSocket(free));
  EXPECT_TRUE(absl::IsUnavailable(Reach(free, absl::Seconds(5))));
  EXPECT_TRUE(absl::IsNotFound(Reach({.host = "no-such-host.invalid", .port = 80}, absl::Seconds(5))));
}

TEST(Examine, LooksAtThisMachineAndLeavesNothing) {
  const TemporaryFolder folder;
  const Listener taken;
  DoctorOptions options;
  options.run_dir = JoinPath(folder.path(), "runs/new");
  options.listen = {"127.0.0.1:0", taken.where().ToString()};
  const std::vector<Check> checks = Examine(options);
  EXPECT_THAT(Find(checks, "run folder").what, HasSubstr(std::string(folder.path())));
  EXPECT_EQ(Find(checks, "port").level, Check::Level::kOk);
  EXPECT_EQ(ExitCodeOf(checks), 65);  // the port that is taken
  EXPECT_TRUE(ListFolder(folder.path())->empty());
  for (const char* name : {"disk speed", "disk space", "clock", "open files", "memory", "cores"})
    Find(checks, name);
}

TEST(Examine, ReadsTheRunsSettings) {
  DoctorOptions options;
  options.config = absl::StrCat(LVRPO_SOURCE_DIR, "/configs/shapes.yaml");
  options.role = "rollout";
  const std::vector<Check> checks = Examine(options);
  EXPECT_EQ(Find(checks, "configuration").level, Check::Level::kOk);
  EXPECT_EQ(Find(checks, "model").level, Check::Level::kOk);
  EXPECT_EQ(Find(checks, "prompts").level, Check::Level::kOk);
  options.overrides = {"no.such=1"};
  EXPECT_EQ(ExitCodeOf(Examine(options)), 64);
}

TEST(Examine, SaysWhenTheCoordinatorOrCertificatesAreNotThere) {
  HostPort free{.host = "127.0.0.1", .port = 0};
  close(*BindSocket(free));
  DoctorOptions options;
  options.coordinator = free.ToString();
  EXPECT_EQ(Find(Examine(options), "coordinator").about, Check::About::kReach);
  EXPECT_EQ(Find(Examine(options), "coordinator").level, Check::Level::kFailure);
  options.tls = "/nonexistent";
  EXPECT_THAT(Find(Examine(options), "certificate").what, HasSubstr("/nonexistent/ca.crt"));
}

}  // namespace
}  // namespace lvrpo
