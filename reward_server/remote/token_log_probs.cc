#include "reward_server/remote/token_log_probs.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/json/json_text.h"
#include "reward_server/remote/http/remote_json.h"
#include "reward_server/remote/http/remote_status.h"

namespace lvrpo {
namespace {

using nlohmann::json;

constexpr double kRounding = 1e-3;   // how far above 0 a log-probability may be by rounding
constexpr size_t kMostWritten = 40;  // bytes

// Whether a token is given by its id and not its text, as some servers are configured to do.
bool IsNumbered(absl::string_view token) {
  return absl::ConsumePrefix(&token, "token_id:") && !token.empty() &&
         std::all_of(token.begin(), token.end(),
                     [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); });
}

std::optional<std::string> FromBytes(const json& entry) {
  const auto bytes = entry.find("bytes");
  if (bytes == entry.end() || !bytes->is_array() || bytes->empty()) return std::nullopt;
  std::string text;
  for (const json& byte : *bytes) {
    if (!byte.is_number_integer() || byte < 0 || byte > 255) return std::nullopt;
    text.push_back(static_cast<char>(byte.get<int>()));
  }
  return text;
}

std::optional<std::string> TextOf(const json& entry) {
  const auto token = entry.find("token");
  if (token != entry.end() && token->is_string() && !IsNumbered(token->get_ref<const std::string&>()))
    return token->get<std::string>();
  return FromBytes(entry);
}

TokenLogProb Entry(std::string text, const json& value) {
  TokenLogProb entry = {.text = std::move(text), .log_prob = RemoteNumber(value), .written = JsonText(value)};
  if (entry.written.size() > kMostWritten) entry.written = value.type_name();
  if (!entry.log_prob.has_value() || !(*entry.log_prob <= kRounding)) {
    entry.log_prob = std::nullopt;
  } else {
    entry.log_prob = std::min(0.0, *entry.log_prob);
  }
  return entry;
}

// The first element of object[name], a list.
const json* FirstOf(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto list = object.find(name);
  return list == object.end() || !list->is_array() || list->empty() ? nullptr : &(*list)[0];
}

// The entries of the first token, a list or an object; null: there are none.
const json* Entries(const json& logprobs) {
  const json* const content = FirstOf(logprobs, "content");
  if (content == nullptr) return FirstOf(logprobs, "top_logprobs");
  if (!content->is_object()) return nullptr;
  const auto entries = content->find("top_logprobs");
  return entries == content->end() ? nullptr : &*entries;
}

void Add(TokenLogProb entry, std::vector<TokenLogProb>* tokens) {
  const bool again = std::any_of(tokens->begin(), tokens->end(), [&](const TokenLogProb& other) {
    return other.text == entry.text && other.written == entry.written;
  });
  if (!again) tokens->push_back(std::move(entry));
}

}  // namespace

absl::StatusOr<std::vector<TokenLogProb>> ReadTokenLogProbs(const json& reply) {
  const absl::StatusOr<const json*> choices = RemoteList(reply, "choices");
  if (!choices.ok()) return choices.status();
  const json* const choice = (*choices)->empty() ? nullptr : &(**choices)[0];
  const bool has = choice != nullptr && choice->is_object() && choice->contains("logprobs");
  const json logprobs = has ? (*choice)["logprobs"] : json();
  const bool none = !logprobs.is_object() ||
                    (FirstOf(logprobs, "content") == nullptr && FirstOf(logprobs, "top_logprobs") == nullptr);
  if (none) {
    return BadAnswer(
        "its answer holds no log-probabilities: the endpoint or the model does not give them, or it gave no "
        "token");
  }
  const json* const entries = Entries(logprobs);
  if (entries == nullptr || entries->empty() || !entries->is_structured()) {
    return BadAnswer(
        "its answer gives no top_logprobs, the log-probabilities of other tokens than its own: the endpoint "
        "must "
        "allow as many as reward.vqa_endpoint.top_logprobs asks for");
  }
  std::vector<TokenLogProb> tokens;
  bool numbered = false;
  if (entries->is_object()) {
    for (const auto& [token, value] : entries->items()) {
      if (IsNumbered(token))
        numbered = true;
      else
        Add(Entry(token, value), &tokens);
    }
  } else {
    for (const json& entry : *entries) {
      if (!entry.is_object()) continue;
      std::optional<std::string> text = TextOf(entry);
      const auto token = entry.find("token");
      if (text.has_value()) {
        Add(Entry(*std::move(text), entry.contains("logprob") ? entry["logprob"] : json()), &tokens);
      } else if (token != entry.end() && token->is_string()) {
        numbered = true;
      }
    }
  }
  if (!tokens.empty()) return tokens;
  if (numbered) {
    return BadAnswer(
        "its answer names tokens by numbers (\"token_id:...\") and gives no \"bytes\": start the endpoint so "
        "that it "
        "returns their text");
  }
  return BadAnswer("none of the top_logprobs in its answer says which token it is about");
}

}  // namespace lvrpo
