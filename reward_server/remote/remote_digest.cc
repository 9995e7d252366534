#include "reward_server/remote/remote_digest.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "reward_server/remote/http/remote_json.h"
#include "reward_server/remote/http/remote_status.h"

namespace lvrpo {
namespace {

constexpr size_t kMostDigest = 200;  // bytes
constexpr JsonBounds kBounds = {.bytes = size_t{1} << 20, .values = 10000, .depth = 16};

}  // namespace

absl::StatusOr<RemoteDescription> ReadDescription(absl::string_view text) {
  const absl::StatusOr<nlohmann::json> json = ParseRemoteJson(text, kBounds);
  if (!json.ok()) return json.status();
  const absl::StatusOr<std::string> digest = RemoteString(*json, "digest");
  if (!digest.ok()) return digest.status();
  if (absl::Status checked = CheckRemoteDigest(*digest); !checked.ok()) return checked;
  RemoteDescription description = {.digest = *digest, .thresholds = {}};
  const auto thresholds = json->find("thresholds");
  if (thresholds == json->end()) return description;
  if (!thresholds->is_object()) return BadAnswer("\"thresholds\" of its description is no object");
  for (const auto& [name, value] : {std::pair{"score", &description.thresholds.score},
                                    {"counting_score", &description.thresholds.counting_score}}) {
    if (!thresholds->contains(name)) continue;
    const absl::StatusOr<double> share = RemoteShare(*thresholds, name);
    if (!share.ok()) return share.status();
    *value = *share;
  }
  return description;
}

absl::Status CheckRemoteDigest(absl::string_view digest) {
  const bool plain = std::all_of(digest.begin(), digest.end(),
                                 [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); });
  if (!digest.empty() && digest.size() <= kMostDigest && plain) return absl::OkStatus();
  return BadAnswer(absl::StrCat("its digest \"", absl::CHexEscape(digest.substr(0, kMostDigest)),
                                "\" is not 1 to ", kMostDigest,
                                " printable ASCII characters without blanks"));
}

absl::Status CheckUnchanged(absl::string_view described, absl::string_view answered) {
  if (described == answered) return absl::OkStatus();
  if (absl::Status checked = CheckRemoteDigest(answered); !checked.ok()) return checked;
  return absl::FailedPreconditionError(
      absl::StrCat("changed from ", described, " to ", answered, ": restart the reward server to accept it"));
}

}  // namespace lvrpo
