#include "data/tokenizer/byte_tokenizer_file.h"

#include <array>

#include "common/files/file.h"
#include "common/json/json_text.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

using nlohmann::ordered_json;

constexpr std::array<const char*, 5> kSpecialTokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>",
                                                       "<|vision_start|>", "<|vision_end|>"};
// How Qwen2 cuts text into words before BPE.
constexpr char kWords[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

std::string Utf8(uint32_t code) {
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
}

bool IsPrintable(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

// The printable stand-ins of bytes, GPT-2's: printable bytes stand for themselves and come first, the others
// are U+0100 and on.
ordered_json ByteVocabulary() {
  ordered_json vocabulary = ordered_json::object();
  int32_t id = 0;
  for (int byte = 0; byte < 256; ++byte) {
    if (IsPrintable(byte)) vocabulary[Utf8(static_cast<uint32_t>(byte))] = id++;
  }
  uint32_t stand_in = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    if (!IsPrintable(byte)) vocabulary[Utf8(stand_in++)] = id++;
  }
  return vocabulary;
}

}  // namespace

absl::Status WriteByteTokenizer(const std::string& folder) {
  const ordered_json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", false}};
  ordered_json added = ordered_json::array();
  for (size_t i = 0; i < kSpecialTokens.size(); ++i) {
    added.push_back({{"id", ByteTokenizerIds::kEndOfText + static_cast<int32_t>(i)},
                     {"content", kSpecialTokens[i]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  const ordered_json split = {
      {"type", "Split"}, {"pattern", {{"Regex", kWords}}}, {"behavior", "Isolated"}, {"invert", false}};
  ordered_json tokenizer;
  tokenizer["version"] = "1.0";
  tokenizer["truncation"] = nullptr;
  tokenizer["padding"] = nullptr;
  tokenizer["added_tokens"] = added;
  tokenizer["normalizer"] = {{"type", "NFC"}};
  tokenizer["pre_tokenizer"] = {{"type", "Sequence"},
                                {"pretokenizers", ordered_json::array({split, byte_level})}};
  tokenizer["post_processor"] = byte_level;
  tokenizer["decoder"] = byte_level;
  tokenizer["model"] = {{"type", "BPE"},
                        {"dropout", nullptr},
                        {"unk_token", nullptr},
                        {"continuing_subword_prefix", ""},
                        {"end_of_word_suffix", ""},
                        {"fuse_unk", false},
                        {"byte_fallback", false},
                        {"ignore_merges", false},
                        {"vocab", ByteVocabulary()},
                        {"merges", ordered_json::array()}};
  const ordered_json settings = {
      {"tokenizer_class", "Qwen2Tokenizer"}, {"add_prefix_space", false},    {"bos_token", nullptr},
      {"eos_token", "<|im_end|>"},           {"pad_token", "<|endoftext|>"}, {"unk_token", nullptr}};
  if (absl::Status status =
          WriteFileAtomic(JoinPath(folder, "tokenizer.json"), JsonText(tokenizer, 1) + "\n");
      !status.ok())
    return status;
  return WriteFileAtomic(JoinPath(folder, "tokenizer_config.json"), JsonText(settings, 1) + "\n");
}

}  // namespace lvrpo
