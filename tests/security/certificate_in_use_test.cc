#include "common/tls/certificate_in_use.h"

#include "common/files/file.h"
#include "common/tls/certificate.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/test_certificates.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

class CertificateInUseTest : public ::testing::Test {
 protected:
  // What gRPC reads: a certificate and its own key.
  static std::string InUse(const CertificateInUse& own) {
    const std::string certificate = *ReadFile(own.certificate_path());
    EXPECT_EQ(certificate, own.certificate());
    EXPECT_EQ(CheckKey(*ReadFile(own.key_path()), certificate), absl::OkStatus());
    return certificate;
  }

  const TemporaryFolder folder_;
  const TestAuthority ours_;
};

TEST_F(CertificateInUseTest, ARenewedPairTakesItsPlace) {
  CertificateInUse own(ours_.Write(folder_, "x", PeerRole::kLearner), absl::Hours(1));
  const std::string path = own.certificate_path(), first = InUse(own);
  EXPECT_EQ(own.Refresh(), absl::OkStatus());
  EXPECT_EQ(InUse(own), first);
  ours_.Write(folder_, "x", PeerRole::kLearner);
  EXPECT_EQ(own.Refresh(), absl::OkStatus());
  EXPECT_NE(InUse(own), first);
  EXPECT_EQ(own.certificate_path(), path);
}

TEST_F(CertificateInUseTest, WhatCannotBeUsedDoesNot) {
  const TlsFolder files = ours_.Write(folder_, "x", PeerRole::kLearner);
  CertificateInUse own(files, absl::Hours(1));
  const std::string first = InUse(own);
  const KeyAndCertificate other = ours_.Issue(PeerRole::kLearner), reward = ours_.Issue(PeerRole::kReward);
  const std::pair<KeyAndCertificate, const char*> damaged[] = {
      {{other.key, "garbage"}, "tls.crt: it contains no certificate"},
      {{other.key, ""}, "tls.crt: it contains no certificate"},
      {{"garbage", other.certificate}, "tls.key: it contains no private key"},
      {{other.key, first}, "tls.key: it is not the key"},  // half of a renewal
      {reward, "tls.crt: it is for another identity"},
  };
  for (const auto& [pair, said] : damaged) {
    ASSERT_TRUE(WriteFileAtomic(files.key, pair.key).ok());
    ASSERT_TRUE(WriteFileAtomic(files.certificate, pair.certificate).ok());
    EXPECT_THAT(std::string(own.Refresh().message()), HasSubstr(said));
    EXPECT_EQ(InUse(own), first) << said;
  }
  ASSERT_TRUE(RemoveFile(files.certificate).ok());
  EXPECT_TRUE(absl::IsNotFound(own.Refresh()));
  EXPECT_EQ(InUse(own), first);
  ours_.Write(folder_, "x", PeerRole::kLearner);
  EXPECT_EQ(own.Refresh(), absl::OkStatus());
  EXPECT_NE(InUse(own), first);
}

}  // namespace
}  // namespace lvrpo
