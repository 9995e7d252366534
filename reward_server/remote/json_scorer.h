#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "reward_server/remote/external_link.h"
#include "reward_server/remote/http/http.h"

namespace lvrpo {

// Connects to an external scorer over JSON: GET {address}/describe, POST {address}/score. Without a
// transport: libcurl.
std::unique_ptr<ExternalLink> MakeJsonLink(const std::string& address, const LinkOptions& options,
                                           std::unique_ptr<HttpTransport> transport = nullptr);

// {"prompt": {a prompt record as in prompt files}, "samples": [{"png": base64} | {"text": "..."}]}
std::string ScoreRequestJson(const v1::ScoreSamplesRequest& request);

// {"digest": "...", "scores": [{"value": 0.5, "detail": "..."}]} with `count` scores; "detail" is optional, a
// bare number is a value, other members are ignored. DataLoss, in one clause, says what is wrong; a value
// that is missing is.
absl::StatusOr<v1::ScoreSamplesResponse> ReadScoresJson(absl::string_view text, int count);

}  // namespace lvrpo
