#include "data/tokenizer/text_normalizer.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "data/tokenizer/text_pattern.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/unicode/unicode.h"
#include "data/unicode/unicode_forms.h"

namespace lvrpo {
namespace {

using Owned = std::unique_ptr<const TextNormalizer>;

absl::Status TooLong() {
  return absl::ResourceExhaustedError(
      absl::StrCat("the text has more than ", kMaxTextBytes, " bytes after normalisation"));
}

// A step that is a function of the text alone and lengthens it by a bounded factor.
class Simple : public TextNormalizer {
 public:
  using Function = std::string (*)(absl::string_view);
  explicit Simple(Function function) : function_(function) {}

  absl::StatusOr<std::string> Normalize(std::string text) const override {
    std::string out = function_(text);
    if (out.size() > kMaxTextBytes) return TooLong();
    return out;
  }

 private:
  const Function function_;
};

class Replace : public TextNormalizer {
 public:
  explicit Replace(Replacement replacement) : replacement_(std::move(replacement)) {}

  absl::StatusOr<std::string> Normalize(std::string text) const override {
    return replacement_.Apply(text, kMaxTextBytes);
  }

 private:
  const Replacement replacement_;
};

class Prepend : public TextNormalizer {
 public:
  explicit Prepend(std::string content) : content_(std::move(content)) {}

  absl::StatusOr<std::string> Normalize(std::string text) const override {
    if (text.empty()) return text;
    if (text.size() + content_.size() > kMaxTextBytes) return TooLong();
    return absl::StrCat(content_, text);
  }

 private:
  const std::string content_;
};

class Strip : public TextNormalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}

  absl::StatusOr<std::string> Normalize(std::string text) const override {
    size_t begin = 0, end = text.size();
    while (left_ && begin < end) {
      size_t next = begin;
      if (!unicode::IsSpace(unicode::NextCodePoint(text, &next))) break;
      begin = next;
    }
    while (right_ && begin < end) {
      const char32_t last = unicode::LastCodePoint(text, end);
      if (!unicode::IsSpace(last)) break;
      std::string bytes;
      unicode::AppendUtf8(last, &bytes);
      end -= bytes.size();
    }
    return text.substr(begin, end - begin);
  }

 private:
  const bool left_, right_;
};

class Sequence : public TextNormalizer {
 public:
  explicit Sequence(std::vector<Owned> steps) : steps_(std::move(steps)) {}

  absl::StatusOr<std::string> Normalize(std::string text) const override {
    for (const Owned& step : steps_) {
      absl::StatusOr<std::string> next = step->Normalize(std::move(text));
      if (!next.ok()) return next;
      text = *std::move(next);
    }
    return text;
  }

 private:
  const std::vector<Owned> steps_;
};

}  // namespace

absl::StatusOr<Owned> TextNormalizer::FromJson(const nlohmann::json& spec, const std::string& where) {
  if (spec.is_null()) return Owned();
  const absl::StatusOr<std::string> type = StringMember(spec, "type", where);
  if (!type.ok()) return type.status();
  if (*type == "NFC") return Nfc();
  if (*type == "NFD") return std::make_unique<Simple>(unicode::ToNfd);
  if (*type == "NFKC") return std::make_unique<Simple>(unicode::ToNfkcOfTokenizers);
  if (*type == "NFKD") return std::make_unique<Simple>(unicode::ToNfkdOfTokenizers);
  if (*type == "Lowercase") return std::make_unique<Simple>(unicode::ToLower);
  if (*type == "Sequence") {
    absl::StatusOr<std::vector<Owned>> steps = ListMember<TextNormalizer>(spec, "normalizers", where);
    if (!steps.ok()) return steps.status();
    return std::make_unique<Sequence>(*std::move(steps));
  }
  if (*type == "Replace") {
    absl::StatusOr<Replacement> replacement = Replacement::FromJson(spec, where);
    if (!replacement.ok()) return replacement.status();
    return std::make_unique<Replace>(*std::move(replacement));
  }
  if (*type == "Prepend") {
    absl::StatusOr<std::string> content = StringMember(spec, "prepend", where);
    if (!content.ok()) return content.status();
    return std::make_unique<Prepend>(*std::move(content));
  }
  if (*type == "Strip") {
    const absl::StatusOr<bool> left = BoolMember(spec, "strip_left", where);
    if (!left.ok()) return left.status();
    const absl::StatusOr<bool> right = BoolMember(spec, "strip_right", where);
    if (!right.ok()) return right.status();
    return std::make_unique<Strip>(*left, *right);
  }
  return absl::UnimplementedError(absl::StrCat(where, ": the normalizer ", QuoteToken(*type),
                                               " is not supported (NFC, NFD, NFKC, NFKD, Lowercase, Replace, "
                                               "Prepend, Strip and Sequence are)"));
}

Owned TextNormalizer::LowercaseFirst(Owned next) {
  auto lowercase = std::make_unique<Simple>(unicode::ToLower);
  if (next == nullptr) return lowercase;
  std::vector<Owned> steps;
  steps.push_back(std::move(lowercase));
  steps.push_back(std::move(next));
  return std::make_unique<Sequence>(std::move(steps));
}

Owned TextNormalizer::Nfc() { return std::make_unique<Simple>(unicode::ToNfc); }

Owned TextNormalizer::Clip() {
  std::vector<Owned> steps;
  steps.push_back(Nfc());
  steps.push_back(std::make_unique<Replace>(Replacement{TextPattern::Known(kSpacesPattern), " "}));
  steps.push_back(std::make_unique<Simple>(unicode::ToLower));
  return std::make_unique<Sequence>(std::move(steps));
}

}  // namespace lvrpo
