#include "cli/doctor/certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using Level = Check::Level;

const absl::Time kNow = absl::FromUnixSeconds(1796000000);

// A certificate with its key; objects live until the test ends.
struct Signed {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();

  Signed() = default;
  Signed(const Signed&) = delete;
  ~Signed() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  std::string Pem() const {
    return Text([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); });
  }
  std::string KeyPem() const {
    return Text([&](BIO* bio) { PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr); });
  }

 private:
  template <typename Write>
  static std::string Text(const Write& write) {
    BIO* bio = BIO_new(BIO_s_mem());
    write(bio);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<size_t>(size));
    BIO_free(bio);
    return text;
  }
};

void Sign(Signed& subject, const Signed& issuer, const std::string& name, const std::string& issuer_name,
          absl::Time ends, const std::string& alternative, bool is_ca) {
  X509* made = subject.certificate;
  X509_set_version(made, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made), 7);
  ASN1_TIME_set(X509_getm_notBefore(made), absl::ToTimeT(kNow - absl::Hours(48)));
  ASN1_TIME_set(X509_getm_notAfter(made), absl::ToTimeT(ends));
  X509_set_pubkey(made, subject.key);
  const auto set = [](X509_NAME* entry, const std::string& text) {
    X509_NAME_add_entry_by_txt(entry, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(text.c_str()), -1, -1, 0);
  };
  set(X509_get_subject_name(made), name);
  set(X509_get_issuer_name(made), issuer_name);
  const auto extend = [&](int kind, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    X509_add_ext(made, extension, -1);
    X509_EXTENSION_free(extension);
  };
  extend(NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "CA:FALSE");
  if (!alternative.empty()) extend(NID_subject_alt_name, alternative);
  X509_sign(made, issuer.key, EVP_sha256());
}

class CertificatesTest : public ::testing::Test {
 protected:
  void SetUp() override { Sign(ca_, ca_, "ca", "ca", kNow + absl::Hours(1000), "", true); }
  void Make(absl::Duration left, const std::string& alternative = "URI:spiffe://lvrpo/run/learner") {
    Sign(leaf_, ca_, "leaf", "ca", kNow + left, alternative, false);
  }
  std::vector<Check> Look(const std::string& role = "learner") {
    return CheckCertificates({ca_.Pem(), leaf_.Pem(), leaf_.KeyPem()}, kNow, role);
  }

  Signed ca_, leaf_;
};

TEST_F(CertificatesTest, AreGood) {
  Make(absl::Hours(100), "URI:spiffe://lvrpo/run/learner,DNS:learner");
  const std::vector<Check> checks = Look();
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_EQ(checks[0].level, Level::kOk) << checks[0].what;
  EXPECT_THAT(checks[0].what, HasSubstr("valid until 2026-12-"));
  EXPECT_EQ(checks[1].level, Level::kOk);
  EXPECT_EQ(Look("")[1].level, Level::kOk);
}

TEST_F(CertificatesTest, EndSoonOrHaveEnded) {
  Make(absl::Hours(2));
  EXPECT_EQ(Look()[0].level, Level::kWarning);
  Signed other;
  Sign(other, ca_, "leaf", "ca", kNow - absl::Hours(1), "", false);
  const Check ended = CheckCertificates({ca_.Pem(), other.Pem(), other.KeyPem()}, kNow, "")[0];
  EXPECT_EQ(ended.level, Level::kFailure);
  EXPECT_THAT(ended.what, HasSubstr("expired"));
}

TEST_F(CertificatesTest, AreForAnotherRoleOrForNone) {
  Make(absl::Hours(100));
  EXPECT_THAT(Look("reward")[1].what,
              HasSubstr("is for spiffe://lvrpo/run/learner, not for the role reward"));
  Signed two;
  Sign(two, ca_, "leaf", "ca", kNow + absl::Hours(100),
       "URI:spiffe://lvrpo/a/learner,URI:spiffe://lvrpo/a/reward", false);
  EXPECT_THAT(CheckCertificates({ca_.Pem(), two.Pem(), two.KeyPem()}, kNow, "")[1].what,
              HasSubstr("exactly one URI"));
}

TEST_F(CertificatesTest, AreOfAnotherCaOrKeyOrDamaged) {
  Make(absl::Hours(100));
  Signed stranger;
  Sign(stranger, stranger, "ca", "ca", kNow + absl::Hours(100), "", true);
  EXPECT_THAT(CheckCertificates({stranger.Pem(), leaf_.Pem(), leaf_.KeyPem()}, kNow, "")[0].what,
              HasSubstr("does not vouch"));
  EXPECT_THAT(CheckCertificates({ca_.Pem(), leaf_.Pem(), ca_.KeyPem()}, kNow, "")[0].what,
              HasSubstr("not the key"));
  EXPECT_THAT(CheckCertificates({"", leaf_.Pem(), leaf_.KeyPem()}, kNow, "")[0].what,
              HasSubstr("ca.crt is no"));
  EXPECT_THAT(CheckCertificates({ca_.Pem(), "x", leaf_.KeyPem()}, kNow, "")[0].what,
              HasSubstr("tls.crt is no"));
  EXPECT_THAT(CheckCertificates({ca_.Pem(), leaf_.Pem(), ""}, kNow, "")[0].what, HasSubstr("tls.key is no"));
}

}  // namespace
}  // namespace lvrpo
