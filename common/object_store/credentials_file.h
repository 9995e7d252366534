#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "common/object_store/signed_http.h"

namespace lvrpo {

// A profile of a shared credentials file: sections "[name]" or "[profile name]" with lines "aws_access_key_id
// = ...", "aws_secret_access_key = ..." and "aws_session_token = ...", and comments after '#' or ';' at a
// line's beginning. nullopt: no such section, or one without both keys. Accepts any bytes. Pure.
std::optional<S3Credentials> ReadProfile(absl::string_view file, absl::string_view profile);

}  // namespace lvrpo
