#include "common/tls/certificate.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/test_certificates.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(Identity, IsOneUriOfScopeAndRole) {
  EXPECT_EQ((PeerIdentity{"team-a.run1", PeerRole::kReward}.Uri()), "spiffe://lvrpo/team-a.run1/reward");
  for (const PeerRole role : AllPeerRoles()) {
    const PeerIdentity identity{"x", role};
    const auto read = PeerIdentityOf({"spiffe://mesh/other", identity.Uri()});
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(*read == identity);
  }
  for (const char* uri :
       {"spiffe://lvrpo/", "spiffe://lvrpo/x", "spiffe://lvrpo//learner", "spiffe://lvrpo/x/boss",
        "spiffe://lvrpo/x/learner/", "spiffe://lvrpo/x/y/learner", "spiffe://lvrpo/X/learner",
        "spiffe://lvrpo/x/Learner", "spiffe://lvrpo/x/learner\n", "spiffe://other/x/learner", ""})
    EXPECT_TRUE(absl::IsInvalidArgument(PeerIdentityOf({uri}).status())) << uri;
  EXPECT_FALSE(PeerIdentityOf({}).ok());
  EXPECT_FALSE(PeerIdentityOf({"spiffe://lvrpo/x/learner", "spiffe://lvrpo/x/operator"}).ok());
  EXPECT_FALSE(IsScope(std::string(64, 'a')));
  EXPECT_TRUE(IsScope(std::string(63, 'a')));
}

TEST(JudgePeer, AcceptsOnlyItsOwn) {
  const TestAuthority ours, theirs;
  const absl::Time now = absl::Now();
  using Leaf = TestAuthority::Leaf;
  Leaf expired, early, stranger, unnamed;
  expired.to = now - absl::Minutes(1);
  early.from = now + absl::Minutes(30);
  stranger.scope = "another-run";
  unnamed.uri = "spiffe://elsewhere/app";
  struct Case {
    PeerCertificate peer;
    const char* reason;
    const char* said;
  };
  const KeyAndCertificate good = ours.Issue(PeerRole::kLearner);
  const std::string chain = good.certificate + ours.certificate();
  const Case cases[] = {
      {{good.certificate, good.certificate}, "", ""},
      {{good.certificate, chain}, "", ""},
      {{good.certificate, "junk"}, "", ""},
      {{"", ""}, "no_certificate", "no certificate"},
      {{"junk", "junk"}, "no_certificate", "cannot be read"},
      {{theirs.Issue(PeerRole::kLearner).certificate, ""}, "untrusted", "lvrpo-learner"},
      // A CA that the peer itself brings is not trusted.
      {{theirs.Issue(PeerRole::kLearner).certificate, theirs.certificate()}, "untrusted", "ca.crt"},
      {{ours.Issue(expired).certificate, ""}, "expired", "expired on"},
      {{ours.Issue(early).certificate, ""}, "not_yet_valid", "is a clock wrong?"},
      {{ours.Issue(stranger).certificate, ""}, "wrong_identity", "is for 'another-run', and ours for 'test'"},
      {{ours.Issue(unnamed).certificate, ""}, "wrong_identity", "not one of ours"},
      {{ours.certificate(), ""}, "untrusted", "test CA"},  // the CA itself is no peer
  };
  for (const Case& c : cases) {
    for (const TlsSide side : {TlsSide::kClient, TlsSide::kServer}) {
      const PeerVerdict verdict = JudgePeer(c.peer, ours.certificate(), side, "test", now);
      EXPECT_EQ(verdict.reason, c.reason) << verdict.sentence;
      EXPECT_THAT(verdict.sentence, HasSubstr(c.said));
    }
  }
  EXPECT_EQ(JudgePeer(cases[0].peer, ours.certificate(), TlsSide::kClient, "test", now).identity.role,
            PeerRole::kLearner);
  for (const std::string& bundle : {theirs.certificate(), std::string("junk"), std::string()})
    EXPECT_EQ(JudgePeer(cases[0].peer, bundle, TlsSide::kClient, "test", now).reason, "untrusted") << bundle;
  // A bundle of two, while a CA is replaced.
  EXPECT_TRUE(
      JudgePeer(cases[0].peer, theirs.certificate() + ours.certificate(), TlsSide::kClient, "test", now)
          .accepted());
  EXPECT_EQ(
      JudgePeer(cases[0].peer, ours.certificate(), TlsSide::kClient, "test", now + absl::Hours(2)).reason,
      "expired");
}

TEST(TlsFolder, SaysInOneSentenceWhatIsWrong) {
  const TemporaryFolder folder;
  const TestAuthority ours, theirs;
  const absl::Time now = absl::Now();
  using Leaf = TestAuthority::Leaf;
  Leaf expired(PeerRole::kRollout);
  expired.to = now - absl::Minutes(1);
  ours.Write(folder, "good", PeerRole::kRollout);
  ours.Write(folder, "expired", expired);
  ours.Write(folder, "stranger", PeerRole::kRollout, theirs.certificate());
  ours.Write(folder, "key", PeerRole::kRollout);
  folder.Write("key/tls.key", ours.Issue(PeerRole::kRollout).key);
  ours.Write(folder, "roles/rollout", PeerRole::kRollout);
  ours.Write(folder, "roles/operator", PeerRole::kOperator);
  ours.Write(folder, "junk", PeerRole::kRollout);
  folder.Write("junk/ca.crt", "junk");
  const auto open = [&](const std::string& name, std::optional<PeerRole> role) {
    return OpenTlsFolder(folder / name, role, now);
  };
  EXPECT_TRUE(open("good", PeerRole::kRollout).ok());
  EXPECT_TRUE(open("good", std::nullopt).ok());
  EXPECT_EQ(open("roles", PeerRole::kRollout)->identity.role, PeerRole::kRollout);
  EXPECT_EQ(open("roles", std::nullopt)->identity.role, PeerRole::kOperator);
  const std::tuple<const char*, PeerRole, const char*> wrong[] = {
      {"good", PeerRole::kLearner, "is for the role rollout, and this process is learner"},
      {"expired", PeerRole::kRollout, "expired on"},
      {"stranger", PeerRole::kRollout, "is not accepted by ca.crt"},
      {"key", PeerRole::kRollout, "tls.key: it is not the key of the certificate"},
      {"junk", PeerRole::kRollout, "ca.crt: it contains no certificate"},
      {"roles", PeerRole::kLearner, "none named learner"},
      {"nowhere", PeerRole::kRollout, "nowhere/ca.crt"},
  };
  for (const auto& [name, role, said] : wrong) {
    const absl::Status status = open(name, role).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << name << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(said)) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr("docs/security.md")) << name;
  }
}

}  // namespace
}  // namespace lvrpo
