#include "common/net/host_port.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(HostPort, ReadsAddressesToListenOn) {
  struct Case {
    const char* text;
    const char* host;
    int port;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"127.0.0.1:7070", "127.0.0.1", 7070},
           {"0.0.0.0:0", "0.0.0.0", 0},
           {"255.255.255.255:65535", "255.255.255.255", 65535},
           {"[::1]:0", "::1", 0},
           {"[::]:9090", "::", 9090},
           {"[2001:db8::7]:80", "2001:db8::7", 80},
           {"[::ffff:10.0.0.1]:1", "::ffff:10.0.0.1", 1},
           {"localhost:1", "localhost", 1},
           {"learner-0.lan.example.:7070", "learner-0.lan.example.", 7070},
           {"my_service:7070", "my_service", 7070},
           {"7.example:7070", "7.example", 7070},
           {"10a:7070", "10a", 7070},
       }) {
    const absl::StatusOr<HostPort> parsed = ParseHostPort(c.text, AddressUse::kListen);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->host, c.host);
    EXPECT_EQ(parsed->port, c.port);
    EXPECT_EQ(parsed->ToString(), c.text);
  }
}

TEST(HostPort, SaysWhatIsWrong) {
  struct Case {
    std::string text;
    const char* words;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"", "no port"},
           {"7070", "no port"},
           {"localhost", "no port"},
           {"localhost:", "its port is no number"},
           {":7070", "no host"},
           {"host:http", "its port is no number"},
           {"host:-1", "its port is no number"},
           {"host:+1", "its port is no number"},
           {"host: 1", "its port is no number"},
           {"host:1 ", "its port is no number"},
           {"host:65536", "its port is no number"},
           {"host:0x10", "its port is no number"},
           {"host:1.5", "its port is no number"},
           {"host:000080", "its port is no number"},
           {"host:4294967376", "its port is no number"},
           {"::1", "more than one colon"},
           {"::1:7070", "more than one colon"},
           {"2001:db8::7:80", "more than one colon"},
           {"1.2.3.4:5:6", "more than one colon"},
           {"[::1]", "no port"},
           {"[::1]7070", "no port"},
           {"[::1]:", "its port is no number"},
           {"[::1]:65536", "its port is no number"},
           {"[::1:7070", "has no ']'"},
           {"[]:7070", "no IPv6 address"},
           {"[127.0.0.1]:7070", "no IPv6 address"},
           {"[localhost]:7070", "no IPv6 address"},
           {"[:::1]:7070", "no IPv6 address"},
           {"[fe80::1%eth0]:7070", "no IPv6 address"},
           {"http://host:7070", "a URL"},
           {"dns:///host:7070", "a URL"},
           {"unix:/run/socket", "its port is no number"},
           {"user@host:7070", "neither"},
           {"host/path:7070", "neither"},
           {"*:7070", "neither"},
           {"a b:7070", "neither"},
           {" host:7070", "neither"},
           {"-host:7070", "neither"},
           {"host-:7070", "neither"},
           {"a..b:7070", "neither"},
           {".:7070", "neither"},
           {"b\xc3\xbc"
            "cher:7070",
            "neither"},
           {"host\n:7070", "neither"},
           {std::string("host\0:7070", 10), "neither"},
           {std::string("127.0.0.1\0:7070", 15), "neither"},
           {std::string("[::1\0]:7070", 11), "no IPv6 address"},
           {"256.0.0.1:7070", "no IPv4 address of four numbers"},
           {"127.1:7070", "no IPv4 address of four numbers"},
           {"1:7070", "no IPv4 address of four numbers"},
           {"0x7f.0.0.0x1:7070", "no IPv4 address of four numbers"},
           {"127.0.0.01:7070", "no IPv4 address of four numbers"},
           {"1.2.3.4.5:7070", "no IPv4 address of four numbers"},
           {std::string(64, 'a') + ":7070", "neither"},
           {std::string(100, 'a') + "." + std::string(100, 'b') + "." + std::string(60, 'c') + ":1",
            "too long"},
       }) {
    for (const AddressUse use : {AddressUse::kListen, AddressUse::kDial}) {
      const absl::StatusOr<HostPort> parsed = ParseHostPort(c.text, use);
      ASSERT_TRUE(absl::IsInvalidArgument(parsed.status())) << c.text;
      EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(c.words)) << c.text;
    }
  }
}

TEST(HostPort, NobodyDialsPortZeroOrAllInterfaces) {
  for (const char* text : {"127.0.0.1:0", "[::1]:0", "name:0", "0.0.0.0:7070", "[::]:7070", "[0:0::0]:7070",
                           "[::ffff:0.0.0.0]:7070"}) {
    EXPECT_TRUE(ParseHostPort(text, AddressUse::kListen).ok()) << text;
    EXPECT_FALSE(ParseHostPort(text, AddressUse::kDial).ok()) << text;
  }
  for (const char* text : {"127.0.0.1:1", "[::1]:65535", "name:7070"})
    EXPECT_TRUE(ParseHostPort(text, AddressUse::kDial).ok()) << text;
}

TEST(HostPort, ChecksTheHostsOfUrls) {
  for (const char* url :
       {"http://scorer:7101", "https://api.example/v1/chat", "http://[::1]:80/x", "http://[::1]/x",
        "http://10.0.0.1", "https://user:secret@host:443/?a=http://b:c", "http://host?x:y"}) {
    EXPECT_TRUE(CheckUrlHost(url).ok()) << url << ": " << CheckUrlHost(url);
  }
  for (const char* url : {"http://", "http:///path", "http://host:70000", "http://host:", "http://host:http/",
                          "http://::1/", "http://0.0.0.0:80", "http://[::]/", "http://host:0",
                          "http://256.1.1.1/", "http://a b/", "host:80"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckUrlHost(url))) << url;
  }
}

TEST(HostPort, ShowsBadBytesAndLongTextsSafely) {
  const std::string shown(ParseHostPort("\x1b[2J\xff:1", AddressUse::kDial).status().message());
  EXPECT_THAT(shown, HasSubstr("\\033[2J\\377:1"));
  EXPECT_LT(ParseHostPort(std::string(1 << 20, 'a'), AddressUse::kDial).status().message().size(), 400u);
}

TEST(HostPort, KnowsLoopback) {
  for (const char* host :
       {"127.0.0.1", "127.9.9.9", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost", "LocalHost"}) {
    EXPECT_TRUE((HostPort{host, 1}.IsLoopback())) << host;
  }
  for (const char* host :
       {"0.0.0.0", "::", "128.0.0.1", "127.0.0.1.example", "localhost.example", "::2", "::ffff:10.0.0.1"}) {
    EXPECT_FALSE((HostPort{host, 1}.IsLoopback())) << host;
  }
}

TEST(HostPort, OthersAreToldWhatTheyCanDial) {
  struct Case {
    const char* listening;
    const char* advertise;
    const char* told;  // empty: refused
  };
  for (const Case& c : std::initializer_list<Case>{
           {"127.0.0.1:7070", "", "127.0.0.1:7070"},
           {"[::1]:7070", "", "[::1]:7070"},
           {"0.0.0.0:7070", "", ""},
           {"[::]:7070", "", ""},
           {"0.0.0.0:7070", "10.0.0.7:7070", "10.0.0.7:7070"},
           {"[::]:7070", "learner.lan:80", "learner.lan:80"},
           {"0.0.0.0:41234", "learner.lan:0", "learner.lan:41234"},
           {"0.0.0.0:7070", "0.0.0.0:7070", ""},
           {"127.0.0.1:7070", "[::]:7070", ""},
           {"127.0.0.1:7070", "learner.lan", ""},
           {"127.0.0.1:7070", "learner.lan:70000", ""},
       }) {
    const absl::StatusOr<HostPort> told = ReachableAddress(c.listening, c.advertise);
    EXPECT_EQ(told.ok() ? told->ToString() : "", c.told) << c.listening << " " << c.advertise;
    if (!told.ok()) {
      EXPECT_THAT(std::string(told.status().message()), HasSubstr("--advertise"));
    }
  }
}

TEST(HostPort, MetricsAreBesideTheAddress) {
  EXPECT_EQ(BesideAddress("127.0.0.1:9090", "10.0.0.1:7070"), "127.0.0.1:9090");
  EXPECT_EQ(BesideAddress("0.0.0.0:9090", "10.0.0.1:7070"), "10.0.0.1:9090");
  EXPECT_EQ(BesideAddress("[::]:9090", "[2001:db8::1]:7070"), "[2001:db8::1]:9090");
  EXPECT_EQ(BesideAddress("[::]:9090", "me.lan:7070"), "me.lan:9090");
}

}  // namespace
}  // namespace lvrpo
