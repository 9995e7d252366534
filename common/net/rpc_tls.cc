#include "common/net/rpc_tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/net/rights.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

namespace tls = grpc::experimental;

constexpr int64_t kMostFileBytes = int64_t{1} << 20;
constexpr unsigned int kLookSeconds = 1;  // gRPC's looks at the files in memory
constexpr char kTroubleUrl[] = "type.lvrpo/TlsTrouble";
// How gRPC quotes what a verifier says.
constexpr absl::string_view kVerdict = "Custom verification check failed with error: UNAUTHENTICATED: ";

std::string Text(grpc::string_ref text) { return std::string(text.data(), text.size()); }

// gRPC leaves the decision about a peer's certificate to this, after the handshake has proved that the peer
// has its key.
class Verifier : public tls::ExternalCertificateVerifier {
 public:
  Verifier(std::shared_ptr<TlsContext> context, TlsSide peer, std::vector<PeerRole> roles,
           std::shared_ptr<Denials> denials)
      : context_(std::move(context)), peer_(peer), roles_(std::move(roles)), denials_(std::move(denials)) {}

  bool Verify(tls::TlsCustomVerificationCheckRequest* request, std::function<void(grpc::Status)>,
              grpc::Status* status) override {
    const PeerVerdict verdict =
        context_->Judge({Text(request->peer_cert()), Text(request->peer_cert_full_chain())}, peer_, roles_);
    if (verdict.accepted()) return true;
    if (denials_ != nullptr) denials_->Note("", verdict.reason, verdict.sentence);
    *status = grpc::Status(grpc::StatusCode::UNAUTHENTICATED, verdict.sentence);
    return true;
  }
  void Cancel(tls::TlsCustomVerificationCheckRequest*) override {}

 private:
  const std::shared_ptr<TlsContext> context_;
  const TlsSide peer_;
  const std::vector<PeerRole> roles_;
  const std::shared_ptr<Denials> denials_;
};

unsigned int WholeSeconds(absl::Duration duration) {
  return static_cast<unsigned int>(std::max<int64_t>(1, absl::ToInt64Seconds(duration)));
}

// The process's own.
struct ProcessState {
  absl::Mutex mutex;
  std::shared_ptr<TlsContext> context ABSL_GUARDED_BY(mutex);
  std::vector<std::weak_ptr<Denials>> servers ABSL_GUARDED_BY(mutex);
};
ProcessState& Process() {
  static auto* state = new ProcessState();
  return *state;
}

template <typename... Parts>
absl::Status Unreachable(const Parts&... sentence) {
  return absl::UnavailableError(absl::StrCat(sentence...));
}

// "127.0.0.1:7070" of "... last error: UNKNOWN: ipv4:127.0.0.1:7070: Tls handshake failed".
std::string AddressIn(absl::string_view message) {
  for (const absl::string_view family : {"ipv4:", "ipv6:"}) {
    const size_t begin = message.rfind(family);
    if (begin == absl::string_view::npos) continue;
    const absl::string_view rest = message.substr(begin + family.size());
    return std::string(rest.substr(0, rest.find(": ")));
  }
  return "the peer";
}

}  // namespace

TlsContext::TlsContext(const TlsFolder& folder, const Options& options)
    : identity_(folder.identity),
      ca_path_(folder.ca),
      options_(options),
      own_(folder, options.reload),
      provider_(std::make_shared<tls::FileWatcherCertificateProvider>(
          own_.key_path(), own_.certificate_path(), kLookSeconds)) {}

TlsContext::~TlsContext() = default;

std::string TlsContext::Bundle() const {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = options_.clock->Now();
  if (now - read_at_ < options_.reload) return bundle_;
  read_at_ = now;
  absl::StatusOr<std::string> read = ReadFile(ca_path_, kMostFileBytes);
  absl::Status status = read.status();
  if (status.ok()) status = ReadCertificate(*read).status();
  if (status.ok() || bundle_.empty()) {
    bundle_ = read.ok() ? *std::move(read) : "";
  } else {
    spdlog::warn("TLS: keeps the CAs that it has: {}: {}", ca_path_, std::string(status.message()));
  }
  return bundle_;
}

absl::Time TlsContext::Expiry() const {
  const absl::StatusOr<CertificateFacts> facts = ReadCertificate(own_.certificate());
  return facts.ok() ? facts->not_after : absl::InfinitePast();
}

PeerVerdict TlsContext::Judge(const PeerCertificate& peer, TlsSide side,
                              const std::vector<PeerRole>& roles) const {
  PeerVerdict verdict = JudgePeer(peer, Bundle(), side, identity_.scope, options_.clock->Now());
  if (!verdict.accepted() || roles.empty() ||
      std::count(roles.begin(), roles.end(), verdict.identity.role) > 0)
    return verdict;
  return {"wrong_identity",
          absl::StrCat("its certificate is for the role ", Word(verdict.identity.role), ", and ",
                       InWords(roles), " is expected there"),
          verdict.identity};
}

void SetProcessTls(std::shared_ptr<TlsContext> context) {
  absl::MutexLock lock(&Process().mutex);
  Process().context = std::move(context);
}

std::shared_ptr<TlsContext> ProcessTls() {
  absl::MutexLock lock(&Process().mutex);
  return Process().context;
}

absl::StatusOr<std::shared_ptr<TlsContext>> OpenTls(const std::string& folder, std::optional<PeerRole> role) {
  if (folder.empty()) return nullptr;
  const absl::StatusOr<TlsFolder> opened = OpenTlsFolder(folder, role, RealClock().Now());
  if (!opened.ok()) return opened.status();
  return std::make_shared<TlsContext>(*opened);
}

absl::Status UseTls(const std::string& folder, std::optional<PeerRole> role) {
  absl::StatusOr<std::shared_ptr<TlsContext>> context = OpenTls(folder, role);
  if (!context.ok()) return context.status();
  if (*context != nullptr) SetProcessTls(*std::move(context));
  return absl::OkStatus();
}

std::shared_ptr<grpc::ServerCredentials> TlsServer(std::shared_ptr<TlsContext> context,
                                                   std::shared_ptr<Denials> denials) {
  {
    absl::MutexLock lock(&Process().mutex);
    std::vector<std::weak_ptr<Denials>>& servers = Process().servers;
    servers.erase(
        std::remove_if(servers.begin(), servers.end(), [](const auto& one) { return one.expired(); }),
        servers.end());
    servers.push_back(denials);
  }
  tls::TlsServerCredentialsOptions options(context->provider());
  options.watch_identity_key_cert_pairs();
  // The verifier refuses those that show none, and says so in the log.
  options.set_cert_request_type(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_BUT_DONT_VERIFY);
  options.set_certificate_verifier(tls::ExternalCertificateVerifier::Create<Verifier>(
      std::move(context), TlsSide::kClient, std::vector<PeerRole>(), std::move(denials)));
  return tls::TlsServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> TlsChannel(std::shared_ptr<TlsContext> context,
                                                     std::vector<PeerRole> roles) {
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(context->provider());
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(false);  // the verifier does
  options.set_check_call_host(false);
  options.set_certificate_verifier(tls::ExternalCertificateVerifier::Create<Verifier>(
      std::move(context), TlsSide::kServer, std::move(roles), nullptr));
  return tls::TlsCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> TlsToStrangers(const std::string& ca,
                                                         const std::string& certificate,
                                                         const std::string& key) {
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<tls::FileWatcherCertificateProvider>(
      key, certificate, ca, WholeSeconds(TlsContext::Options().reload)));
  options.watch_root_certs();
  if (!certificate.empty()) options.watch_identity_key_cert_pairs();
  options.set_certificate_verifier(std::make_shared<tls::HostNameCertificateVerifier>());
  return tls::TlsCredentials(options);
}

void NoteHandshake(const std::string& message) {
  constexpr absl::string_view kPrefix = "Handshake failed with fatal error ";
  if (!absl::StartsWith(message, kPrefix)) return;
  std::vector<std::weak_ptr<Denials>> servers;
  {
    absl::MutexLock lock(&Process().mutex);
    servers = Process().servers;
  }
  for (const std::weak_ptr<Denials>& server : servers) {
    if (const std::shared_ptr<Denials> denials = server.lock(); denials != nullptr)
      denials->Note("", "handshake",
                    absl::StrCat("no TLS handshake (a peer without --tls?): ",
                                 OneLine(message.substr(kPrefix.size()), 200)));
  }
}

absl::Status WithTlsTrouble(absl::Status status, TlsTrouble trouble) {
  status.SetPayload(kTroubleUrl, absl::Cord(trouble == TlsTrouble::kCertain ? "certain" : "maybe"));
  return status;
}

TlsTrouble TlsTroubleOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kTroubleUrl);
  if (!payload.has_value()) return TlsTrouble::kNone;
  return *payload == "certain" ? TlsTrouble::kCertain : TlsTrouble::kMaybe;
}

absl::Status ExplainTls(absl::Status status) {
  if (!absl::IsUnavailable(status)) return status;
  const absl::string_view message = status.message();
  const std::string address = AddressIn(message);
  if (const size_t verdict = message.find(kVerdict); verdict != absl::string_view::npos) {
    return WithTlsTrouble(
        Unreachable("refuses to talk to ", address, ": ", message.substr(verdict + kVerdict.size())),
        TlsTrouble::kCertain);
  }
  if (absl::StrContains(message, "Tls handshake failed") &&
      absl::StrContains(message, "wrong version number")) {
    return WithTlsTrouble(
        Unreachable(address, " does not speak TLS: start it with --tls, or leave --tls away here"),
        TlsTrouble::kCertain);
  }
  if (absl::StrContains(message, "Tls handshake failed") &&
      absl::StrContains(message, "certificate verify failed")) {
    return WithTlsTrouble(Unreachable("the certificate of ", address,
                                      " is not accepted: it is expired, or its CA is not in ca.crt"),
                          TlsTrouble::kCertain);
  }
  if (absl::StrContains(message, "failed to connect") && absl::StrContains(message, "Socket closed")) {
    return WithTlsTrouble(
        Unreachable(address,
                    " hangs up at once: a server with --tls takes only clients with --tls whose "
                    "certificate it accepts, and its log says why it refused one"),
        TlsTrouble::kMaybe);
  }
  return status;
}

}  // namespace lvrpo
