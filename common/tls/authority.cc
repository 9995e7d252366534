#include "common/tls/authority.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/file_kind.h"
#include "common/tls/openssl_ptr.h"

namespace lvrpo {
namespace {

constexpr int kSerialBits = 127;

absl::Status Failed(const std::string& what) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  const std::string why = reason == nullptr ? "unknown reason" : reason;
  ERR_clear_error();
  return absl::FailedPreconditionError(absl::StrCat("cannot ", what, ": ", why));
}

std::string PemOf(BIO* bio) {
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(std::max<decltype(size)>(size, 0)));
}

std::string PemOf(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return PemOf(bio.get());
}

std::string PemOf(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return PemOf(bio.get());
}

// Its subject, key, dates and a random serial number; no issuer, extensions or signature yet.
CertificatePtr Unsigned(const std::string& name, EVP_PKEY* key, absl::Time from, absl::Time to) {
  CertificatePtr certificate(X509_new());
  const NumberPtr serial(BN_new());
  if (certificate == nullptr ||
      BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) != 1 ||
      BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate.get())) == nullptr)
    return nullptr;
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()), absl::ToTimeT(from));
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), absl::ToTimeT(to));
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.data()),
                             static_cast<int>(name.size()), -1, 0);
  return certificate;
}

absl::Status AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  if (extension == nullptr || X509_add_ext(certificate, extension.get(), -1) != 1)
    return Failed(absl::StrCat("write '", value, "' into a certificate"));
  return absl::OkStatus();
}

bool IsIpAddress(const std::string& name) {
  const std::unique_ptr<ASN1_OCTET_STRING, FreeBy<ASN1_OCTET_STRING_free>> address(
      a2i_IPADDRESS(name.c_str()));
  ERR_clear_error();
  return address != nullptr;
}

// Labels of 1 to 63 letters, digits and '-', the first of which may be "*"; the last is no number, or it
// would be an address. Nothing else: it is written into OpenSSL's configuration.
bool IsDnsName(const std::string& name) {
  const std::vector<std::string> labels = absl::StrSplit(name, '.');
  for (size_t i = 0; i < labels.size(); ++i) {
    if (i == 0 && labels[i] == "*" && labels.size() > 1) continue;
    if (labels[i].empty() || labels[i].size() > 63) return false;
    for (const unsigned char c : labels[i])
      if (!absl::ascii_isalnum(c) && c != '-') return false;
  }
  const std::string& last = labels.back();
  return name.size() <= 253 && !std::all_of(last.begin(), last.end(), absl::ascii_isdigit);
}

// As OpenSSL's configuration writes them; a comma would begin another name.
absl::StatusOr<std::string> AlternativeNames(const LeafRequest& request) {
  std::string names = request.uri.empty() ? "" : absl::StrCat("URI:", request.uri);
  for (const std::string& name : request.at) {
    if (absl::Status status = CheckLeafName(name); !status.ok()) return status;
    absl::StrAppend(&names, names.empty() ? "" : ",", IsIpAddress(name) ? "IP:" : "DNS:", name);
  }
  return names;
}

absl::Status Sign(X509* certificate, X509* issuer, EVP_PKEY* key) {
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  if (X509_sign(certificate, key, EVP_sha256()) == 0) return Failed("sign a certificate");
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckLeafName(const std::string& name) {
  if (IsIpAddress(name) || IsDnsName(name)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("'", OneLine(name), "' is neither a DNS name nor an IP address"));
}

absl::StatusOr<KeyAndCertificate> MakeAuthority(const std::string& name, absl::Time from, absl::Time to) {
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return Failed("make a key");
  const CertificatePtr certificate = Unsigned(name, key.get(), from, to);
  if (certificate == nullptr) return Failed("make a certificate");
  for (const auto& [kind, value] :
       {std::pair<int, const char*>{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
        {NID_key_usage, "critical,keyCertSign,cRLSign"},
        {NID_subject_key_identifier, "hash"}}) {
    if (absl::Status status = AddExtension(certificate.get(), certificate.get(), kind, value); !status.ok())
      return status;
  }
  if (absl::Status status = Sign(certificate.get(), certificate.get(), key.get()); !status.ok())
    return status;
  return KeyAndCertificate{PemOf(key.get()), PemOf(certificate.get())};
}

absl::StatusOr<KeyAndCertificate> IssueLeaf(const KeyAndCertificate& authority, const LeafRequest& request) {
  const BioPtr key_bio(BIO_new_mem_buf(authority.key.data(), static_cast<int>(authority.key.size())));
  const BioPtr certificate_bio(
      BIO_new_mem_buf(authority.certificate.data(), static_cast<int>(authority.certificate.size())));
  const KeyPtr issuer_key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
  const CertificatePtr issuer(PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr));
  if (issuer_key == nullptr || issuer == nullptr) return Failed("read the CA's key and certificate");
  const absl::StatusOr<std::string> names = AlternativeNames(request);
  if (!names.ok()) return names.status();
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return Failed("make a key");
  const CertificatePtr leaf = Unsigned(request.name, key.get(), request.from, request.to);
  if (leaf == nullptr) return Failed("make a certificate");
  std::vector<std::pair<int, std::string>> extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                                                         {NID_key_usage, "critical,digitalSignature"},
                                                         {NID_ext_key_usage, "serverAuth,clientAuth"},
                                                         {NID_subject_key_identifier, "hash"},
                                                         {NID_authority_key_identifier, "keyid"}};
  if (!names->empty()) extensions.emplace_back(NID_subject_alt_name, *names);
  for (const auto& [kind, value] : extensions) {
    if (absl::Status status = AddExtension(leaf.get(), issuer.get(), kind, value); !status.ok())
      return status;
  }
  if (absl::Status status = Sign(leaf.get(), issuer.get(), issuer_key.get()); !status.ok()) return status;
  return KeyAndCertificate{PemOf(key.get()), PemOf(leaf.get())};
}

}  // namespace lvrpo
