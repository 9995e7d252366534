#include "cli/doctor/certificates.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/test_certificates.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using Level = Check::Level;

class CertificatesTest : public ::testing::Test {
 protected:
  void Make(absl::Duration left, const std::string& bundle = "") {
    TestAuthority::Leaf leaf(PeerRole::kLearner);
    leaf.to = now_ + left;
    ours_.Write(folder_, "certs/learner", leaf, bundle);
  }
  std::vector<Check> Look(const std::string& role) const {
    return CheckCertificates(folder_ / "certs", role, now_);
  }

  const absl::Time now_ = absl::Now();
  const TemporaryFolder folder_;
  const TestAuthority ours_;
};

TEST_F(CertificatesTest, AreGood) {
  Make(absl::Hours(100));
  const std::vector<Check> checks = Look("learner");  // a folder for each role
  ASSERT_EQ(checks.size(), 2u) << checks[0].what;
  EXPECT_EQ(checks[0].level, Level::kOk) << checks[0].what;
  EXPECT_THAT(checks[0].what, HasSubstr("valid until "));
  EXPECT_EQ(checks[1].level, Level::kOk);
  EXPECT_EQ(checks[1].what, "spiffe://lvrpo/test/learner");
  EXPECT_EQ(CheckCertificates(folder_ / "certs/learner", "", now_).size(), 2u);
}

TEST_F(CertificatesTest, EndSoonOrAreWrong) {
  Make(absl::Hours(2));
  EXPECT_EQ(Look("learner")[0].level, Level::kWarning);
  const std::vector<Check> other = CheckCertificates(folder_ / "certs/learner", "reward", now_);
  EXPECT_EQ(other[0].level, Level::kFailure);
  EXPECT_THAT(other[0].what, HasSubstr("is for the role learner, and this process is reward"));
  EXPECT_THAT(other[0].to_do, HasSubstr("lvrpo certs"));
  EXPECT_THAT(Look("reward")[0].what, HasSubstr("has folders of other roles, and none named reward"));
  Make(absl::Hours(100), TestAuthority().certificate());
  EXPECT_THAT(Look("learner")[0].what, HasSubstr("is not accepted by ca.crt"));
}

}  // namespace
}  // namespace lvrpo
