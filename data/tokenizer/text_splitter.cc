#include "data/tokenizer/text_splitter.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "data/tokenizer/metaspace.h"
#include "data/tokenizer/text_normalizer.h"
#include "data/tokenizer/text_pattern.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/unicode/unicode.h"

namespace lvrpo {
namespace {

using Owned = std::unique_ptr<const TextSplitter>;

// What a Split does with its matches.
enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

struct Part {
  size_t begin, end;
  bool match;
};

// Matches and the parts between them; together all of the text.
absl::StatusOr<std::vector<Part>> Parts(const TextPattern& pattern, absl::string_view text, bool invert) {
  std::vector<Part> parts;
  size_t done = 0;
  while (true) {
    const absl::StatusOr<std::optional<TextPattern::Match>> match = pattern.Find(text, done);
    if (!match.ok()) return match.status();
    if (!match->has_value()) break;
    if (done < (*match)->begin) parts.push_back({done, (*match)->begin, invert});
    parts.push_back({(*match)->begin, (*match)->end, !invert});
    done = (*match)->end;
  }
  if (done < text.size()) parts.push_back({done, text.size(), invert});
  return parts;
}

// Whether parts[i] belongs to the word that parts[i - 1] is in. The flag before the first part counts as
// false.
bool Joined(const std::vector<Part>& parts, size_t i, Behavior behavior) {
  switch (behavior) {
    case Behavior::kContiguous:
      return parts[i].match == parts[i - 1].match;
    case Behavior::kMergedWithPrevious:
      return parts[i].match && !parts[i - 1].match;
    case Behavior::kMergedWithNext:
      return parts[i - 1].match && !parts[i].match;
    default:
      return false;
  }
}

class PatternSplitter : public TextSplitter {
 public:
  PatternSplitter(TextPattern pattern, Behavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  absl::Status Split(TextPieces* text) const override {
    std::vector<std::string> out;
    for (const std::string& piece : text->pieces) {
      const absl::StatusOr<std::vector<Part>> found = Parts(pattern_, piece, invert_);
      if (!found.ok()) return found.status();
      const std::vector<Part>& parts = *found;
      bool fresh = true;
      for (size_t i = 0; i < parts.size(); ++i) {
        if (behavior_ == Behavior::kRemoved && parts[i].match) {
          if (out.empty()) text->first_begins_text = false;
          continue;
        }
        const absl::string_view part =
            absl::string_view(piece).substr(parts[i].begin, parts[i].end - parts[i].begin);
        if (!fresh && Joined(parts, i, behavior_)) {
          absl::StrAppend(&out.back(), part);
        } else {
          out.emplace_back(part);
        }
        fresh = false;
      }
    }
    text->pieces = std::move(out);
    return absl::OkStatus();
  }

 private:
  const TextPattern pattern_;
  const Behavior behavior_;
  const bool invert_;
};

class ByteLevel : public TextSplitter {
 public:
  ByteLevel(bool prefix_space, bool use_regex) : prefix_space_(prefix_space) {
    if (use_regex) words_.emplace(TextPattern::Known(kGpt2Pattern), Behavior::kIsolated, false);
  }

  absl::Status Split(TextPieces* text) const override {
    if (prefix_space_) {
      for (std::string& piece : text->pieces) {
        if (piece.front() != ' ') piece.insert(piece.begin(), ' ');
      }
    }
    if (words_.has_value()) {
      if (absl::Status status = words_->Split(text); !status.ok()) return status;
    }
    const std::array<std::string, 256>& alphabet = ByteLevelAlphabet();
    size_t total = 0;
    for (std::string& piece : text->pieces) {
      std::string out;
      out.reserve(piece.size() + piece.size() / 2);
      for (const char byte : piece) out.append(alphabet[static_cast<unsigned char>(byte)]);
      piece = std::move(out);
      total += piece.size();
      if (total > 2 * kMaxTextBytes) {
        return absl::ResourceExhaustedError(absl::StrCat("the text has more than ", 2 * kMaxTextBytes,
                                                         " bytes in the alphabet of ByteLevel"));
      }
    }
    return absl::OkStatus();
  }

 private:
  const bool prefix_space_;
  std::optional<PatternSplitter> words_;
};

class MetaspaceSplitter : public TextSplitter {
 public:
  explicit MetaspaceSplitter(Metaspace options) : options_(std::move(options)) {
    if (options_.split)
      words_.emplace(TextPattern::Literal(options_.replacement), Behavior::kMergedWithNext, false);
  }

  absl::Status Split(TextPieces* text) const override {
    size_t total = 0;
    for (size_t i = 0; i < text->pieces.size(); ++i) {
      std::string& piece = text->pieces[i];
      piece = absl::StrReplaceAll(piece, {{" ", options_.replacement}});
      const bool prepends =
          options_.prepend == Metaspace::Prepend::kAlways ||
          (options_.prepend == Metaspace::Prepend::kFirst && i == 0 && text->first_begins_text);
      if (prepends && !absl::StartsWith(piece, options_.replacement)) piece.insert(0, options_.replacement);
      total += piece.size();
      if (total > 2 * kMaxTextBytes) {
        return absl::ResourceExhaustedError(
            absl::StrCat("the text has more than ", 2 * kMaxTextBytes, " bytes with its spaces replaced"));
      }
    }
    return words_.has_value() ? words_->Split(text) : absl::OkStatus();
  }

 private:
  const Metaspace options_;
  std::optional<PatternSplitter> words_;
};

class Sequence : public TextSplitter {
 public:
  explicit Sequence(std::vector<Owned> steps) : steps_(std::move(steps)) {}

  absl::Status Split(TextPieces* text) const override {
    for (const Owned& step : steps_) {
      if (absl::Status status = step->Split(text); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  const std::vector<Owned> steps_;
};

absl::StatusOr<Behavior> BehaviorFromJson(const nlohmann::json& spec, const std::string& where) {
  const absl::StatusOr<std::string> name = StringMember(spec, "behavior", where);
  if (!name.ok()) return name.status();
  if (*name == "Removed") return Behavior::kRemoved;
  if (*name == "Isolated") return Behavior::kIsolated;
  if (*name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (*name == "MergedWithNext") return Behavior::kMergedWithNext;
  if (*name == "Contiguous") return Behavior::kContiguous;
  return absl::InvalidArgumentError(
      absl::StrCat(where, ": the behavior ", QuoteToken(*name),
                   " is none of Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous"));
}

absl::StatusOr<Owned> SplitFromJson(const nlohmann::json& spec, const std::string& where) {
  absl::StatusOr<TextPattern> pattern =
      TextPattern::FromJson(spec.value("pattern", nlohmann::json()), where + ".pattern");
  if (!pattern.ok()) return pattern.status();
  const absl::StatusOr<Behavior> behavior = BehaviorFromJson(spec, where);
  if (!behavior.ok()) return behavior.status();
  const absl::StatusOr<bool> invert = BoolMember(spec, "invert", where);
  if (!invert.ok()) return invert.status();
  return std::make_unique<PatternSplitter>(*std::move(pattern), *behavior, *invert);
}

absl::StatusOr<Owned> ByteLevelFromJson(const nlohmann::json& spec, const std::string& where) {
  const absl::StatusOr<bool> prefix_space = BoolMember(spec, "add_prefix_space", where);
  if (!prefix_space.ok()) return prefix_space.status();
  if (!spec.contains("use_regex")) return std::make_unique<ByteLevel>(*prefix_space, true);
  const absl::StatusOr<bool> use_regex = BoolMember(spec, "use_regex", where);
  if (!use_regex.ok()) return use_regex.status();
  return std::make_unique<ByteLevel>(*prefix_space, *use_regex);
}

absl::StatusOr<Owned> MetaspaceFromJson(const nlohmann::json& spec, const std::string& where) {
  absl::StatusOr<Metaspace> options = Metaspace::FromJson(spec, where);
  if (!options.ok()) return options.status();
  return std::make_unique<MetaspaceSplitter>(*std::move(options));
}

absl::StatusOr<Owned> DigitsFromJson(const nlohmann::json& spec, const std::string& where) {
  const absl::StatusOr<bool> single =
      spec.contains("individual_digits") ? BoolMember(spec, "individual_digits", where) : false;
  if (!single.ok()) return single.status();
  return std::make_unique<PatternSplitter>(OneDigitPattern(),
                                           *single ? Behavior::kIsolated : Behavior::kContiguous, false);
}

absl::StatusOr<Owned> PunctuationFromJson(const nlohmann::json& spec, const std::string& where) {
  const absl::StatusOr<Behavior> behavior =
      spec.contains("behavior") ? BehaviorFromJson(spec, where) : Behavior::kIsolated;
  if (!behavior.ok()) return behavior.status();
  absl::StatusOr<TextPattern> pattern = PunctuationPattern();
  if (!pattern.ok()) return pattern.status();
  return std::make_unique<PatternSplitter>(*std::move(pattern), *behavior, false);
}

// Printable characters of Latin-1 stand for themselves, the other bytes for U+0100 onwards.
bool StandsForItself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
}

}  // namespace

absl::StatusOr<Owned> TextSplitter::FromJson(const nlohmann::json& spec, const std::string& where) {
  if (spec.is_null()) return Owned();
  const absl::StatusOr<std::string> type = StringMember(spec, "type", where);
  if (!type.ok()) return type.status();
  if (*type == "Split") return SplitFromJson(spec, where);
  if (*type == "ByteLevel") return ByteLevelFromJson(spec, where);
  if (*type == "Sequence") {
    absl::StatusOr<std::vector<Owned>> steps = ListMember<TextSplitter>(spec, "pretokenizers", where);
    if (!steps.ok()) return steps.status();
    return std::make_unique<Sequence>(*std::move(steps));
  }
  if (*type == "Metaspace") return MetaspaceFromJson(spec, where);
  if (*type == "Digits") return DigitsFromJson(spec, where);
  if (*type == "Punctuation") return PunctuationFromJson(spec, where);
  if (*type == "Whitespace")
    return std::make_unique<PatternSplitter>(WordsPattern(), Behavior::kRemoved, true);
  if (*type == "WhitespaceSplit")
    return std::make_unique<PatternSplitter>(OneSpacePattern(), Behavior::kRemoved, false);
  return absl::UnimplementedError(
      absl::StrCat(where, ": the pre-tokenizer ", QuoteToken(*type),
                   " is not supported (Split, ByteLevel, Metaspace, Whitespace, WhitespaceSplit, Digits, "
                   "Punctuation and Sequence are)"));
}

Owned TextSplitter::Qwen2() {
  std::vector<Owned> steps;
  steps.push_back(
      std::make_unique<PatternSplitter>(TextPattern::Known(kQwen2Pattern), Behavior::kIsolated, false));
  steps.push_back(std::make_unique<ByteLevel>(false, false));
  return std::make_unique<Sequence>(std::move(steps));
}

Owned TextSplitter::Clip() {
  std::vector<Owned> steps;
  steps.push_back(
      std::make_unique<PatternSplitter>(TextPattern::Known(kClipPattern), Behavior::kRemoved, true));
  steps.push_back(std::make_unique<ByteLevel>(false, true));
  return std::make_unique<Sequence>(std::move(steps));
}

const std::array<std::string, 256>& ByteLevelAlphabet() {
  static const std::array<std::string, 256>* const alphabet = [] {
    auto* characters = new std::array<std::string, 256>();
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const char32_t c = StandsForItself(byte) ? static_cast<char32_t>(byte) : next++;
      unicode::AppendUtf8(c, &(*characters)[static_cast<size_t>(byte)]);
    }
    return characters;
  }();
  return *alphabet;
}

std::optional<unsigned char> ByteOfByteLevel(char32_t character) {
  if (character < 0x100) {
    if (StandsForItself(static_cast<int>(character))) return static_cast<unsigned char>(character);
    return std::nullopt;
  }
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    if (StandsForItself(byte)) continue;
    if (next++ == character) return static_cast<unsigned char>(byte);
  }
  return std::nullopt;
}

}  // namespace lvrpo
