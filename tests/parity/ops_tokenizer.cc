#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/file.h"
#include "common/hash.h"
#include "data/tokenizer/hf_tokenizer.h"
#include "tests/parity/parity.h"

namespace lvrpo::parity {
namespace {

using nlohmann::json;
using Loaded = absl::StatusOr<std::unique_ptr<const HfTokenizer>>;

absl::StatusOr<json> ReadInput(const Case& c, const std::string& file) {
  const auto text = ReadFile(c.path(file));
  if (!text.ok()) return text.status();
  json parsed = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) return absl::DataLossError(absl::StrCat(c.path(file), ": not JSON"));
  return parsed;
}

// params.tokenizer is the path of a tokenizer.json.
Loaded LoadFile(const Case& c) {
  const std::string path = c.path(c.params.at("tokenizer").get<std::string>());
  const auto bytes = ReadTokenizerFile(path);
  if (!bytes.ok()) return bytes.status();
  auto file = ParseTokenizerJson(*bytes, path);
  if (!file.ok()) return file.status();
  return HfTokenizer::FromJson(*std::move(file), *bytes, path,
                               {.lowercase = c.params.value("lowercase", false)});
}

HfTokenizer::EncodeOptions OptionsOf(const Case& c, const HfTokenizer& tokenizer) {
  HfTokenizer::EncodeOptions options{.add_special_tokens = c.params.value("add_special_tokens", true),
                                     .truncation = tokenizer.file_truncation(),
                                     .padding = tokenizer.file_padding()};
  if (c.params.contains("max_length")) {
    const int32_t length = c.params["max_length"];
    options.truncation = HfTokenizer::Truncation{.max_length = length};
    options.padding = HfTokenizer::Padding{.length = length, .pad_id = c.params.value("pad_id", 0)};
  }
  return options;
}

absl::Status EncodeOp(const Case& c, Report& report) {
  const Loaded tokenizer = LoadFile(c);
  if (!tokenizer.ok()) return tokenizer.status();
  const auto texts = ReadInput(c, "inputs/texts.json");
  if (!texts.ok()) return texts.status();
  json got = json::array();
  for (const json& text : *texts) {
    const auto ids = (*tokenizer)->Encode(text.get_ref<const std::string&>(), OptionsOf(c, **tokenizer));
    if (!ids.ok()) return ids.status();
    got.push_back(*ids);
  }
  report.CompareJson("*", got);
  return absl::OkStatus();
}

absl::Status EncodeLongOp(const Case& c, Report& report) {
  constexpr size_t kShown = 40;
  const Loaded tokenizer = LoadFile(c);
  if (!tokenizer.ok()) return tokenizer.status();
  const auto texts = ReadInput(c, "inputs/texts.json");
  if (!texts.ok()) return texts.status();
  for (const auto& [name, text] : texts->items()) {
    const auto ids = (*tokenizer)->Encode(text.get_ref<const std::string&>(), OptionsOf(c, **tokenizer));
    if (!ids.ok()) return ids.status();
    const auto shown = static_cast<ptrdiff_t>(std::min(ids->size(), kShown));
    report.CompareJson(name, {{"count", ids->size()},
                              {"first", std::vector<int32_t>(ids->begin(), ids->begin() + shown)},
                              {"last", std::vector<int32_t>(ids->end() - shown, ids->end())},
                              {"sha256_of_comma_joined_ids", Sha256Hex(absl::StrJoin(*ids, ","))}});
  }
  return absl::OkStatus();
}

absl::Status DecodeOp(const Case& c, Report& report) {
  const Loaded tokenizer = LoadFile(c);
  if (!tokenizer.ok()) return tokenizer.status();
  const auto lists = ReadInput(c, "inputs/ids.json");
  if (!lists.ok()) return lists.status();
  json got = json::array();
  for (const json& list : *lists) {
    const auto ids = list.get<std::vector<int32_t>>();
    const auto all = (*tokenizer)->Decode(ids, /*skip_special_tokens=*/false);
    if (!all.ok()) return all.status();
    const auto plain = (*tokenizer)->Decode(ids, /*skip_special_tokens=*/true);
    if (!plain.ok()) return plain.status();
    got.push_back({{"keep_special", *all}, {"skip_special", *plain}});
  }
  report.CompareJson("*", got);
  return absl::OkStatus();
}

// BAGEL's tokenizer folder, in both forms if it has both.
absl::Status BagelTokenizeOp(const Case& c, Report& report) {
  const auto texts = ReadInput(c, "inputs/texts.json");
  if (!texts.ok()) return texts.status();
  const HfTokenizer::Options options{
      .control_tokens = {"<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"}};
  std::vector<Loaded> forms;
  forms.push_back(HfTokenizer::Load(c.model_dir, options));
  if (std::filesystem::exists(c.model_dir + "/vocab.json"))
    forms.push_back(HfTokenizer::FromVocabularyFiles(c.model_dir, options));
  for (const Loaded& tokenizer : forms) {
    if (!tokenizer.ok()) return tokenizer.status();
    const int32_t bos = *(*tokenizer)->IdOf("<|im_start|>"), eos = *(*tokenizer)->IdOf("<|im_end|>");
    json all_ids = json::array(), decoded = json::array();
    for (const json& text : *texts) {
      auto ids = (*tokenizer)->Encode(text.get_ref<const std::string&>(), {.add_special_tokens = false});
      if (!ids.ok()) return ids.status();
      const auto back = (*tokenizer)->Decode(*ids, /*skip_special_tokens=*/false);
      if (!back.ok()) return back.status();
      decoded.push_back(*back);
      ids->insert(ids->begin(), bos);
      ids->push_back(eos);
      all_ids.push_back(*ids);
    }
    report.CompareJson("ids", all_ids);
    if (report.Expects("decoded")) report.CompareJson("decoded", decoded);
    if (!report.Expects("special")) continue;
    report.CompareJson("special", {{"bos_token_id", bos},
                                   {"eos_token_id", eos},
                                   {"start_of_image", *(*tokenizer)->IdOf("<|vision_start|>")},
                                   {"end_of_image", *(*tokenizer)->IdOf("<|vision_end|>")}});
  }
  return absl::OkStatus();
}

}  // namespace

void RegisterTokenizerOps(Registry& registry) {
  registry["tokenizer/encode"] = EncodeOp;
  registry["tokenizer/encode_long"] = EncodeLongOp;
  registry["tokenizer/decode"] = DecodeOp;
  registry["bagel/tokenize"] = BagelTokenizeOp;
}

}  // namespace lvrpo::parity
