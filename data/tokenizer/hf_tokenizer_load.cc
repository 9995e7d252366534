// Creates an HfTokenizer from a tokenizer.json.
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/hash.h"
#include "common/json/json_text.h"
#include "data/tokenizer/hf_tokenizer_parts.h"

namespace lvrpo {

using nlohmann::json;

namespace {

// Must change whenever the same files may give other ids than before, e.g. with new Unicode tables.
constexpr char kPipelineVersion[] = "hf-tokenizer/1 tokenizers-0.23 letters-16.0 case-17.0 nfc-9.0";

constexpr int32_t kMaxPadding = 1 << 20;

// Prefixes the path to an error of a component.
absl::Status At(const std::string& where, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(where, ": ", status.message()));
}

// Members that may be missing or null.
absl::StatusOr<std::string> OptionalString(const json& object, const char* name, const std::string& where) {
  if (object.value(name, json()).is_null()) return "";
  return StringMember(object, name, where);
}

absl::StatusOr<bool> OptionalBool(const json& object, const char* name, const std::string& where) {
  if (object.value(name, json()).is_null()) return false;
  return BoolMember(object, name, where);
}

absl::StatusOr<int32_t> Count(const json& object, const char* name, int32_t most, const std::string& where) {
  const json value = object.value(name, json());
  if (!value.is_number_unsigned() || value.get<uint64_t>() > static_cast<uint64_t>(most)) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": ", name, " has to be a number from 0 to ", most));
  }
  return value.get<int32_t>();
}

absl::StatusOr<Bpe::Options> BpeOptions(const json& model, const std::string& where) {
  const json type = model.value("type", json("BPE"));  // old files do not say it
  if (type != "BPE") {
    return absl::UnimplementedError(absl::StrCat(
        where, ": the model type ", QuoteToken(type.is_string() ? type.get<std::string>() : JsonText(type)),
        " is not supported (BPE is)"));
  }
  const json dropout = model.value("dropout", json());
  if (!dropout.is_null() && dropout != 0.0)
    return absl::UnimplementedError(absl::StrCat(where, ": dropout makes ids random and is not supported"));
  Bpe::Options options;
  for (const auto& [name, text] : {std::pair("unk_token", &options.unknown_token),
                                   std::pair("continuing_subword_prefix", &options.continuing_prefix),
                                   std::pair("end_of_word_suffix", &options.end_of_word_suffix)}) {
    absl::StatusOr<std::string> value = OptionalString(model, name, where);
    if (!value.ok()) return value.status();
    if (value->size() > kMaxTokenBytes)
      return absl::InvalidArgumentError(absl::StrCat(where, ": ", name, " is too long"));
    *text = *std::move(value);
  }
  for (const auto& [name, flag] :
       {std::pair("fuse_unk", &options.fuse_unknown), std::pair("byte_fallback", &options.byte_fallback),
        std::pair("ignore_merges", &options.ignore_merges)}) {
    const absl::StatusOr<bool> value = OptionalBool(model, name, where);
    if (!value.ok()) return value.status();
    *flag = *value;
  }
  return options;
}

absl::StatusOr<std::vector<AddedToken>> AddedTokensFromJson(const json& list, const std::string& where) {
  std::vector<AddedToken> tokens;
  if (list.is_null()) return tokens;
  if (!list.is_array() || list.size() > kMaxAddedTokens) return TooManyAddedTokens(where);
  for (const json& spec : list) {
    const std::string name = absl::StrCat(where, "[", tokens.size(), "]");
    if (!spec.is_object()) return absl::InvalidArgumentError(absl::StrCat(name, " is not an object"));
    const absl::StatusOr<int32_t> id = Count(spec, "id", static_cast<int32_t>(kMaxTokens) - 1, name);
    if (!id.ok()) return id.status();
    absl::StatusOr<AddedToken> token = AddedTokenFromJson(spec, *id, name);
    if (!token.ok()) return token.status();
    tokens.push_back(*std::move(token));
  }
  return tokens;
}

// The package gives added tokens that are not in the vocabulary the ids that follow it, whatever the file
// says. A file with other ids does not match what its model was trained with.
absl::Status CheckAddedIds(const Bpe& bpe, const std::vector<AddedToken>& added, const std::string& where) {
  auto next = static_cast<int32_t>(bpe.token_count());
  for (const AddedToken& token : added) {
    const std::optional<int32_t> known = bpe.IdOf(token.content);
    const int32_t id = known.has_value() ? *known : next++;
    if (id == token.id) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": added_tokens: ", QuoteToken(token.content), " has the id ", token.id, ", but ",
        known.has_value() ? "the vocabulary gives it " : "the next free one behind the vocabulary is ", id));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<HfTokenizer::Truncation>> TruncationFromJson(const json& spec,
                                                                          const std::string& where) {
  if (spec.is_null()) return std::nullopt;
  if (!spec.is_object()) return absl::InvalidArgumentError(absl::StrCat(where, " is not an object"));
  HfTokenizer::Truncation truncation;
  const absl::StatusOr<int32_t> length = Count(spec, "max_length", INT32_MAX, where);
  if (!length.ok()) return length.status();
  truncation.max_length = *length;
  truncation.left = spec.value("direction", json()) == "Left";
  return truncation;
}

absl::StatusOr<std::optional<HfTokenizer::Padding>> PaddingFromJson(const json& spec,
                                                                    const std::string& where) {
  if (spec.is_null()) return std::nullopt;
  if (!spec.is_object()) return absl::InvalidArgumentError(absl::StrCat(where, " is not an object"));
  HfTokenizer::Padding padding;
  const absl::StatusOr<int32_t> id = Count(spec, "pad_id", static_cast<int32_t>(kMaxTokens) - 1, where);
  if (!id.ok()) return id.status();
  padding.pad_id = *id;
  padding.left = spec.value("direction", json()) == "Left";
  const json strategy = spec.value("strategy", json());
  if (strategy.is_object()) {
    const absl::StatusOr<int32_t> length = Count(strategy, "Fixed", kMaxPadding, where + ".strategy");
    if (!length.ok()) return length.status();
    padding.length = *length;
  }
  if (!spec.value("pad_to_multiple_of", json()).is_null()) {
    const absl::StatusOr<int32_t> multiple = Count(spec, "pad_to_multiple_of", kMaxPadding, where);
    if (!multiple.ok()) return multiple.status();
    padding.multiple = *multiple;
  }
  return padding;
}

}  // namespace

std::string DigestPart(absl::string_view name, absl::string_view bytes) {
  return absl::StrCat(name, " ", bytes.size(), "\n", Sha256Hex(bytes), "\n");
}

absl::StatusOr<AddedToken> AddedTokenFromJson(const json& spec, int32_t id, const std::string& where) {
  if (!spec.is_object()) return absl::InvalidArgumentError(absl::StrCat(where, " is not an object"));
  AddedToken token;
  token.id = id;
  absl::StatusOr<std::string> content = StringMember(spec, "content", where);
  if (!content.ok()) return content.status();
  token.content = *std::move(content);
  if (token.content.size() > kMaxTokenBytes) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": a token of ", token.content.size(),
                                                   " bytes; at most ", kMaxTokenBytes, " are allowed"));
  }
  for (const auto& [name, flag] :
       {std::pair("single_word", &token.single_word), std::pair("lstrip", &token.lstrip),
        std::pair("rstrip", &token.rstrip), std::pair("normalized", &token.normalized),
        std::pair("special", &token.special)}) {
    const absl::StatusOr<bool> value = OptionalBool(spec, name, where);
    if (!value.ok()) return value.status();
    *flag = *value;
  }
  if (!spec.contains("normalized")) token.normalized = !token.special;
  return token;
}

absl::Status TooManyAddedTokens(const std::string& where) {
  return absl::InvalidArgumentError(
      absl::StrCat(where, ": more than ", kMaxAddedTokens, " added tokens, or not a list of them"));
}

HfTokenizer::HfTokenizer(Parts parts)
    : bpe_(*std::move(parts.made_bpe)),
      added_(*std::move(parts.made_added)),
      normalizer_(std::move(parts.normalizer)),
      splitter_(std::move(parts.splitter)),
      decoder_(std::move(parts.decoder)),
      template_(std::move(parts.made_template)),
      vocabulary_size_(parts.vocabulary_size),
      digest_(Sha256Hex(parts.digest_input)),
      file_truncation_(parts.truncation),
      file_padding_(parts.padding) {}

absl::StatusOr<std::unique_ptr<const HfTokenizer>> HfTokenizer::Create(Parts parts, const std::string& where,
                                                                       const Options& options) {
  absl::StatusOr<Bpe> bpe =
      Bpe::Create(std::move(parts.vocabulary), parts.merges, std::move(parts.bpe), where);
  if (!bpe.ok()) return bpe.status();
  if (parts.added_follow_vocabulary) {
    if (absl::Status status = CheckAddedIds(*bpe, parts.added, where); !status.ok()) return status;
  }
  for (const AddedToken& token : parts.added) {
    const std::optional<int32_t> known = bpe->IdOf(token.content);
    const std::optional<absl::string_view> other = bpe->TokenOf(token.id);
    if (known.value_or(token.id) == token.id && other.value_or(token.content) == token.content) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": the added token ", QuoteToken(token.content), " has the id ", token.id,
                     known.has_value() ? absl::StrCat(", in the vocabulary ", *known)
                                       : absl::StrCat(" of ", QuoteToken(*other), " in the vocabulary")));
  }

  int32_t next = bpe->greatest_id() + 1;
  std::map<std::string, size_t> places;  // of the added tokens
  for (size_t i = 0; i < parts.added.size(); ++i) {
    next = std::max(next, parts.added[i].id + 1);
    places.emplace(parts.added[i].content, i);
  }
  std::vector<std::string> wanted = std::move(parts.extra_specials);
  wanted.insert(wanted.end(), options.control_tokens.begin(), options.control_tokens.end());
  for (const std::string& content : wanted) {
    if (const auto [place, is_new] = places.emplace(content, parts.added.size()); !is_new) {
      parts.added[place->second].special = true;
      continue;
    }
    const std::optional<int32_t> known = bpe->IdOf(content);
    parts.added.push_back({.content = content, .id = known.has_value() ? *known : next++, .special = true});
  }

  if (options.lowercase) parts.normalizer = TextNormalizer::LowercaseFirst(std::move(parts.normalizer));
  absl::StatusOr<AddedTokens> added = AddedTokens::Create(std::move(parts.added), parts.normalizer.get());
  if (!added.ok()) return At(where, added.status());
  absl::StatusOr<TokenTemplate> made =
      TokenTemplate::FromJson(parts.post_processor, next, where + ": post_processor");
  if (!made.ok()) return made.status();
  parts.made_bpe.emplace(*std::move(bpe));
  parts.made_added.emplace(*std::move(added));
  parts.made_template = *std::move(made);
  parts.vocabulary_size = next;
  absl::StrAppend(&parts.digest_input, kPipelineVersion, options.lowercase ? " lowercase" : "", "\n");
  for (const std::string& content : options.control_tokens)
    parts.digest_input += DigestPart("control", content);
  return std::unique_ptr<const HfTokenizer>(new HfTokenizer(std::move(parts)));
}

absl::StatusOr<std::unique_ptr<const HfTokenizer>> HfTokenizer::FromJson(TokenizerJson file,
                                                                         absl::string_view bytes,
                                                                         const std::string& where,
                                                                         const Options& options) {
  const json& rest = file.rest;
  if (rest.value("version", json("1.0")) != "1.0")
    return absl::UnimplementedError(absl::StrCat(where, ": its version is not \"1.0\""));
  const json model = rest.value("model", json());
  if (!model.is_object()) return absl::InvalidArgumentError(absl::StrCat(where, ": it has no object model"));
  Parts parts;
  absl::StatusOr<Bpe::Options> bpe = BpeOptions(model, where + ": model");
  if (!bpe.ok()) return bpe.status();
  if (!file.has_vocabulary || !file.has_merges)
    return absl::InvalidArgumentError(absl::StrCat(where, ": model has no object vocab or no list merges"));
  parts.bpe = *std::move(bpe);
  parts.vocabulary = std::move(file.vocabulary);
  parts.merges = std::move(file.merges);
  absl::StatusOr<std::vector<AddedToken>> added =
      AddedTokensFromJson(rest.value("added_tokens", json()), where + ": added_tokens");
  if (!added.ok()) return added.status();
  parts.added = *std::move(added);
  auto normalizer = TextNormalizer::FromJson(rest.value("normalizer", json()), where + ": normalizer");
  if (!normalizer.ok()) return normalizer.status();
  parts.normalizer = *std::move(normalizer);
  auto splitter = TextSplitter::FromJson(rest.value("pre_tokenizer", json()), where + ": pre_tokenizer");
  if (!splitter.ok()) return splitter.status();
  parts.splitter = *std::move(splitter);
  auto decoder = TokenDecoder::FromJson(rest.value("decoder", json()), where + ": decoder");
  if (!decoder.ok()) return decoder.status();
  parts.decoder = *std::move(decoder);
  parts.post_processor = rest.value("post_processor", json());
  auto truncation = TruncationFromJson(rest.value("truncation", json()), where + ": truncation");
  if (!truncation.ok()) return truncation.status();
  parts.truncation = *truncation;
  auto padding = PaddingFromJson(rest.value("padding", json()), where + ": padding");
  if (!padding.ok()) return padding.status();
  parts.padding = *padding;
  parts.digest_input = DigestPart("tokenizer.json", bytes);
  parts.added_follow_vocabulary = true;
  return Create(std::move(parts), where, options);
}

absl::StatusOr<std::unique_ptr<const HfTokenizer>> HfTokenizer::Load(const std::string& folder,
                                                                     const Options& options) {
  const std::string path = JoinPath(folder, "tokenizer.json");
  if (!Exists(path)) {
    if (Exists(JoinPath(folder, "vocab.json"))) return FromVocabularyFiles(folder, options);
    return absl::NotFoundError(
        absl::StrCat(folder, " holds neither tokenizer.json nor vocab.json and merges.txt"));
  }
  const absl::StatusOr<std::string> bytes = ReadTokenizerFile(path);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<TokenizerJson> file = ParseTokenizerJson(*bytes, path);
  if (!file.ok()) return file.status();
  return FromJson(*std::move(file), *bytes, path, options);
}

}  // namespace lvrpo
