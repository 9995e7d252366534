#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <random>

#include "common/files/file.h"
#include "data/tokenizer/hf_tokenizer.h"
#include "data/tokenizer/text_pattern.h"
#include "data/unicode/unicode.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

// Small tokenizer files, and helpers for their tests.
namespace lvrpo::tokenizer_files {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<int32_t>;
using Edit = std::function<void(json&)>;
using Made = absl::StatusOr<std::unique_ptr<const HfTokenizer>>;

inline constexpr char kReplacement[] = "\uFFFD";

inline json Regex(const char* regex) { return {{"Regex", regex}}; }

inline json Split(const json& pattern, const char* behavior = "Isolated", bool invert = false) {
  return {{"type", "Split"}, {"pattern", pattern}, {"behavior", behavior}, {"invert", invert}};
}

inline json Added(int id, const std::string& content, const json& flags) {
  json token = {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
                {"rstrip", false}, {"normalized", false}, {"special", false}};
  token.update(flags);
  return token;
}

// Qwen2's form: the id of a byte is its value, the merges' results follow from 256, then <|endoftext|>.
inline json ByteLevelFile(const std::vector<std::pair<std::string, std::string>>& merges = {}) {
  json vocabulary, list = json::array();
  for (int byte = 0; byte < 256; ++byte) vocabulary[ByteLevelAlphabet()[static_cast<size_t>(byte)]] = byte;
  for (const auto& [left, right] : merges) {
    vocabulary[left + right] = vocabulary.size();
    list.push_back({left, right});
  }
  const int next_id = static_cast<int>(vocabulary.size());
  const json bytes = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  return {{"version", "1.0"},
          {"added_tokens", {Added(next_id, "<|endoftext|>", {{"special", true}})}},
          {"normalizer", {{"type", "NFC"}}},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {Split(Regex(kQwen2Pattern)), bytes}}}},
          {"post_processor", nullptr},
          {"decoder", bytes},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", list}}}};
}

// Gemma's form in small: <pad> <eos> <bos> <unk>, then the tokens, then byte tokens for `bytes`.
inline json GemmaFile(const std::vector<std::string>& tokens, const std::vector<std::string>& merges,
                      const std::vector<int>& bytes) {
  json vocabulary = {{"<pad>", 0}, {"<eos>", 1}, {"<bos>", 2}, {"<unk>", 3}}, added = json::array();
  for (const auto& [content, id] : vocabulary.items())
    added.push_back(Added(id, content, {{"special", true}}));
  for (const std::string& token : tokens) vocabulary[token] = vocabulary.size();
  for (const int byte : bytes) {
    const char* digits = "0123456789ABCDEF";
    vocabulary[std::string("<0x") + digits[byte / 16] + digits[byte % 16] + ">"] = vocabulary.size();
  }
  const json space = {{"String", " "}}, mark = {{"String", "\u2581"}};
  return {{"added_tokens", added},
          {"normalizer", {{"type", "Replace"}, {"pattern", space}, {"content", "\u2581"}}},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single",
             {{{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
              {{"SpecialToken", {{"id", "<eos>"}, {"type_id", 0}}}}}},
            {"special_tokens", {{"<eos>", {{"id", "<eos>"}, {"ids", {1}}, {"tokens", {"<eos>"}}}}}}}},
          {"decoder",
           {{"type", "Sequence"},
            {"decoders",
             {{{"type", "Replace"}, {"pattern", mark}, {"content", " "}},
              {{"type", "ByteFallback"}},
              {{"type", "Fuse"}}}}}},
          {"model",
           {{"type", "BPE"},
            {"unk_token", "<unk>"},
            {"fuse_unk", true},
            {"byte_fallback", true},
            {"vocab", vocabulary},
            {"merges", merges}}}};
}

inline Made Load(const std::string& bytes, const HfTokenizer::Options& options = {}) {
  absl::StatusOr<TokenizerJson> file = ParseTokenizerJson(bytes, "t.json");
  if (!file.ok()) return file.status();
  return HfTokenizer::FromJson(*std::move(file), bytes, "t.json", options);
}

inline Made Load(const json& file, const HfTokenizer::Options& options = {}) {
  return Load(file.dump(), options);
}

inline Ids Encode(const Made& tokenizer, const std::string& text,
                  const HfTokenizer::EncodeOptions& options = {}) {
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  if (!tokenizer.ok()) return {};
  const absl::StatusOr<Ids> ids = (*tokenizer)->Encode(text, options);
  EXPECT_TRUE(ids.ok()) << ids.status();
  return ids.value_or(Ids());
}

// The words that a pre-tokenizer makes, ByteLevel left out.
inline std::vector<std::string> Words(const json& spec, const std::string& text) {
  const auto splitter = TextSplitter::FromJson(spec, "p");
  EXPECT_TRUE(splitter.ok()) << splitter.status();
  TextPieces words = {{text}, /*first_begins_text=*/true};
  EXPECT_TRUE((*splitter)->Split(&words).ok());
  return words.pieces;
}

}  // namespace lvrpo::tokenizer_files
