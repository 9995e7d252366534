#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/net/denials.h"
#include "common/tls/certificate.h"
#include "common/tls/certificate_in_use.h"
#include "common/tls/tls_folder.h"

namespace grpc::experimental {
class CertificateProviderInterface;
}

namespace lvrpo {

// A process's identity in mutual TLS, for its server and its channels. Renewed files are used by new
// connections; files that cannot be used are said in the log, and those before them stay in use. Thread-safe.
class TlsContext {
 public:
  struct Options {
    // Renewed files are noticed within so long, and used by gRPC a second later.
    absl::Duration reload = absl::Seconds(10);
    Clock* clock = &RealClock();
  };
  TlsContext(const TlsFolder& folder, const Options& options);
  explicit TlsContext(const TlsFolder& folder) : TlsContext(folder, Options()) {}
  ~TlsContext();

  const PeerIdentity& identity() const { return identity_; }
  // Whether the peer on `side` may be talked to, by the CA bundle as it is now; a client's server must be one
  // of `roles` (empty: any).
  PeerVerdict Judge(const PeerCertificate& peer, TlsSide side, const std::vector<PeerRole>& roles) const;
  // Until when the certificate in use is valid; InfinitePast when there is none.
  absl::Time Expiry() const;
  const std::shared_ptr<grpc::experimental::CertificateProviderInterface>& provider() const {
    return provider_;
  }

 private:
  std::string Bundle() const;

  const PeerIdentity identity_;
  const std::string ca_path_;
  const Options options_;
  CertificateInUse own_;
  const std::shared_ptr<grpc::experimental::CertificateProviderInterface> provider_;
  mutable absl::Mutex mutex_;
  mutable std::string bundle_ ABSL_GUARDED_BY(mutex_);
  mutable absl::Time read_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

// The identity of this process, which its servers and channels have unless they are told otherwise. Null:
// plain text. Set once, before there are any.
void SetProcessTls(std::shared_ptr<TlsContext> context);
std::shared_ptr<TlsContext> ProcessTls();
// What --tls says: opens the folder (OpenTlsFolder, with its errors). Null for an empty `folder`.
absl::StatusOr<std::shared_ptr<TlsContext>> OpenTls(const std::string& folder, std::optional<PeerRole> role);
// The same, as the process's identity.
absl::Status UseTls(const std::string& folder, std::optional<PeerRole> role);

// Only clients whose certificate TlsContext::Judge accepts get a connection; the others are noted.
std::shared_ptr<grpc::ServerCredentials> TlsServer(std::shared_ptr<TlsContext> context,
                                                   std::shared_ptr<Denials> denials);
// Connects only to servers of these roles (empty: any).
std::shared_ptr<grpc::ChannelCredentials> TlsChannel(std::shared_ptr<TlsContext> context,
                                                     std::vector<PeerRole> roles);

// Connects to servers that are not of this project: their certificate must be for their name, and signed by a
// CA of the file `ca`. `certificate` and `key`: files of what is shown to them; both empty: nothing.
std::shared_ptr<grpc::ChannelCredentials> TlsToStrangers(const std::string& ca,
                                                         const std::string& certificate,
                                                         const std::string& key);

// Takes gRPC's messages: one about a handshake that failed in this process is noted by its servers that use
// TLS.
void NoteHandshake(const std::string& message);

// What is wrong with the connection, where a call failed for it.
enum class TlsTrouble {
  kNone,
  kMaybe,    // the peer hangs up at once: it may be going down, or want TLS
  kCertain,  // the other side's certificate, or no TLS there: trying again does not help
};
TlsTrouble TlsTroubleOf(const absl::Status& status);
absl::Status WithTlsTrouble(absl::Status status, TlsTrouble trouble);
// Turns gRPC's message about a connection that TLS prevented into a sentence, which TlsTroubleOf knows. Other
// statuses are returned as they are.
absl::Status ExplainTls(absl::Status status);

}  // namespace lvrpo
