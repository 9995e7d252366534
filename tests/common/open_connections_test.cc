#include "common/net/open_connections.h"

#include <sys/socket.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(OpenConnections, AreBoundedInAllAndForEachHost) {
  std::map<int, uint64_t> open = {{1, 10}, {2, 20}, {3, 30}, {4, 40}, {5, 50}};
  OpenConnections connections({.in_all = 3, .per_host = 2}, [&](int fd) { return open[fd]; });
  EXPECT_TRUE(connections.Add(1, "a").ok());
  EXPECT_TRUE(connections.Add(2, "a").ok());
  EXPECT_EQ(connections.Add(3, "a"),
            absl::ResourceExhaustedError("more than 2 connections of one host at once"));
  EXPECT_TRUE(connections.Add(3, "b").ok());
  EXPECT_EQ(connections.Add(4, "c"), absl::ResourceExhaustedError("more than 3 connections at once"));
  open[2] = 0;  // closed
  EXPECT_TRUE(connections.Add(4, "c").ok());
  EXPECT_FALSE(connections.Add(5, "c").ok());
  open[1] = 11;  // closed, and its descriptor is another's
  EXPECT_TRUE(connections.Add(5, "a").ok());
}

TEST(OpenConnections, ADescriptorThatComesAgainIsOneConnection) {
  uint64_t identity = 0;
  OpenConnections connections({.in_all = 1, .per_host = 1}, [&](int) { return identity; });
  for (identity = 1; identity < 9; ++identity) EXPECT_TRUE(connections.Add(7, "a").ok()) << identity;
}

TEST(OpenConnections, TellsSocketsApart) {
  OpenConnections connections({.in_all = 2, .per_host = 1});
  int sockets[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  EXPECT_TRUE(connections.Add(sockets[0], "a").ok());
  EXPECT_FALSE(connections.Add(sockets[1], "a").ok());
  close(sockets[0]);
  EXPECT_TRUE(connections.Add(sockets[1], "a").ok());
  close(sockets[1]);
}

TEST(OpenConnections, LeaveDescriptorsForTheRest) {
  struct Case {
    size_t descriptors, in_all, per_host;
  };
  for (const Case& c : {Case{0, 2, 1}, {256, 128, 64}, {1024, 512, 256}, {1 << 20, 16384, 2048}}) {
    const OpenConnections::Limits limits = OpenConnections::LimitsFor(c.descriptors);
    EXPECT_EQ(limits.in_all, c.in_all) << c.descriptors;
    EXPECT_EQ(limits.per_host, c.per_host) << c.descriptors;
  }
}

}  // namespace
}  // namespace lvrpo
