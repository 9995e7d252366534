// Creates an HfTokenizer from vocab.json and merges.txt.
#include <algorithm>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"
#include "data/tokenizer/hf_tokenizer_parts.h"

namespace lvrpo {

using nlohmann::json;

namespace {

constexpr char kStartOfText[] = "<|startoftext|>", kEndOfText[] = "<|endoftext|>";

// The token that a tokenizer_config.json gives a role ("pad_token"), or that has it in the class.
json TokenOfRole(const json& config, const std::string& role, bool clip) {
  json fallback;
  if (role == "eos_token" || role == "unk_token" || role == "pad_token") fallback = kEndOfText;
  if (role == "bos_token" && clip) fallback = kStartOfText;
  const json token = config.value(role, fallback);
  return token.is_object() ? token.value("content", json()) : token;
}

// The names of a tokenizer_config.json that mean special tokens, in the order in which the Python class adds
// those that its vocabulary lacks. The class's defaults stand for what is not mentioned.
absl::StatusOr<std::vector<std::string>> NamedSpecials(const json& config, bool clip,
                                                       const std::string& where) {
  std::vector<std::string> names;
  const auto add = [&](const json& text, const std::string& name) -> absl::Status {
    if (text.is_null()) return absl::OkStatus();
    if (!text.is_string() || text.get_ref<const std::string&>().size() > kMaxTokenBytes)
      return absl::InvalidArgumentError(absl::StrCat(where, ": ", name, " is not a token"));
    names.push_back(text.get<std::string>());
    return absl::OkStatus();
  };
  for (const char* role :
       {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
    if (absl::Status status = add(TokenOfRole(config, role, clip), role); !status.ok()) return status;
  }
  const json more = config.value("additional_special_tokens", json());
  if (!more.is_null() && (!more.is_array() || more.size() > kMaxAddedTokens))
    return TooManyAddedTokens(where + ".additional_special_tokens");
  for (const json& token : more) {
    const json text = token.is_object() ? token.value("content", json()) : token;
    if (absl::Status status = add(text, "additional_special_tokens"); !status.ok()) return status;
  }
  return names;
}

// CLIP's template, in the form of a tokenizer.json.
absl::StatusOr<json> ClipPostProcessor(const json& config, const VocabularyTable& vocabulary,
                                       const std::string& where) {
  json spec = {{"type", "RobertaProcessing"}};
  for (const auto& [role, name] : {std::pair("bos_token", "cls"), std::pair("eos_token", "sep")}) {
    const json token = TokenOfRole(config, role, /*clip=*/true);
    const std::string text = token.is_string() ? token.get<std::string>() : "";
    const auto entry =
        std::find_if(vocabulary.entries.begin(), vocabulary.entries.end(),
                     [&](const VocabularyTable::Entry& e) { return vocabulary.token(e) == text; });
    if (entry == vocabulary.entries.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": the ", role, " ", QuoteToken(text), " is not in vocab.json"));
    }
    spec[name] = json::array({text, static_cast<uint32_t>(entry->id)});
  }
  return spec;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const HfTokenizer>> HfTokenizer::FromVocabularyFiles(const std::string& folder,
                                                                                    const Options& options) {
  Parts parts;
  // Reads a file; one that need not exist gives "".
  const auto read = [&](const char* name, bool needed) -> absl::StatusOr<std::string> {
    const std::string path = JoinPath(folder, name);
    if (!needed && !Exists(path)) return "";
    absl::StatusOr<std::string> bytes = ReadTokenizerFile(path);
    if (bytes.ok()) parts.digest_input += DigestPart(name, *bytes);
    return bytes;
  };
  const absl::StatusOr<std::string> vocabulary_bytes = read("vocab.json", true);
  if (!vocabulary_bytes.ok()) return vocabulary_bytes.status();
  absl::StatusOr<VocabularyTable> vocabulary =
      ParseVocabularyJson(*vocabulary_bytes, JoinPath(folder, "vocab.json"));
  if (!vocabulary.ok()) return vocabulary.status();
  const absl::StatusOr<std::string> merge_bytes = read("merges.txt", true);
  if (!merge_bytes.ok()) return merge_bytes.status();
  absl::StatusOr<MergeTable> merges = ParseMergesText(*merge_bytes, JoinPath(folder, "merges.txt"));
  if (!merges.ok()) return merges.status();
  parts.vocabulary = *std::move(vocabulary);
  parts.merges = *std::move(merges);

  const std::string config_path = JoinPath(folder, "tokenizer_config.json");
  const absl::StatusOr<std::string> config_bytes = read("tokenizer_config.json", false);
  if (!config_bytes.ok()) return config_bytes.status();
  absl::StatusOr<json> config =
      config_bytes->empty() ? json::object() : ParseConfigJson(*config_bytes, config_path);
  if (!config.ok()) return config.status();
  const json kind = config->value("tokenizer_class", json("Qwen2Tokenizer"));
  const bool clip = kind == "CLIPTokenizer" || kind == "CLIPTokenizerFast";
  if (!clip && kind != "Qwen2Tokenizer" && kind != "Qwen2TokenizerFast") {
    return absl::UnimplementedError(
        absl::StrCat(config_path,
                     ": vocab.json and merges.txt are read as Qwen2Tokenizer or CLIPTokenizer has them; the "
                     "tokenizer_class is ",
                     QuoteToken(JsonText(kind))));
  }
  absl::StatusOr<std::vector<std::string>> specials = NamedSpecials(*config, clip, config_path);
  if (!specials.ok()) return specials.status();
  parts.extra_specials = *std::move(specials);
  if (clip) {
    absl::StatusOr<json> around = ClipPostProcessor(*config, parts.vocabulary, config_path);
    if (!around.ok()) return around.status();
    parts.post_processor = *std::move(around);
    parts.bpe.unknown_token = kEndOfText;
    parts.bpe.end_of_word_suffix = "</w>";
    parts.normalizer = TextNormalizer::Clip();
    parts.splitter = TextSplitter::Clip();
    parts.decoder = TokenDecoder::Clip();
  } else {
    parts.normalizer = TextNormalizer::Nfc();
    parts.splitter = TextSplitter::Qwen2();
    parts.decoder = TokenDecoder::ByteLevel();
  }

  if (const json list = config->value("added_tokens_decoder", json()); !list.is_null()) {
    if (!list.is_object() || list.size() > kMaxAddedTokens)
      return TooManyAddedTokens(config_path + ": added_tokens_decoder");
    for (const auto& [key, spec] : list.items()) {
      const std::string where = absl::StrCat(config_path, ": added_tokens_decoder.", QuoteToken(key));
      int32_t id = 0;
      if (!absl::SimpleAtoi(key, &id) || id < 0 || id >= static_cast<int32_t>(kMaxTokens))
        return absl::InvalidArgumentError(absl::StrCat(where, " is not an id from 0 to ", kMaxTokens - 1));
      absl::StatusOr<AddedToken> token = AddedTokenFromJson(spec, id, where);
      if (!token.ok()) return token.status();
      parts.added.push_back(*std::move(token));
    }
  } else {
    const absl::StatusOr<std::string> added_bytes = read("added_tokens.json", false);
    if (!added_bytes.ok()) return added_bytes.status();
    absl::StatusOr<VocabularyTable> added =
        added_bytes->empty() ? VocabularyTable()
                             : ParseVocabularyJson(*added_bytes, JoinPath(folder, "added_tokens.json"));
    if (!added.ok()) return added.status();
    if (added->entries.size() > kMaxAddedTokens)
      return TooManyAddedTokens(JoinPath(folder, "added_tokens.json"));
    const std::set<std::string> named(parts.extra_specials.begin(), parts.extra_specials.end());
    for (const VocabularyTable::Entry& entry : added->entries) {
      AddedToken token{.content = std::string(added->token(entry)), .id = entry.id};
      token.special = named.contains(token.content);
      token.normalized = !token.special;
      parts.added.push_back(std::move(token));
    }
  }
  if (options.pad_token_is_text) {
    const json pad = TokenOfRole(*config, "pad_token", clip);
    std::erase_if(parts.extra_specials, [&](const std::string& token) { return pad == json(token); });
    std::erase_if(parts.added, [&](const AddedToken& token) { return pad == json(token.content); });
    absl::StrAppend(&parts.digest_input, "the pad token is text\n");
  }
  return Create(std::move(parts), folder, options);
}

}  // namespace lvrpo
