#include "common/tls/certificate.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/file_kind.h"
#include "common/tls/openssl_ptr.h"

namespace lvrpo {
namespace {

constexpr int kLongestChain = 5;         // intermediate certificates
constexpr int kMostCertificates = 1000;  // in one text
constexpr size_t kMostOfSubject = 100;   // characters

BioPtr Reading(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(std::min(text.size(), size_t{1} << 24))));
}

CertificatePtr First(const std::string& pem) {
  const BioPtr bio = Reading(pem);
  CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return certificate;
}

CertificatesPtr All(const std::string& pem) {
  CertificatesPtr all(sk_X509_new_null());
  const BioPtr bio = Reading(pem);
  while (sk_X509_num(all.get()) < kMostCertificates) {
    X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr);
    if (certificate == nullptr) break;
    sk_X509_push(all.get(), certificate);
  }
  ERR_clear_error();
  return all;
}

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

std::string SubjectOf(X509* certificate) {
  X509_NAME* name = X509_get_subject_name(certificate);
  char text[256] = {};
  if (X509_NAME_get_text_by_NID(name, NID_commonName, text, sizeof(text)) <= 0)
    X509_NAME_oneline(name, text, sizeof(text));
  return OneLine(text, kMostOfSubject);
}

std::string TextOf(const ASN1_STRING* text) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<size_t>(ASN1_STRING_length(text)));
}

// "10.0.0.7"; empty for a length that no address has.
std::string AddressOf(const ASN1_OCTET_STRING* address) {
  const int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ASN1_STRING_length(address) != 16) return "";
  char text[INET6_ADDRSTRLEN] = {};
  return inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof(text)) == nullptr ? "" : text;
}

// The alternative names: URIs, or DNS names and addresses.
struct AlternativeNames {
  std::vector<std::string> uris, names;
};
AlternativeNames NamesOf(X509* certificate) {
  AlternativeNames found;
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) found.uris.push_back(TextOf(name->d.uniformResourceIdentifier));
    if (name->type == GEN_DNS) found.names.push_back(TextOf(name->d.dNSName));
    if (name->type == GEN_IPADD) found.names.push_back(AddressOf(name->d.iPAddress));
  }
  return found;
}

std::string Day(absl::Time time) { return absl::FormatTime("%Y-%m-%d %H:%M UTC", time, absl::UTCTimeZone()); }

// X509_V_OK, or why no chain leads from the certificate to the bundle.
int ChainError(X509* leaf, const PeerCertificate& peer, const std::string& ca_bundle, TlsSide side,
               absl::Time now) {
  const StorePtr store(X509_STORE_new());
  const CertificatesPtr trusted = All(ca_bundle), between = All(peer.chain);
  for (int i = 0; i < sk_X509_num(trusted.get()); ++i)
    X509_STORE_add_cert(store.get(), sk_X509_value(trusted.get(), i));
  const StoreContextPtr context(X509_STORE_CTX_new());
  if (X509_STORE_CTX_init(context.get(), store.get(), leaf, between.get()) != 1)
    return X509_V_ERR_UNSPECIFIED;
  X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(rules, absl::ToTimeT(now));
  X509_VERIFY_PARAM_set_depth(rules, kLongestChain);
  X509_VERIFY_PARAM_set_auth_level(rules, 2);  // RSA of 2048 bits, EC of 224, SHA-2
  X509_VERIFY_PARAM_set_purpose(rules,
                                side == TlsSide::kClient ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER);
  const bool holds = X509_verify_cert(context.get()) == 1;
  const int error = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  return holds ? X509_V_OK : error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error;
}

PeerVerdict Refused(const std::string& reason, const std::string& sentence) { return {reason, sentence, {}}; }

}  // namespace

absl::StatusOr<CertificateFacts> ReadCertificate(const std::string& pem) {
  const CertificatePtr certificate = First(pem);
  if (certificate == nullptr) return absl::InvalidArgumentError("it contains no certificate in PEM");
  AlternativeNames names = NamesOf(certificate.get());
  return CertificateFacts{SubjectOf(certificate.get()), TimeOf(X509_get0_notBefore(certificate.get())),
                          TimeOf(X509_get0_notAfter(certificate.get())), std::move(names.uris),
                          std::move(names.names)};
}

absl::Status CheckKey(const std::string& key_pem, const std::string& certificate_pem) {
  const BioPtr bio = Reading(key_pem);
  const auto no_password = [](char*, int, int, void*) { return 0; };
  const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  const CertificatePtr certificate = First(certificate_pem);
  const bool fits =
      key != nullptr && certificate != nullptr && X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (key == nullptr)
    return absl::InvalidArgumentError("it contains no private key in PEM without a password");
  return fits ? absl::OkStatus() : absl::InvalidArgumentError("it is not the key of the certificate");
}

PeerVerdict JudgePeer(const PeerCertificate& peer, const std::string& ca_bundle, TlsSide side,
                      const std::string& scope, absl::Time now) {
  if (peer.leaf.empty()) return Refused("no_certificate", "it has shown no certificate");
  const CertificatePtr leaf = First(peer.leaf);
  if (leaf == nullptr) return Refused("no_certificate", "its certificate cannot be read");
  const std::string its = absl::StrCat("its certificate (", SubjectOf(leaf.get()), ") ");
  const absl::Time begins = TimeOf(X509_get0_notBefore(leaf.get())),
                   ends = TimeOf(X509_get0_notAfter(leaf.get()));
  if (const int error = ChainError(leaf.get(), peer, ca_bundle, side, now); error != X509_V_OK) {
    if (error == X509_V_ERR_CERT_HAS_EXPIRED && now > ends)
      return Refused("expired", absl::StrCat(its, "expired on ", Day(ends)));
    if (error == X509_V_ERR_CERT_NOT_YET_VALID && now < begins)
      return Refused("not_yet_valid",
                     absl::StrCat(its, "is not valid before ", Day(begins), ": is a clock wrong?"));
    return Refused("untrusted",
                   absl::StrCat(its, "is not accepted by ca.crt: ", X509_verify_cert_error_string(error)));
  }
  const absl::StatusOr<PeerIdentity> identity = PeerIdentityOf(NamesOf(leaf.get()).uris);
  if (!identity.ok())
    return Refused("wrong_identity", absl::StrCat(its, "is not one of ours: ", identity.status().message()));
  if (identity->scope != scope)
    return Refused("wrong_identity",
                   absl::StrCat(its, "is for '", identity->scope, "', and ours for '", scope, "'"));
  return {"", "", *identity};
}

}  // namespace lvrpo
