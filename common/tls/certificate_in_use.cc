#include "common/tls/certificate_in_use.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/tls/certificate.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr int64_t kMostFileBytes = int64_t{1} << 20;

absl::Status In(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

// Whether the pair may take the place of `before` (PEM; empty: there is none).
absl::Status CheckPair(const std::string& certificate_path, const std::string& certificate,
                       const std::string& key_path, const std::string& key, const std::string& before) {
  const absl::StatusOr<CertificateFacts> facts = ReadCertificate(certificate);
  if (!facts.ok()) return In(certificate_path, facts.status());
  if (const absl::Status status = CheckKey(key, certificate); !status.ok()) return In(key_path, status);
  const absl::StatusOr<CertificateFacts> was = ReadCertificate(before);
  if (was.ok() && was->uris != facts->uris)
    return absl::FailedPreconditionError(absl::StrCat(certificate_path, ": it is for another identity"));
  return absl::OkStatus();
}

}  // namespace

CertificateInUse::CertificateInUse(const TlsFolder& folder, absl::Duration reload)
    : certificate_source_(folder.certificate),
      key_source_(folder.key),
      reload_(reload),
      certificate_path_(folder.certificate),
      key_path_(folder.key) {
  absl::StatusOr<MemoryFile> certificate = MemoryFile::Create(), key = MemoryFile::Create();
  if (certificate.ok() && key.ok()) {
    certificate_path_ = certificate->path();
    key_path_ = key->path();
    absl::MutexLock lock(&mutex_);
    certificate_file_.emplace(*std::move(certificate));
    key_file_.emplace(*std::move(key));
  }
  (void)Refresh();
  thread_ = std::thread([this] {
    while (true) {
      {
        absl::MutexLock lock(&mutex_);
        if (mutex_.AwaitWithTimeout(absl::Condition(&ending_), reload_)) return;
      }
      (void)Refresh();
    }
  });
}

CertificateInUse::~CertificateInUse() {
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  thread_.join();
}

std::string CertificateInUse::certificate() const {
  absl::MutexLock lock(&mutex_);
  return certificate_;
}

absl::Status CertificateInUse::Refresh() {
  const absl::StatusOr<std::string> certificate = ReadFile(certificate_source_, kMostFileBytes),
                                    key = ReadFile(key_source_, kMostFileBytes);
  absl::Status status = certificate.status();
  status.Update(key.status());
  absl::MutexLock lock(&mutex_);
  if (status.ok() && (*certificate != certificate_ || *key != key_)) {
    status = CheckPair(certificate_source_, *certificate, key_source_, *key, certificate_);
    if (status.ok()) status = Use(*certificate, *key);
  }
  if (!status.ok() && said_ != status.message())
    spdlog::warn("TLS: keeps the certificate that it has: {}", std::string(status.message()));
  said_ = std::string(status.message());
  return status;
}

absl::Status CertificateInUse::Use(const std::string& certificate, const std::string& key) {
  if (certificate_file_.has_value()) {
    // gRPC compares what it reads with what it has, once a second: a key without its certificate would be put
    // right by its next look.
    if (absl::Status status = key_file_->Put(key); !status.ok()) return status;
    if (absl::Status status = certificate_file_->Put(certificate); !status.ok()) return status;
  }
  if (!certificate_.empty()) spdlog::info("TLS: uses the renewed certificate in {}", certificate_source_);
  certificate_ = certificate;
  key_ = key;
  return absl::OkStatus();
}

}  // namespace lvrpo
