#pragma once

#include "reward_server/remote/http/external_tls.h"
#include "reward_server/remote/http/http.h"

namespace lvrpo {

// HTTP and HTTPS through libcurl: certificates are checked (ExternalTls, as the environment was at the
// start), redirections are not followed, connections are reused. Compressed bodies are decompressed, and the
// size limit applies to the result. Proxies come from the environment, as with the program curl.
class CurlTransport : public HttpTransport {
 public:
  CurlTransport();
  ~CurlTransport() override;

  std::vector<absl::StatusOr<HttpAnswer>> Send(std::span<const HttpRequest> requests,
                                               const HttpOptions& options) override;

 private:
  const absl::StatusOr<ExternalTls> tls_ = ExternalTlsFromEnvironment();
  void* const multi_;  // libcurl's CURLM, which owns the connections
};

}  // namespace lvrpo
