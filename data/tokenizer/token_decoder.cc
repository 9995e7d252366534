#include "data/tokenizer/token_decoder.h"

#include <cstdlib>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "data/tokenizer/metaspace.h"
#include "data/tokenizer/text_normalizer.h"
#include "data/tokenizer/text_pattern.h"
#include "data/tokenizer/text_splitter.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/unicode/unicode.h"

namespace lvrpo {
namespace {

using Owned = std::unique_ptr<const TokenDecoder>;
using Tokens = std::vector<std::string>;

// The bytes that a token of GPT-2's alphabet stands for; a token with any other character stands for itself.
std::string BytesOf(const std::string& token) {
  static const auto* const bytes = [] {
    auto* table = new std::array<int, 0x144>();
    for (char32_t c = 0; c < table->size(); ++c) {
      const std::optional<unsigned char> byte = ByteOfByteLevel(c);
      (*table)[c] = byte.has_value() ? *byte : -1;
    }
    return table;
  }();
  std::string out;
  for (size_t at = 0; at < token.size();) {
    const char32_t c = unicode::NextCodePoint(token, &at);
    if (c >= bytes->size() || (*bytes)[c] < 0) return token;
    out.push_back(static_cast<char>((*bytes)[c]));
  }
  return out;
}

class ByteLevelDecoder : public TokenDecoder {
 public:
  absl::StatusOr<Tokens> Decode(Tokens tokens) const override {
    std::string bytes;
    for (const std::string& token : tokens) bytes.append(BytesOf(token));
    return Tokens{unicode::RepairUtf8(bytes)};
  }
};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// "<0x0A>"
std::optional<char> ByteOfToken(const std::string& token) {
  if (token.size() != 6 || token.compare(0, 3, "<0x") != 0 || token[5] != '>') return std::nullopt;
  const int high = token[3] == '+' ? 0 : HexDigit(token[3]);  // Rust's integers may have a sign
  const int low = HexDigit(token[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

// A run of byte tokens becomes its text, or one U+FFFD for each of them if it is ill-formed.
class ByteFallback : public TokenDecoder {
 public:
  absl::StatusOr<Tokens> Decode(Tokens tokens) const override {
    Tokens out;
    std::string bytes;
    const auto flush = [&] {
      if (bytes.empty()) return;
      if (unicode::IsValidUtf8(bytes)) {
        out.push_back(bytes);
      } else {
        for (size_t i = 0; i < bytes.size(); ++i) out.emplace_back("\xEF\xBF\xBD");
      }
      bytes.clear();
    };
    for (std::string& token : tokens) {
      if (const std::optional<char> byte = ByteOfToken(token)) {
        bytes.push_back(*byte);
      } else {
        flush();
        out.push_back(std::move(token));
      }
    }
    flush();
    return out;
  }
};

class Replace : public TokenDecoder {
 public:
  explicit Replace(Replacement replacement) : replacement_(std::move(replacement)) {}

  absl::StatusOr<Tokens> Decode(Tokens tokens) const override {
    size_t total = 0;
    for (std::string& token : tokens) {
      absl::StatusOr<std::string> out = replacement_.Apply(token, kMaxDecodedBytes - total);
      if (!out.ok()) return out.status();
      token = *std::move(out);
      total += token.size();
    }
    return tokens;
  }

 private:
  const Replacement replacement_;
};

// Strips one character, up to `start` times at the front and up to `stop` times at the end of each token.
class Strip : public TokenDecoder {
 public:
  Strip(std::string character, uint64_t start, uint64_t stop)
      : character_(std::move(character)), start_(start), stop_(stop) {}

  absl::StatusOr<Tokens> Decode(Tokens tokens) const override {
    for (std::string& token : tokens) {
      size_t begin = 0, end = token.size();
      for (uint64_t i = 0; i < start_ && token.compare(begin, character_.size(), character_) == 0; ++i)
        begin += character_.size();
      for (uint64_t i = 0; i < stop_ && end - begin >= character_.size() &&
                           token.compare(end - character_.size(), character_.size(), character_) == 0;
           ++i)
        end -= character_.size();
      token = token.substr(begin, end - begin);
    }
    return tokens;
  }

 private:
  const std::string character_;
  const uint64_t start_, stop_;
};

// Replaces the replacement character by spaces. The first token's is dropped, unless the file prepends none.
class MetaspaceDecoder : public TokenDecoder {
 public:
  explicit MetaspaceDecoder(Metaspace options) : options_(std::move(options)) {}

  absl::StatusOr<Tokens> Decode(Tokens tokens) const override {
    bool drops = options_.prepend != Metaspace::Prepend::kNever;
    for (std::string& token : tokens) {
      token = absl::StrReplaceAll(token, {{options_.replacement, drops ? "" : " "}});
      drops = false;
    }
    return tokens;
  }

 private:
  const Metaspace options_;
};

class Fuse : public TokenDecoder {
 public:
  absl::StatusOr<Tokens> Decode(Tokens tokens) const override { return Tokens{absl::StrJoin(tokens, "")}; }
};

class Sequence : public TokenDecoder {
 public:
  explicit Sequence(std::vector<Owned> steps) : steps_(std::move(steps)) {}

  absl::StatusOr<Tokens> Decode(Tokens tokens) const override {
    for (const Owned& step : steps_) {
      absl::StatusOr<Tokens> next = step->Decode(std::move(tokens));
      if (!next.ok()) return next;
      tokens = *std::move(next);
    }
    return tokens;
  }

 private:
  const std::vector<Owned> steps_;
};

absl::StatusOr<Owned> StripFromJson(const nlohmann::json& spec, const std::string& where) {
  absl::StatusOr<std::string> content = StringMember(spec, "content", where);
  if (!content.ok()) return content.status();
  size_t length = 0;
  if (!content->empty()) unicode::NextCodePoint(*content, &length);
  const nlohmann::json start = spec.value("start", nlohmann::json()),
                       stop = spec.value("stop", nlohmann::json());
  if (content->empty() || length != content->size() || !start.is_number_unsigned() ||
      !stop.is_number_unsigned()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": want one character as content and two counts as start and stop"));
  }
  return std::make_unique<Strip>(*std::move(content), start.get<uint64_t>(), stop.get<uint64_t>());
}

}  // namespace

absl::StatusOr<Owned> TokenDecoder::FromJson(const nlohmann::json& spec, const std::string& where) {
  if (spec.is_null()) return Owned();
  const absl::StatusOr<std::string> type = StringMember(spec, "type", where);
  if (!type.ok()) return type.status();
  if (*type == "ByteLevel") return ByteLevel();
  if (*type == "ByteFallback") return std::make_unique<ByteFallback>();
  if (*type == "Replace") {
    absl::StatusOr<Replacement> replacement = Replacement::FromJson(spec, where);
    if (!replacement.ok()) return replacement.status();
    return std::make_unique<Replace>(*std::move(replacement));
  }
  if (*type == "Strip") return StripFromJson(spec, where);
  if (*type == "Metaspace") {
    absl::StatusOr<Metaspace> options = Metaspace::FromJson(spec, where);
    if (!options.ok()) return options.status();
    return std::make_unique<MetaspaceDecoder>(*std::move(options));
  }
  if (*type == "Fuse") return std::make_unique<Fuse>();
  if (*type == "Sequence") {
    absl::StatusOr<std::vector<Owned>> steps = ListMember<TokenDecoder>(spec, "decoders", where);
    if (!steps.ok()) return steps.status();
    return std::make_unique<Sequence>(*std::move(steps));
  }
  return absl::UnimplementedError(absl::StrCat(
      where, ": the decoder ", QuoteToken(*type),
      " is not supported (ByteLevel, ByteFallback, Metaspace, Replace, Strip, Fuse and Sequence are)"));
}

Owned TokenDecoder::ByteLevel() { return std::make_unique<ByteLevelDecoder>(); }

Owned TokenDecoder::Clip() {
  std::vector<Owned> steps;
  steps.push_back(ByteLevel());
  steps.push_back(std::make_unique<Replace>(Replacement{TextPattern::Literal("</w>"), " "}));
  steps.push_back(std::make_unique<Strip>(" ", 0, 1));
  return std::make_unique<Sequence>(std::move(steps));
}

}  // namespace lvrpo
