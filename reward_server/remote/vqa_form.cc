#include "reward_server/remote/vqa_form.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/json/json_text.h"
#include "data/unicode/unicode.h"
#include "reward_server/remote/http/remote_json.h"
#include "reward_server/remote/http/remote_status.h"
#include "reward_server/remote/token_log_probs.h"
#include "verifiers/answers/folded.h"

namespace lvrpo {
namespace {

using nlohmann::json;

constexpr JsonBounds kBounds = {.bytes = size_t{1} << 20, .values = 100000, .depth = 32};
constexpr int64_t kMostTokens = 1000000000;  // of one request
constexpr double kMostTotal = 1.5;           // largest accepted sum of the probabilities
constexpr size_t kLetters = 26;
constexpr double kNever = -std::numeric_limits<double>::infinity();

std::string Fold(absl::string_view text) { return Folded(unicode::RepairUtf8(text), Spaces::kSingle); }

// Whether all first characters differ.
bool BeginDifferently(const std::vector<std::string>& texts) {
  std::set<char32_t> first;
  for (const std::string& text : texts) {
    size_t at = 0;
    if (!first.insert(unicode::NextCodePoint(text, &at)).second) return false;
  }
  return true;
}

// The text of a token, normalised like labels.
std::string FoldToken(absl::string_view token) {
  while (true) {
    const absl::string_view before = token;
    token = absl::StripLeadingAsciiWhitespace(token);
    absl::ConsumePrefix(&token, "\xE2\x96\x81");  // ▁
    absl::ConsumePrefix(&token, "\xC4\xA0");      // Ġ
    if (token.size() == before.size()) return Fold(token);
  }
}

// The only label of which a token is a prefix.
std::optional<size_t> LabelOf(const std::string& token, const std::vector<std::string>& labels) {
  if (token.empty()) return std::nullopt;
  std::optional<size_t> found;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == token) return i;
    if (!absl::StartsWith(labels[i], token)) continue;
    if (found.has_value()) return std::nullopt;
    found = i;
  }
  return found;
}

// log(exp(a) + exp(b)).
double LogAdd(double a, double b) {
  if (a < b) std::swap(a, b);
  return b == kNever ? a : a + std::log1p(std::exp(b - a));
}

int64_t Tokens(const json& reply, const char* name) {
  const auto usage = reply.find("usage");
  if (usage == reply.end() || !usage->is_object()) return 0;
  const auto count = usage->find(name);
  if (count == usage->end() || !count->is_number_integer()) return 0;
  return std::clamp<int64_t>(count->get<int64_t>(), 0, kMostTokens);
}

// The sums of the tokens of each label.
struct Sums {
  std::vector<double> log_probs;  // a label; kNever: nothing
  double smallest = 0;            // of all tokens
  double total = 0;               // probability of all tokens
  std::string first;              // the most probable token
  // A label's invalid log-probability as written; empty when a valid one was seen first. After a valid entry
  // a later one matters little: tokens come in falling order of probability.
  std::vector<std::string> odd;
};

absl::StatusOr<Sums> SumUp(const std::vector<TokenLogProb>& tokens, const std::vector<std::string>& labels) {
  Sums sums;
  sums.log_probs.assign(labels.size(), kNever);
  sums.odd.resize(labels.size());
  double all = kNever, most = kNever;
  for (const TokenLogProb& token : tokens) {
    const std::optional<size_t> label = LabelOf(FoldToken(token.text), labels);
    if (!token.log_prob.has_value()) {
      if (label.has_value() && sums.log_probs[*label] == kNever) sums.odd[*label] = token.written;
      continue;
    }
    if (*token.log_prob == kNever) continue;  // as if it were absent
    sums.smallest = std::min(sums.smallest, *token.log_prob);
    all = LogAdd(all, *token.log_prob);
    if (*token.log_prob > most) {
      most = *token.log_prob;
      sums.first = token.text;
    }
    if (label.has_value()) sums.log_probs[*label] = LogAdd(sums.log_probs[*label], *token.log_prob);
  }
  sums.total = std::exp(all);
  if (sums.total > kMostTotal) {
    return BadAnswer(absl::StrFormat(
        "the probabilities in its answer add up to %.4g: these are no log-probabilities of one token",
        std::exp(all)));
  }
  return sums;
}

absl::StatusOr<VqaAnswer> ReadAnswer(const json& reply, const std::vector<std::string>& labels) {
  const absl::StatusOr<std::vector<TokenLogProb>> tokens = ReadTokenLogProbs(reply);
  if (!tokens.ok()) return tokens.status();
  absl::StatusOr<Sums> summed = SumUp(*tokens, labels);
  if (!summed.ok()) return summed.status();
  for (size_t i = 0; i < labels.size(); ++i) {
    if (summed->odd[i].empty()) continue;
    return BadAnswer(absl::StrCat("what its answer gives as log-probability of \"", labels[i], "\" is ",
                                  summed->odd[i], ", which is none"));
  }
  std::vector<double>& sums = summed->log_probs;
  const double most = *std::max_element(sums.begin(), sums.end());
  if (most == kNever) {
    return absl::NotFoundError(absl::StrCat("the model did not answer with one of the choices (",
                                            absl::StrJoin(labels, ", "), ") but with \"",
                                            absl::CHexEscape(summed->first.substr(0, 40)), "\""));
  }
  VqaAnswer answer;
  answer.total = summed->total;
  double total = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    if (sums[i] == kNever) {
      answer.floored.push_back(i);
      sums[i] = summed->smallest;
    } else {
      answer.coverage += std::exp(sums[i]);
    }
    answer.probabilities.push_back(std::exp(sums[i] - most));
    total += answer.probabilities.back();
  }
  for (double& probability : answer.probabilities) probability /= total;
  return answer;
}

}  // namespace

absl::StatusOr<VqaQuestion> FormVqaQuestion(const v1::Question& question) {
  const auto count = static_cast<size_t>(question.choices_size());
  if (count < 2) return absl::InvalidArgumentError("it needs two choices or more");
  VqaQuestion form;
  form.right = count;
  std::vector<std::string> folded;
  for (size_t i = 0; i < count; ++i) {
    const std::string& choice = question.choices(static_cast<int>(i));
    if (choice == question.answer()) form.right = std::min(form.right, i);
    folded.push_back(Fold(choice));
    if (folded.back().empty()) return absl::InvalidArgumentError("a choice is empty");
  }
  if (form.right == count) return absl::InvalidArgumentError("its answer is not among its choices");
  if (std::set<std::string>(question.choices().begin(), question.choices().end()).size() < count)
    return absl::InvalidArgumentError("two of its choices are the same");
  if (BeginDifferently(folded)) {
    form.text = absl::StrCat(question.text(), "\nAnswer with exactly one of these and nothing else: ",
                             absl::StrJoin(question.choices(), ", "));
    form.labels = std::move(folded);
    return form;
  }
  if (count > kLetters)
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", count, " choices; at most ", kLetters, " can be told apart by letters"));
  form.text = question.text();
  for (size_t i = 0; i < count; ++i) {
    const char letter = static_cast<char>('A' + i);
    absl::StrAppend(&form.text, "\n", std::string(1, letter), ". ", question.choices(static_cast<int>(i)));
    form.labels.emplace_back(1, absl::ascii_tolower(static_cast<unsigned char>(letter)));
  }
  form.text += "\nAnswer with exactly one letter and nothing else.";
  return form;
}

std::string VqaRequestJson(const std::string& model, const VqaQuestion& question, absl::string_view png,
                           int top_logprobs) {
  const json image = {
      {"type", "image_url"},
      {"image_url", {{"url", absl::StrCat("data:image/png;base64,", absl::Base64Escape(png))}}}};
  const json text = {{"type", "text"}, {"text", question.text}};
  const json request = {{"model", model},   {"messages", {{{"role", "user"}, {"content", {image, text}}}}},
                        {"max_tokens", 1},  {"temperature", 0},
                        {"logprobs", true}, {"top_logprobs", top_logprobs}};
  return JsonText(request);
}

VqaReply ReadVqaReply(absl::string_view text, const std::vector<std::string>& labels) {
  const absl::StatusOr<json> reply = ParseRemoteJson(text, kBounds);
  if (!reply.ok()) return {.answer = reply.status()};
  return {.input_tokens = Tokens(*reply, "prompt_tokens"),
          .output_tokens = Tokens(*reply, "completion_tokens"),
          .answer = ReadAnswer(*reply, labels)};
}

}  // namespace lvrpo
