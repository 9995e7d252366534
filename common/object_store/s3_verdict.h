#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// What an answer of an S3-compatible server means.
struct S3Verdict {
  absl::StatusCode code = absl::StatusCode::kOk;
  bool retry = false;            // the same request may succeed later: it is repeated within the client
  bool new_credentials = false;  // before that, the credentials in use are replaced
};

// By the code in the error's XML ("SlowDown"; "" when there is none), else by HTTP's. OK: 200 to 299 without
// a code. NotFound: no such object or upload. AlreadyExists: If-None-Match found one. DataLoss: the server
// received a damaged body, or the object is shorter than the range that was asked for. ResourceExhausted: no
// room. Unavailable: overloaded, failing, or in conflict with another write. Everything else is
// FailedPrecondition: keys, permissions, names, another region. Pure.
S3Verdict JudgeS3Answer(int http_code, absl::string_view error_code);

}  // namespace lvrpo
