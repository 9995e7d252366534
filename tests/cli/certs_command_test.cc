#include "cli/certs_command.h"

#include <sys/stat.h>

#include "common/files/file.h"
#include "common/tls/certificate.h"
#include "common/tls/tls_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1800000000);

class CertsCommandTest : public ::testing::Test {
 protected:
  CertsCommandTest() { options_.out = folder_ / "certs"; }
  std::string Leaf(const std::string& role) const {
    return *ReadFile(options_.out + "/" + role + "/tls.crt");
  }
  std::string Trusted(const std::string& role) const {
    return *ReadFile(options_.out + "/" + role + "/ca.crt");
  }
  bool Accepts(const std::string& trusted, const std::string& leaf, absl::Time now = kNow) const {
    return JudgePeer({leaf, leaf}, trusted, TlsSide::kClient, "demo", now).accepted();
  }

  const TemporaryFolder folder_;
  CertsOptions options_;
};

TEST_F(CertsCommandTest, MakesACertificateForEachRole) {
  options_.run = "demo";
  options_.days = 10;
  options_.names = {"coordinator=lvrpo.example.org,10.0.0.7", "coordinator=*.lvrpo", "learner=::2"};
  ASSERT_EQ(MakeCertificates(options_, kNow), absl::OkStatus());
  for (const PeerRole role : AllPeerRoles()) {
    const auto folder = OpenTlsFolder(options_.out, role, kNow);
    ASSERT_TRUE(folder.ok()) << folder.status();
    EXPECT_EQ(folder->identity.scope, "demo");
    struct stat status = {};
    ASSERT_EQ(stat(folder->key.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
  }
  struct stat status = {};
  ASSERT_EQ(stat((options_.out + "/ca/ca.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_FALSE(Exists(options_.out + "/learner/ca.key"));
  EXPECT_TRUE(Accepts(Trusted("learner"), Leaf("rollout"), kNow + absl::Hours(24 * 9)));
  EXPECT_FALSE(Accepts(Trusted("learner"), Leaf("rollout"), kNow + absl::Hours(24 * 11)));
  // An authority's certificate is no leaf's, and a leaf signs nothing.
  EXPECT_FALSE(Accepts(Leaf("rollout"), Leaf("learner")));
}

TEST_F(CertsCommandTest, ReplacesNothingUnlessTold) {
  options_.run = "demo";
  ASSERT_TRUE(MakeCertificates(options_, kNow).ok());
  const std::string ca = Trusted("learner"), leaf = Leaf("learner");
  const absl::Status again = MakeCertificates(options_, kNow);
  EXPECT_TRUE(absl::IsFailedPrecondition(again)) << again;
  EXPECT_THAT(std::string(again.message()), HasSubstr("--renew"));
  EXPECT_EQ(Leaf("learner"), leaf);
  CertsOptions elsewhere = options_;
  elsewhere.out = folder_ / "nothing";
  elsewhere.renew = true;
  EXPECT_TRUE(absl::IsNotFound(MakeCertificates(elsewhere, kNow)));
}

TEST_F(CertsCommandTest, RenewsLeavesAndReplacesTheCaInTwoSteps) {
  options_.run = "demo";
  ASSERT_TRUE(MakeCertificates(options_, kNow).ok());
  const std::string first_ca = Trusted("learner"), first_leaf = Leaf("learner");
  options_.run.clear();  // as it was
  options_.renew = true;
  ASSERT_TRUE(MakeCertificates(options_, kNow).ok());
  const std::string renewed = Leaf("learner");
  EXPECT_NE(renewed, first_leaf);
  EXPECT_EQ(Trusted("learner"), first_ca);
  EXPECT_TRUE(Accepts(first_ca, renewed));
  options_.renew = false;
  options_.new_ca = true;
  ASSERT_TRUE(MakeCertificates(options_, kNow).ok());
  const std::string both = Trusted("learner"), of_new = Leaf("learner");
  EXPECT_TRUE(Accepts(both, renewed));
  EXPECT_TRUE(Accepts(both, of_new));
  EXPECT_FALSE(Accepts(first_ca, of_new));
  options_.new_ca = false;
  options_.renew = true;
  ASSERT_TRUE(MakeCertificates(options_, kNow).ok());
  EXPECT_FALSE(Accepts(Trusted("learner"), renewed));
  EXPECT_TRUE(Accepts(Trusted("learner"), of_new));
}

TEST_F(CertsCommandTest, RenewedLeavesKeepTheirNames) {
  options_.run = "demo";
  options_.names = {"coordinator=lvrpo.example.org,10.0.0.7"};
  ASSERT_TRUE(MakeCertificates(options_, kNow).ok());
  options_.renew = true;
  options_.names = {"coordinator=other.example.org", "learner=::2"};
  ASSERT_TRUE(MakeCertificates(options_, kNow).ok());
  options_.names.clear();
  ASSERT_TRUE(MakeCertificates(options_, kNow).ok());
  EXPECT_THAT(
      ReadCertificate(Leaf("coordinator"))->names,
      ElementsAre("other.example.org", "lvrpo.example.org", "10.0.0.7", "localhost", "127.0.0.1", "::1"));
  EXPECT_THAT(ReadCertificate(Leaf("learner"))->names, ElementsAre("::2", "localhost", "127.0.0.1", "::1"));
}

TEST_F(CertsCommandTest, ACaThatCannotSignRenewsNothing) {
  options_.run = "demo";
  ASSERT_TRUE(MakeCertificates(options_, kNow).ok());
  const std::string certificate = options_.out + "/ca/ca.crt", key = options_.out + "/ca/ca.key";
  const std::string good_certificate = *ReadFile(certificate), good_key = *ReadFile(key),
                    leaf = Leaf("learner");
  options_.renew = true;
  const auto fails = [&](absl::Time now, const char* said) {
    const absl::Status status = MakeCertificates(options_, now);
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(said));
    EXPECT_EQ(Leaf("learner"), leaf);
  };
  ASSERT_TRUE(WriteFileAtomic(key, *ReadFile(options_.out + "/learner/tls.key")).ok());
  fails(kNow, "ca/ca.key: it is not the key of the certificate");
  ASSERT_TRUE(WriteFileAtomic(key, "garbage").ok());
  fails(kNow, "ca/ca.key: it contains no private key");
  ASSERT_TRUE(WriteFileAtomic(key, good_key).ok());
  ASSERT_TRUE(WriteFileAtomic(certificate, "garbage").ok());
  fails(kNow, "ca/ca.crt: it contains no certificate");
  ASSERT_TRUE(WriteFileAtomic(certificate, good_certificate).ok());
  fails(kNow + absl::Hours(24 * 4000), "ca/ca.crt: it expired on");
  // A leaf, which signs nothing.
  ASSERT_TRUE(WriteFileAtomic(certificate, leaf).ok());
  ASSERT_TRUE(WriteFileAtomic(key, *ReadFile(options_.out + "/learner/tls.key")).ok());
  fails(kNow, "makes certificates that nobody accepts");
}

TEST_F(CertsCommandTest, BadNamesWriteNothing) {
  const std::vector<std::string> bad[] = {{"boss=x"},
                                          {"coordinator"},
                                          {"coordinator="},
                                          {"coordinator=a,"},
                                          {"coordinator=a b"},
                                          {"coordinator=a\nDNS:evil"},
                                          {"coordinator=x:1"},
                                          {"coordinator=a;URI:spiffe://lvrpo/x/operator"},
                                          {"coordinator=999.2.3.4"},
                                          {"coordinator=" + std::string(64, 'a')},
                                          {"coordinator=a..b"},
                                          {"coordinator=*"}};
  for (const std::vector<std::string>& names : bad) {
    options_.names = names;
    EXPECT_TRUE(absl::IsInvalidArgument(MakeCertificates(options_, kNow))) << names[0];
    EXPECT_FALSE(Exists(options_.out)) << names[0];
  }
  options_.names.clear();
  options_.run = "Demo";
  EXPECT_TRUE(absl::IsInvalidArgument(MakeCertificates(options_, kNow)));
  EXPECT_THAT((*NamesByRole({"learner=a,b"}))[PeerRole::kLearner], ElementsAre("a", "b"));
}

}  // namespace
}  // namespace lvrpo
