#include "common/http/excerpt.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/files/file_kind.h"
#include "common/utf8.h"

namespace lvrpo {
namespace {

constexpr size_t kMostExcerpt = 200;  // bytes
constexpr size_t kLookedAt = 4096;    // bytes searched for secrets
constexpr size_t kKnown = 8;          // bytes of a secret that give it away
constexpr size_t kWhole = 4;          // bytes of one that is searched for inside words

bool EndsWord(char c) {
  return absl::ascii_isspace(static_cast<unsigned char>(c)) ||
         absl::string_view("\"'`<>()[]{},;").find(c) != absl::string_view::npos;
}

bool GivesAway(absl::string_view word, absl::string_view secret) {
  if (secret.size() < kKnown) return word == secret;
  for (size_t at = 0; at + kKnown <= secret.size(); ++at) {
    if (absl::StrContains(word, secret.substr(at, kKnown))) return true;
  }
  return false;
}

std::string WithoutSecrets(absl::string_view text, const std::vector<std::string>& secrets) {
  std::string shown;
  while (!text.empty()) {
    const auto end = static_cast<size_t>(std::find_if(text.begin(), text.end(), EndsWord) - text.begin());
    const absl::string_view word = text.substr(0, end);
    const bool secret = absl::StrContains(word, "***") ||
                        std::any_of(secrets.begin(), secrets.end(),
                                    [&](const std::string& one) { return GivesAway(word, one); });
    absl::StrAppend(&shown, secret ? "[key]" : word, text.substr(end, 1));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return shown;
}

}  // namespace

std::string Excerpt(absl::string_view body, const std::vector<std::string>& secrets) {
  std::string text = unicode::RepairUtf8(body.substr(0, kLookedAt));
  for (const std::string& secret : secrets) {
    if (secret.size() >= kWhole) text = absl::StrReplaceAll(text, {{secret, "[key]"}});
  }
  text = WithoutSecrets(text, secrets);
  const bool cut = text.size() > kMostExcerpt;
  if (cut) {
    size_t end = kMostExcerpt;
    while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a character
    text.resize(end);
  }
  text = OneLine(text, kMostExcerpt);
  absl::RemoveExtraAsciiWhitespace(&text);
  return cut && !text.empty() ? text + " ..." : text;
}

}  // namespace lvrpo
