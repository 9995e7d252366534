#include "data/tokenizer.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <random>

#include "common/file.h"
#include "data/hf_tokenizer.h"
#include "data/text_pattern.h"
#include "data/unicode.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<int32_t>;
using Edit = std::function<void(json&)>;
using Made = absl::StatusOr<std::unique_ptr<const HfTokenizer>>;

constexpr char kReplacement[] = "\uFFFD";

// A folder that is gone after the test.
class Folder {
 public:
  Folder()
      : path_((std::filesystem::temp_directory_path() / ("lvrpo-tokenizer-" + std::to_string(getpid())))
                  .string()) {
    EXPECT_TRUE(MakeFolder(path_).ok());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  void Write(const std::string& name, const std::string& bytes) const {
    EXPECT_TRUE(WriteFileAtomic(JoinPath(path_, name), bytes).ok());
  }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

json Regex(const char* regex) { return {{"Regex", regex}}; }

json Split(const json& pattern, const char* behavior = "Isolated", bool invert = false) {
  return {{"type", "Split"}, {"pattern", pattern}, {"behavior", behavior}, {"invert", invert}};
}

json Added(int id, const std::string& content, const json& flags) {
  json token = {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
                {"rstrip", false}, {"normalized", false}, {"special", false}};
  token.update(flags);
  return token;
}

// Qwen2's form: the id of a byte is its value, the merges' results follow from 256, then <|endoftext|>.
json ByteLevelFile(const std::vector<std::pair<std::string, std::string>>& merges = {}) {
  json vocabulary, list = json::array();
  for (int byte = 0; byte < 256; ++byte) vocabulary[ByteLevelAlphabet()[static_cast<size_t>(byte)]] = byte;
  for (const auto& [left, right] : merges) {
    vocabulary[left + right] = vocabulary.size();
    list.push_back({left, right});
  }
  const int behind = static_cast<int>(vocabulary.size());
  const json bytes = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  return {{"version", "1.0"},
          {"added_tokens", {Added(behind, "<|endoftext|>", {{"special", true}})}},
          {"normalizer", {{"type", "NFC"}}},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {Split(Regex(kQwen2Pattern)), bytes}}}},
          {"post_processor", nullptr},
          {"decoder", bytes},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", list}}}};
}

// Gemma's form in small: <pad> <eos> <bos> <unk>, then the tokens, then byte tokens for `bytes`.
json GemmaFile(const std::vector<std::string>& tokens, const std::vector<std::string>& merges,
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

Made Load(const std::string& bytes, const HfTokenizer::Options& options = {}) {
  absl::StatusOr<TokenizerJson> file = ParseTokenizerJson(bytes, "t.json");
  if (!file.ok()) return file.status();
  return HfTokenizer::FromJson(*std::move(file), bytes, "t.json", options);
}

Made Load(const json& file, const HfTokenizer::Options& options = {}) { return Load(file.dump(), options); }

Ids Encode(const Made& tokenizer, const std::string& text, const HfTokenizer::EncodeOptions& options = {}) {
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  if (!tokenizer.ok()) return {};
  const absl::StatusOr<Ids> ids = (*tokenizer)->Encode(text, options);
  EXPECT_TRUE(ids.ok()) << ids.status();
  return ids.value_or(Ids());
}

// The words that a pre-tokenizer makes, ByteLevel left out.
std::vector<std::string> Words(const json& spec, const std::string& text) {
  const auto splitter = TextSplitter::FromJson(spec, "p");
  EXPECT_TRUE(splitter.ok()) << splitter.status();
  std::vector<std::string> words = {text};
  EXPECT_TRUE((*splitter)->Split(&words).ok());
  return words;
}

TEST(WordTokenizer, WordsThereAndBack) {
  const auto tokenizer = MakeWordTokenizer({"a", "red", "circle", ",", "?"});
  const auto ids = tokenizer->Encode("A red  circle, a circle?");
  ASSERT_TRUE(ids.ok()) << ids.status();
  EXPECT_THAT(*ids, ElementsAre(0, 1, 2, 3, 0, 2, 4));
  EXPECT_EQ(tokenizer->Decode(*ids), "a red circle , a circle ?");
  EXPECT_EQ(tokenizer->pad(), 5);
  EXPECT_EQ(tokenizer->end_of_image(), 9);
  EXPECT_EQ(tokenizer->vocabulary_size(), 10);
  EXPECT_THAT(*tokenizer->EncodeFixed("a red", 4), ElementsAre(0, 1, 5, 5));
  EXPECT_THAT(*tokenizer->EncodeFixed("a red circle", 2), ElementsAre(0, 1));
  const auto unknown = tokenizer->Encode("a blue circle");
  EXPECT_TRUE(absl::IsInvalidArgument(unknown.status()));
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("blue"));
  // Control tokens cannot be typed.
  EXPECT_FALSE(tokenizer->Encode("a <|im_end|>").ok());
  EXPECT_EQ(tokenizer->Decode(Ids{0, tokenizer->eos()}), "a");
}

TEST(WordTokenizer, KeepsTheDigestOfItsWords) {
  EXPECT_EQ(MakeWordTokenizer({"a", "b"})->digest(),
            "7e18f737311b2dc3b2f269dd78396b0351f14fb66efa879f768cb23181883c78");
}

TEST(WordTokenizer, DamagedFilesAreRefused) {
  const Folder folder;
  for (const char* text :
       {"", "{", "[]", "3", R"({"type":"word"})", R"({"type":"word","words":["a","a"]})",
        R"({"type":"word","words":["a",""]})", R"({"type":"word","words":["a",3]})",
        R"({"type":"word","type":"word","words":["a"]})", R"({"type":"sound","words":["a"]})"}) {
    folder.Write("tokenizer.json", text);
    EXPECT_TRUE(absl::IsInvalidArgument(LoadTokenizer(folder.path()).status())) << text;
  }
  folder.Write("tokenizer.json", R"({"type":"word","words":["a","b"]})");
  ASSERT_TRUE(LoadTokenizer(folder.path()).ok());
  EXPECT_TRUE(absl::IsNotFound(LoadTokenizer(folder.path() + "/none").status()));
}

TEST(TextPattern, Qwen2CutsAsItsRegularExpression) {
  const std::pair<const char*, std::vector<std::string>> cases[] = {
      {"Hello world", {"Hello", " world"}},
      {"it's I'M they'VE you'Re he'D we'll",
       {"it", "'s", " I", "'M", " they", "'VE", " you", "'Re", " he", "'D", " we", "'ll"}},
      {"'sound", {"'s", "ound"}},
      {"x'\u017F", {"x", "'\u017F"}},  // the long s folds to s
      {"'r", {"'r"}},
      {"'\u00E9", {"'\u00E9"}},
      {"123 45", {"1", "2", "3", " ", "4", "5"}},
      {"a  b", {"a", " ", " b"}},
      {"a   ", {"a", "   "}},
      {"a \n b", {"a", " \n", " b"}},
      {"a\n\n  \nb", {"a", "\n\n  \n", "b"}},
      {"a \u00A0b", {"a", " ", "\u00A0b"}},
      {"!?\r\n\nx", {"!?\r\n\n", "x"}},
      {" !x", {" !", "x"}},
      {"\nx", {"\n", "x"}},
      {"\tx", {"\tx"}},
      {"e\u0301x", {"e", "\u0301x"}},  // a mark is no letter, but may stand before letters
      {"\u200Ba", {"\u200Ba"}},        // no white space
      {"\u2167\u00B2", {"\u2167", "\u00B2"}},
      {"\U0001F468\u200D\U0001F469 x", {"\U0001F468\u200D\U0001F469", " x"}},
      {"", {}},
  };
  for (const auto& [text, words] : cases) EXPECT_EQ(Words(Split(Regex(kQwen2Pattern)), text), words) << text;
}

TEST(TextPattern, TheOthersDifferFromQwen2) {
  EXPECT_THAT(Words(Split(Regex(kLlama3Pattern)), "12345 6"), ElementsAre("123", "45", " ", "6"));
  EXPECT_THAT(Words(Split(Regex(kGpt2Pattern)), "It'S it's 123 !\n\n x"),
              ElementsAre("It", "'", "S", " it", "'s", " 123", " !", "\n\n", " x"));
  EXPECT_THAT(Words(Split(Regex(kClipPattern), "Removed", true), "a's<|endoftext|> 12 !?x"),
              ElementsAre("a", "'s", "<|endoftext|>", "1", "2", "!?", "x"));
  EXPECT_THAT(Words(Split(Regex(R"(\s+)"), "Removed"), " a \n b"), ElementsAre("a", "b"));
}

TEST(TextSplitter, TreatsMatchesAsTheBehaviorSays) {
  const json dash = {{"String", "-"}};
  const std::string text = "-a--b-";
  EXPECT_THAT(Words(Split(dash, "Removed"), text), ElementsAre("a", "b"));
  EXPECT_THAT(Words(Split(dash, "Isolated"), text), ElementsAre("-", "a", "-", "-", "b", "-"));
  EXPECT_THAT(Words(Split(dash, "Contiguous"), text), ElementsAre("-", "a", "--", "b", "-"));
  EXPECT_THAT(Words(Split(dash, "MergedWithPrevious"), text), ElementsAre("-", "a-", "-", "b-"));
  EXPECT_THAT(Words(Split(dash, "MergedWithNext"), text), ElementsAre("-a", "-", "-b", "-"));
  EXPECT_THAT(Words(Split(dash, "Removed", true), text), ElementsAre("-", "-", "-", "-"));
  // ByteLevel splits with GPT-2's pattern unless told not to.
  const json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", true}};
  EXPECT_THAT(Words(bytes, "a 1\u00E9"), ElementsAre("\u0120a", "\u01201", "\u00C3\u00A9"));
  EXPECT_THAT(Words(bytes, " a"), ElementsAre("\u0120a"));
}

TEST(Bpe, MergesTheEarliestPairFirstAndFromTheLeft) {
  const Made tokenizer =
      Load(ByteLevelFile({{"l", "l"}, {"h", "e"}, {"ll", "o"}, {"he", "llo"}, {"a", "a"}}));
  EXPECT_THAT(Encode(tokenizer, "hello"), ElementsAre(259));
  EXPECT_THAT(Encode(tokenizer, "llll"), ElementsAre(256, 256));
  EXPECT_THAT(Encode(tokenizer, "lllo"), ElementsAre(256, 'l', 'o'));
  EXPECT_THAT(Encode(tokenizer, "aaa"), ElementsAre(260, 'a'));
  EXPECT_THAT(Encode(tokenizer, ""), ElementsAre());
  EXPECT_THAT(Encode(tokenizer, "\u00E9\U0001F600"), ElementsAre(0xC3, 0xA9, 0xF0, 0x9F, 0x98, 0x80));
  EXPECT_THAT(Encode(tokenizer, "e\u0301"), ElementsAre(0xC3, 0xA9));  // NFC
  EXPECT_THAT(Encode(tokenizer, "\xFF"), ElementsAre(0xEF, 0xBF, 0xBD));
}

// What the definition says, in quadratic time: as long as there are any, merge the leftmost of the pairs of
// the lowest rank.
TEST(Bpe, EqualsTheDefinitionOnRandomMerges) {
  std::mt19937 dice(7);
  const auto roll = [&](size_t sides) { return static_cast<size_t>(dice() % sides); };
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> tokens = {"a", "b", "c"};
    std::vector<std::pair<std::string, std::string>> merges;
    for (int i = 0; i < 12; ++i) {
      const std::pair<std::string, std::string> merge = {tokens[roll(tokens.size())],
                                                         tokens[roll(tokens.size())]};
      if (std::find(tokens.begin(), tokens.end(), merge.first + merge.second) != tokens.end()) continue;
      merges.push_back(merge);
      tokens.push_back(merge.first + merge.second);
    }
    const Made tokenizer = Load(ByteLevelFile(merges));
    for (int i = 0; i < 20; ++i) {
      std::vector<std::string> word(1 + roll(40));
      for (std::string& symbol : word) symbol = tokens[roll(3)];
      std::string text;
      for (const std::string& symbol : word) text += symbol;
      for (bool merged = true; merged;) {
        merged = false;
        for (size_t rank = 0; rank < merges.size() && !merged; ++rank) {
          for (size_t at = 0; at + 1 < word.size() && !merged; ++at) {
            if (word[at] != merges[rank].first || word[at + 1] != merges[rank].second) continue;
            word[at] += word[at + 1];
            word.erase(word.begin() + static_cast<ptrdiff_t>(at) + 1);
            merged = true;
          }
        }
      }
      Ids expected;
      for (const std::string& symbol : word) expected.push_back(*(*tokenizer)->IdOf(symbol));
      EXPECT_EQ(Encode(tokenizer, text), expected) << text;
    }
  }
}

TEST(Bpe, TakesWholeWordsWithIgnoreMerges) {
  json file = ByteLevelFile({{"a", "b"}});
  file["model"]["vocab"]["abc"] = 257;
  file["added_tokens"][0]["id"] = 258;
  EXPECT_THAT(Encode(Load(file), "abc"), ElementsAre(256, 'c'));
  file["model"]["ignore_merges"] = true;
  EXPECT_THAT(Encode(Load(file), "abc"), ElementsAre(257));
  EXPECT_THAT(Encode(Load(file), "abcd"), ElementsAre(256, 'c', 'd'));
}

TEST(Bpe, KnowsThreeWaysOutOfUnknownCharacters) {
  // The bytes of e-acute and the first of y-diaeresis are there, ids 6 to 8.
  const json file = GemmaFile({"a", "b"}, {}, {0xC3, 0xA9, 0xBF - 1});
  const HfTokenizer::EncodeOptions bare{.add_special_tokens = false};
  const auto ids = [&](const std::string& text, const Edit& edit) {
    json changed = file;
    edit(changed["model"]);
    return Encode(Load(changed), text, bare);
  };
  const auto as_is = [](json&) {};
  EXPECT_THAT(ids("a\u00E9b", as_is), ElementsAre(4, 6, 7, 5));
  EXPECT_THAT(ids("a\u00FFb", as_is), ElementsAre(4, 3, 5));               // one of the bytes is missing
  EXPECT_THAT(ids("a\u00FFxyb", as_is), ElementsAre(4, 3, 5));             // a run gives one
  EXPECT_THAT(ids("a\u00FF\u00E9xb", as_is), ElementsAre(4, 6, 7, 3, 5));  // and waits for a known character
  EXPECT_THAT(ids("\u00FF", as_is), ElementsAre(3));
  const auto no_fuse = [](json& model) { model["fuse_unk"] = false; };
  EXPECT_THAT(ids("a\u00FFxyb", no_fuse), ElementsAre(4, 3, 3, 3, 5));
  const auto no_bytes = [](json& model) { model["byte_fallback"] = false; };
  EXPECT_THAT(ids("a\u00E9b", no_bytes), ElementsAre(4, 3, 5));
  const auto none = [](json& model) { model["unk_token"] = nullptr; };
  EXPECT_THAT(ids("a\u00FFb", none), ElementsAre(4, 5));
  json missing = file;
  missing["model"]["unk_token"] = "<what>";
  EXPECT_THAT(Encode(Load(missing), "ab", bare), ElementsAre(4, 5));
  const absl::Status status = (*Load(missing))->Encode("a\u00FF", bare).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("'<what>'"));
}

TEST(Bpe, DecoratesTheEndsOfWords) {
  json file = {{"model",
                {{"type", "BPE"},
                 {"end_of_word_suffix", "</w>"},
                 {"vocab", {{"a", 0}, {"b", 1}, {"a</w>", 2}, {"b</w>", 3}, {"ab</w>", 4}}},
                 {"merges", {"a b</w>"}}}},
               {"pre_tokenizer", Split({{"String", " "}}, "Removed")}};
  EXPECT_THAT(Encode(Load(file), "ab a ba"), ElementsAre(4, 2, 1, 2));
  file["model"] = {{"continuing_subword_prefix", "##"},
                   {"vocab", {{"a", 0}, {"##b", 1}, {"ab", 2}}},
                   {"merges", json::array({json::array({"a", "##b"})})}};
  EXPECT_THAT(Encode(Load(file), "ab abb b"), ElementsAre(2, 2, 1));
}

TEST(AddedTokens, MatchAsTheirFlagsSay) {
  // Ids from 257.
  const json special = {{"special", true}}, normal = {{"normalized", true}}, single = {{"single_word", true}};
  const json left = {{"lstrip", true}}, right = {{"rstrip", true}}, line = json::object();
  json file = ByteLevelFile();
  for (const auto& [content, flags] : std::vector<std::pair<std::string, json>>{{"<|im_end|>", special},
                                                                                {"<t", line},
                                                                                {"<tool>", line},
                                                                                {"caf\u00E9", normal},
                                                                                {"one", single},
                                                                                {"<l>", left},
                                                                                {"<r>", right},
                                                                                {"\n\n", line},
                                                                                {"\n", right}})
    file["added_tokens"].push_back(
        Added(256 + static_cast<int>(file["added_tokens"].size()), content, flags));
  const Made tokenizer = Load(file);
  const std::pair<const char*, Ids> cases[] = {
      {"<|im_end|>", {257}},
      {"<|IM_end|>", {'<', '|', 'I', 'M', '_', 'e', 'n', 'd', '|', '>'}},
      {"<tool>", {259}},  // the longest
      {"<tool", {258, 'o', 'o', 'l'}},
      {"x<|endoftext|>y", {'x', 256, 'y'}},
      {"cafe\u0301", {260}},  // after normalisation
      {"caf\u00E9", {260}},
      {"e<|im_end|>\u0301", {'e', 257, 0xCC, 0x81}},  // a token cuts normalisation
      {"one", {261}},
      {"bone", {'b', 'o', 'n', 'e'}},
      {"one\u0301", {'o', 'n', 0xC3, 0xA9}},
      {"(one)", {'(', 261, ')'}},
      {"a  <l> b", {'a', 262, ' ', 'b'}},
      {"a <r>  \u3000b", {'a', ' ', 263, 'b'}},
      {"\n\n\n", {264, 265}},
      // The white space that <r> takes along is looked at again, as in the reference.
      {"<r> \nb", {263, 265, 'b'}},
  };
  for (const auto& [text, ids] : cases) EXPECT_EQ(Encode(tokenizer, text), ids) << text;
  // Lower-casing comes before the match of normalised tokens only.
  const Made lower = Load(file, {.lowercase = true});
  EXPECT_THAT(Encode(lower, "CAF\u00C9<TOOL>"), ElementsAre(260, '<', 't', 'o', 'o', 'l', '>'));
  // Special tokens can be text; others stay tokens.
  EXPECT_THAT(Encode(tokenizer, "<|im_end|><tool>", {.specials_are_text = true}),
              ElementsAre('<', '|', 'i', 'm', '_', 'e', 'n', 'd', '|', '>', 259));
}

TEST(HfTokenizer, CutsAndPadsAroundTheTemplate) {
  const Made tokenizer = Load(GemmaFile({"a", "b", "\u2581", "aa"}, {"a a"}, {}));
  using Truncation = HfTokenizer::Truncation;
  using Padding = HfTokenizer::Padding;
  EXPECT_THAT(Encode(tokenizer, "aab b"), ElementsAre(7, 5, 6, 5, 1));
  EXPECT_THAT(Encode(tokenizer, "aab b", {.add_special_tokens = false}), ElementsAre(7, 5, 6, 5));
  const auto cut = [&](int32_t most, bool left) {
    return Encode(tokenizer, "aab b", {.truncation = Truncation{most, left}});
  };
  EXPECT_THAT(cut(5, false), ElementsAre(7, 5, 6, 5, 1));
  EXPECT_THAT(cut(3, false), ElementsAre(7, 5, 1));
  EXPECT_THAT(cut(3, true), ElementsAre(6, 5, 1));
  EXPECT_THAT(cut(1, true), ElementsAre(1));
  EXPECT_TRUE(absl::IsInvalidArgument((*tokenizer)->Encode("a", {.truncation = Truncation{0}}).status()));
  EXPECT_THAT(Encode(tokenizer, "b", {.padding = Padding{.length = 4}}), ElementsAre(5, 1, 0, 0));
  EXPECT_THAT(Encode(tokenizer, "b", {.padding = Padding{.length = 3, .pad_id = 2, .left = true}}),
              ElementsAre(2, 5, 1));
  EXPECT_THAT(Encode(tokenizer, "ab", {.padding = Padding{.multiple = 4}}), ElementsAre(4, 5, 1, 0));
  // The file's own settings are told, not used.
  json file = GemmaFile({"a"}, {}, {});
  file["truncation"] = {
      {"direction", "Left"}, {"max_length", 9}, {"strategy", "LongestFirst"}, {"stride", 0}};
  file["padding"] = {
      {"strategy", {{"Fixed", 7}}}, {"direction", "Right"}, {"pad_to_multiple_of", nullptr}, {"pad_id", 0}};
  const Made told = Load(file);
  ASSERT_TRUE(told.ok()) << told.status();
  EXPECT_EQ((*told)->file_truncation()->max_length, 9);
  EXPECT_TRUE((*told)->file_truncation()->left);
  EXPECT_EQ((*told)->file_padding()->length, 7);
  EXPECT_THAT(Encode(told, "a"), ElementsAre(4, 1));
}

TEST(HfTokenizer, DecodesWhatIsNotText) {
  const Made bytes = Load(ByteLevelFile());
  const auto decode = [](const Made& tokenizer, const Ids& ids, bool skip = false) {
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
    return *(*tokenizer)->Decode(ids, skip);
  };
  EXPECT_EQ(decode(bytes, {'a', 0xC3, 0xA9, 256, 'b'}), "a\u00E9<|endoftext|>b");
  EXPECT_EQ(decode(bytes, {'a', 0xC3, 0xA9, 256, 'b'}, true), "a\u00E9b");
  EXPECT_EQ(decode(bytes, {'a', 0xC3}), std::string("a") + kReplacement);
  EXPECT_EQ(decode(bytes, {-1, 257, 1 << 30, 'a'}), "a");  // no tokens
  const Made gemma = Load(GemmaFile({"a", "\u2581"}, {}, {0xC3, 0xA9}));
  EXPECT_EQ(decode(gemma, {4, 5, 6, 7, 1}, true), "a \u00E9");
  EXPECT_EQ(decode(gemma, {6, 6, 4}), std::string(kReplacement) + kReplacement + "a");
  // Without a decoder there are spaces between tokens.
  json file = GemmaFile({"a", "b"}, {}, {});
  file["decoder"] = nullptr;
  EXPECT_EQ(decode(Load(file), {4, 5}), "a b");
  file["decoder"] = {{"type", "Strip"}, {"content", "a"}, {"start", 1}, {"stop", 3}};
  EXPECT_EQ(decode(Load(file), {4, 5}), "b");
}

// The published folders come in two forms.
TEST(HfTokenizer, ReadsVocabularyAndMergesLikeTokenizerJson) {
  const Folder folder;
  const std::vector<std::pair<std::string, std::string>> merges = {{"h", "e"}, {"l", "l"}, {"\u0120", "he"}};
  const json file = ByteLevelFile(merges);
  folder.Write("vocab.json", file["model"]["vocab"].dump());
  folder.Write("merges.txt", "#version: 0.2\nh e\nl l\r\n\u0120 he\n\n");
  const HfTokenizer::Options bagel{.control_tokens = {"<|im_start|>", "<|im_end|>"}};
  const Made json_form = Load(file, bagel), plain = HfTokenizer::FromVocabularyFiles(folder.path(), bagel);
  for (const std::string text : {"hello he\u0301 12 <|im_end|> \n\n x", "", "<|endoftext|>it's"})
    EXPECT_EQ(Encode(plain, text), Encode(json_form, text)) << text;
  EXPECT_EQ((*plain)->IdOf("<|endoftext|>"), 259);
  EXPECT_EQ((*plain)->IdOf("<|im_end|>"), 261);
  EXPECT_EQ((*plain)->vocabulary_size(), 262);
  EXPECT_EQ(*(*plain)->Decode(Encode(plain, "he\u00E9 he"), false), "he\u00E9 he");

  folder.Write("added_tokens.json", R"({"<|im_end|>": 260, "<|endoftext|>": 259, "<x>": 261})");
  const Made added = HfTokenizer::FromVocabularyFiles(folder.path(), bagel);
  EXPECT_THAT(Encode(added, "<|im_end|><x>"), ElementsAre(260, 261));
  EXPECT_EQ((*added)->IdOf("<|im_start|>"), 262);  // the only one that was missing
  EXPECT_TRUE((*added)->IsSpecial(260));
  EXPECT_FALSE((*added)->IsSpecial(261));

  folder.Write(
      "tokenizer_config.json",
      R"({"added_tokens_decoder": {"270": {"content": "<y>", "special": true, "rstrip": true}}, "unk_token": null,
                   "eos_token": {"content": "<y>"}, "pad_token": "<pad>", "tokenizer_class": "Qwen2Tokenizer"})");
  const Made configured = HfTokenizer::FromVocabularyFiles(folder.path(), {});
  EXPECT_THAT(Encode(configured, "<y>  <pad>"), ElementsAre(270, 271));

  for (const auto& [config, message] : std::vector<std::pair<std::string, std::string>>{
           {R"({"tokenizer_class": "CLIPTokenizer"})", "CLIPTokenizer"},
           {R"({"added_tokens_decoder": {"x": {"content": "y"}}})", "is not an id"},
           {R"({"added_tokens_decoder": {"5": {"content": "<y>"}}})", "has the id 5 of"},
           {R"({"added_tokens_decoder": {"300": {"content": "h"}}})", "in the vocabulary 104"},
           {R"({"added_tokens_decoder": {"300": {"content": "a b"}, "0300": {"content": "c d"}}})",
            "the id 300"},
           {R"({"pad_token": 3})", "pad_token is not a token"},
           {"[]", "not a JSON object"}}) {
    folder.Write("tokenizer_config.json", config);
    const absl::Status status = HfTokenizer::FromVocabularyFiles(folder.path(), {}).status();
    EXPECT_FALSE(status.ok()) << config;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }
  for (const std::string merges_text : {"h e x", "h", "\xFF e", "h e\nq q"}) {
    folder.Write("merges.txt", merges_text);
    EXPECT_TRUE(absl::IsInvalidArgument(HfTokenizer::FromVocabularyFiles(folder.path(), {}).status()))
        << merges_text;
  }
}

TEST(LoadTokenizer, KeepsControlTokensOutOfText) {
  const Folder folder;
  json file = ByteLevelFile();
  file["added_tokens"].push_back(
      Added(257, "<|im_start|>", {{"special", false}}));  // wrongly no special token
  file["added_tokens"].push_back(Added(258, "<tool>", json::object()));
  folder.Write("tokenizer.json", file.dump());
  const auto tokenizer = LoadTokenizer(folder.path());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->pad(), 256);
  EXPECT_EQ((*tokenizer)->bos(), 257);
  EXPECT_EQ((*tokenizer)->eos(), 259);
  EXPECT_EQ((*tokenizer)->start_of_image(), 260);
  EXPECT_EQ((*tokenizer)->end_of_image(), 261);
  EXPECT_EQ((*tokenizer)->vocabulary_size(), 262);
  for (const std::string text : {"<|im_start|>", "x<|im_end|>", "<|vision_start|><|endoftext|>"}) {
    const auto ids = (*tokenizer)->Encode(text);
    ASSERT_TRUE(ids.ok()) << ids.status();
    EXPECT_EQ(ids->size(), text.size());
    EXPECT_TRUE(std::all_of(ids->begin(), ids->end(), [](int32_t id) { return id < 256; }));
    EXPECT_EQ((*tokenizer)->Decode(*ids), text);
  }
  EXPECT_THAT(*(*tokenizer)->Encode("<tool>"), ElementsAre(258));
  EXPECT_EQ((*tokenizer)->Decode(Ids{257, 'a', 259}), "a");
  EXPECT_THAT(*(*tokenizer)->EncodeFixed("abc", 5), ElementsAre('a', 'b', 'c', 256, 256));

  // Whatever the merges make of it.
  json trick = ByteLevelFile({{"<", "e"}, {"<e", ">"}});
  trick["added_tokens"].push_back(Added(257, "<e>", {{"special", true}}));
  trick["added_tokens"][0]["id"] = 258;
  trick["pre_tokenizer"]["pretokenizers"][0] = Split({{"String", " "}}, "Removed");
  folder.Write("tokenizer.json", trick.dump());
  const auto tricked = LoadTokenizer(folder.path());
  ASSERT_TRUE(tricked.ok()) << tricked.status();
  EXPECT_FALSE((*tricked)->Encode("<e>").ok());
  // With ignore_merges a word of the vocabulary would be taken whole.
  trick["model"]["ignore_merges"] = true;
  trick["model"]["merges"] = json::array();
  folder.Write("tokenizer.json", trick.dump());
  EXPECT_THAT(*(*LoadTokenizer(folder.path()))->Encode("<e>"), ElementsAre('<', 'e', '>'));
}

TEST(LoadTokenizer, FixesTheLengthForSiglip) {
  const Folder folder;
  folder.Write("tokenizer.json", GemmaFile({"a", "b", "\u2581"}, {}, {}).dump());
  const TokenizerOptions siglip{.lowercase = true, .add_control_tokens = false};
  const auto tokenizer = LoadTokenizer(folder.path(), siglip);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT(*(*tokenizer)->EncodeFixed("A b", 6), ElementsAre(4, 6, 5, 1, 0, 0));
  EXPECT_THAT(*(*tokenizer)->EncodeFixed("ABAB", 3), ElementsAre(4, 5, 1));
  EXPECT_THAT(*(*tokenizer)->EncodeFixed("", 2), ElementsAre(1, 0));
  EXPECT_THAT(*(*tokenizer)->EncodeFixed("a<eos>b", 4), ElementsAre(4, 3, 5, 1));  // unknown text
  EXPECT_FALSE((*tokenizer)->EncodeFixed("a", 0).ok());
  EXPECT_EQ((*tokenizer)->bos(), 2);
  EXPECT_EQ((*tokenizer)->eos(), 1);
  EXPECT_EQ((*tokenizer)->pad(), 0);
  EXPECT_EQ((*tokenizer)->start_of_image(), -1);
  EXPECT_EQ((*tokenizer)->vocabulary_size(), 7);
}

TEST(LoadTokenizer, DigestCoversFilesAndOptions) {
  const Folder folder;
  const auto digest = [&](const TokenizerOptions& options) {
    const auto tokenizer = LoadTokenizer(folder.path(), options);
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
    return (*tokenizer)->digest();
  };
  folder.Write("tokenizer.json", ByteLevelFile().dump());
  const std::string first = digest({});
  EXPECT_EQ(first.size(), 64u);
  EXPECT_EQ(digest({}), first);
  EXPECT_NE(digest({.lowercase = true}), first);
  EXPECT_NE(digest({.add_control_tokens = false}), first);
  folder.Write("tokenizer.json", ByteLevelFile({{"a", "b"}}).dump());
  EXPECT_NE(digest({}), first);
}

TEST(HfTokenizer, RefusesWhatItCannotDoByName) {
  const json type = [](const char* name) { return json{{"type", name}}; }("Metaspace");
  const std::pair<const char*, Edit> cases[] = {
      {"the normalizer 'NFKC' is not supported",
       [](json& f) {
         f["normalizer"] = {{"type", "NFKC"}};
       }},
      {"t.json: normalizer.normalizers[0]: the normalizer 'Nmt'",
       [](json& f) {
         f["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "Nmt"}}}}};
       }},
      {"the pre-tokenizer 'Metaspace' is not supported", [&](json& f) { f["pre_tokenizer"] = type; }},
      {"the regular expression 'a+' is not among", [](json& f) { f["pre_tokenizer"] = Split(Regex("a+")); }},
      {"the post-processor 'Metaspace' is not supported", [&](json& f) { f["post_processor"] = type; }},
      {"the decoder 'Metaspace' is not supported", [&](json& f) { f["decoder"] = type; }},
      {"the model type 'WordPiece' is not supported", [](json& f) { f["model"]["type"] = "WordPiece"; }},
      {"dropout", [](json& f) { f["model"]["dropout"] = 0.1; }},
      {"its version is not \"1.0\"", [](json& f) { f["version"] = "2.0"; }},
  };
  for (const auto& [message, edit] : cases) {
    json file = ByteLevelFile();
    edit(file);
    const absl::Status status = Load(file).status();
    EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }
}

TEST(HfTokenizer, RefusesDamagedFilesWithASentence) {
  const auto sequence = [](int depth) {
    json spec = {{"type", "NFC"}};
    for (int i = 0; i < depth; ++i) spec = {{"type", "Sequence"}, {"normalizers", {spec}}};
    return spec;
  };
  const auto processing = [](const json& single, const json& specials) {
    return json{{"type", "TemplateProcessing"}, {"single", single}, {"special_tokens", specials}};
  };
  const json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
             token = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  const std::pair<const char*, Edit> cases[] = {
      {"it has no object model", [](json& f) { f["model"] = 3; }},
      {"no object vocab or no list merges", [](json& f) { f["model"].erase("merges"); }},
      {"no object vocab or no list merges", [](json& f) { f["model"].erase("vocab"); }},
      {"model.vocab is a list, so the model is not BPE",
       [](json& f) {
         f["model"]["vocab"] = json::array({json::array({"a", 0.5})});
       }},
      {"the id of 'a' is not a number", [](json& f) { f["model"]["vocab"]["a"] = "97"; }},
      {"the id of 'a' is not a number", [](json& f) { f["model"]["vocab"]["a"] = 97.5; }},
      {"the id of 'a' is not a number", [](json& f) { f["model"]["vocab"]["a"] = nullptr; }},
      {"the id of 'a' is not a number", [](json& f) { f["model"]["vocab"]["a"] = UINT64_MAX; }},
      {"'a' has the id -1", [](json& f) { f["model"]["vocab"]["a"] = -1; }},
      {"'a' has the id 4000000000", [](json& f) { f["model"]["vocab"]["a"] = 4000000000; }},
      {"an object among the values", [](json& f) { f["model"]["vocab"]["a"] = json::object(); }},
      {"an array among the values", [](json& f) { f["model"]["vocab"]["a"] = json::array(); }},
      {"'a' and 'b' have the same id 97", [](json& f) { f["model"]["vocab"]["b"] = 97; }},
      {"has 4097 bytes; at most 4096", [](json& f) { f["model"]["vocab"][std::string(4097, 'a')] = 256; }},
      {"merge 0 of 'a' and 'xx': 'xx' is not in the vocabulary",
       [](json& f) { f["model"]["merges"] = {"a xx"}; }},
      {"merge 0 of 'xx' and 'a': 'xx' is not in the vocabulary",
       [](json& f) { f["model"]["merges"] = {"xx a"}; }},
      {"merge 0 of 'a' and 'b': 'ab' is not in the vocabulary",
       [](json& f) { f["model"]["merges"] = {"a b"}; }},
      {"merge 0, 'ab', is not two tokens", [](json& f) { f["model"]["merges"] = {"ab"}; }},
      {"merge 0, 'a b c', is not two tokens", [](json& f) { f["model"]["merges"] = {"a b c"}; }},
      {"merge 0, ' b', is not two tokens", [](json& f) { f["model"]["merges"] = {" b"}; }},
      {"merge 0 is not a pair", [](json& f) { f["model"]["merges"] = {{"a"}}; }},
      {"merge 0 is not a pair",
       [](json& f) {
         f["model"]["merges"] = {{"a", "b", "c"}};
       }},
      {"merge 0 is not a string or a pair", [](json& f) { f["model"]["merges"] = {7}; }},
      {"merge 0 is not a string or a pair",
       [](json& f) {
         f["model"]["merges"] = json::array({json::array({"a", 7})});
       }},
      {"does not begin with '##'",
       [](json& f) {
         f["model"]["merges"] = {"a b"};
         f["model"]["continuing_subword_prefix"] = "##";
       }},
      {"unk_token has to be a string", [](json& f) { f["model"]["unk_token"] = 3; }},
      {"fuse_unk has to be true or false", [](json& f) { f["model"]["fuse_unk"] = "yes"; }},
      {"added_tokens[0] is not an object", [](json& f) { f["added_tokens"] = {3}; }},
      {"not a list of them", [](json& f) { f["added_tokens"] = 3; }},
      {"id has to be a number from 0 to", [](json& f) { f["added_tokens"][0]["id"] = -3; }},
      {"content has to be a string", [](json& f) { f["added_tokens"][0]["content"] = 3; }},
      {"lstrip has to be true or false", [](json& f) { f["added_tokens"][0]["lstrip"] = 1; }},
      {"an added token is empty", [](json& f) { f["added_tokens"][0]["content"] = ""; }},
      {"a token of 5000 bytes", [](json& f) { f["added_tokens"][0]["content"] = std::string(5000, 'x'); }},
      {"has the id 300, but the next free one behind the vocabulary is 256",
       [](json& f) { f["added_tokens"][0]["id"] = 300; }},
      {"has the id 256, but the vocabulary gives it 97",
       [](json& f) { f["added_tokens"][0]["content"] = "a"; }},
      {"'<|endoftext|>' occurs twice",
       [](json& f) { f["added_tokens"].push_back(Added(257, "<|endoftext|>", json::object())); }},
      {"is the same as 'caf\u00E9' after normalisation",
       [](json& f) {
         f["added_tokens"].push_back(Added(257, "caf\u00E9", {{"normalized", true}}));
         f["added_tokens"].push_back(Added(258, "cafe\u0301", {{"normalized", true}}));
       }},
      {"normalizer: type has to be a string", [](json& f) { f["normalizer"] = 3; }},
      {"normalizers has to be a list",
       [](json& f) {
         f["normalizer"] = {{"type", "Sequence"}};
       }},
      {"normalizers[0] is null",
       [](json& f) {
         f["normalizer"] = {{"type", "Sequence"}, {"normalizers", {nullptr}}};
       }},
      {"at most 64",
       [](json& f) {
         f["normalizer"] = {{"type", "Sequence"}, {"normalizers", json(65, json{{"type", "NFC"}})}};
       }},
      {"nested deeper than 32", [&](json& f) { f["normalizer"] = sequence(40); }},
      {"nested deeper than 32",
       [&](json& f) {
         f["post_processor"] = {{"type", "ByteLevel"}};
         for (int i = 0; i < 40; ++i)
           f["post_processor"] =
               json{{"type", "Sequence"}, {"processors", json::array({f["post_processor"]})}};
       }},
      {"the pattern is empty",
       [](json& f) {
         f["normalizer"] = {{"type", "Replace"}, {"pattern", {{"String", ""}}}, {"content", "x"}};
       }},
      {"want {\"String\": ...} or {\"Regex\": ...}",
       [](json& f) {
         f["normalizer"] = {{"type", "Replace"}, {"content", "x"}};
       }},
      {"the behavior 'Isolate' is none of",
       [](json& f) {
         f["pre_tokenizer"] = Split({{"String", "a"}}, "Isolate");
       }},
      {"add_prefix_space has to be",
       [](json& f) {
         f["pre_tokenizer"] = {{"type", "ByteLevel"}};
       }},
      {"want one character as content",
       [](json& f) {
         f["decoder"] = {{"type", "Strip"}, {"content", "ab"}, {"start", 0}, {"stop", 0}};
       }},
      {"single has to be a list",
       [](json& f) {
         f["post_processor"] = {{"type", "TemplateProcessing"}};
       }},
      {"single does not hold the sequence A",
       [&](json& f) { f["post_processor"] = processing(json::array(), json::object()); }},
      {"hold the sequence A once",
       [&](json& f) {
         f["post_processor"] = processing({text, text}, json::object());
       }},
      {"no list of at most 64 ids for '<s>'",
       [&](json& f) {
         f["post_processor"] = processing({text, token}, json::object());
       }},
      {"an id is not a number from 0 to 256",
       [&](json& f) {
         f["post_processor"] = processing({text, token}, {{"<s>", {{"ids", {257}}}}});
       }},
      {"neither a Sequence nor a SpecialToken",
       [&](json& f) {
         f["post_processor"] = processing({text, 3}, json::object());
       }},
      {"cls has to be a token and its id",
       [](json& f) {
         f["post_processor"] = {{"type", "BertProcessing"}, {"sep", {"x", 1}}};
       }},
      {"max_length has to be a number",
       [](json& f) {
         f["truncation"] = {{"max_length", -1}};
       }},
      {"Fixed has to be a number",
       [](json& f) { f["padding"] = {{"pad_id", 0}, {"strategy", {{"Fixed", 1 << 30}}}}; }},
  };
  for (const auto& [message, edit] : cases) {
    json file = ByteLevelFile();
    edit(file);
    const absl::Status status = Load(file).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << message << ": " << status;
    EXPECT_THAT(std::string(status.message()),
                testing::AllOf(testing::StartsWith("t.json: "), HasSubstr(message)));
  }
}

TEST(HfTokenizer, RefusesDamagedBytesWithASentence) {
  const std::string good = ByteLevelFile().dump();
  ASSERT_TRUE(Load(good).ok());
  const std::pair<std::string, const char*> cases[] = {
      {"", "no valid JSON at byte"},
      {"{\"a\": \"\xFF\"}", "no valid JSON at byte"},
      {R"({"a": "\ud800"})", "no valid JSON at byte"},
      {good + "x", "no valid JSON at byte"},
      {"[1]", "not a JSON object"},
      {R"({"model": {"vocab": {"a": 0, "a": 1}, "merges": []}})", "the token 'a' occurs twice"},
      {R"({"version": "1.0", "version": "1.0"})", "the key 'version' occurs twice"},
      {R"({"model": {"type": "Unigram", "vocab": [["a", 0]]}})", "its type is \"Unigram\""},
      {std::string(100000, '['), "nested deeper than 32"},
      {"{\"x\": [" +
           std::string(2 << 20, '1')
               .replace(1, (2 << 20) - 1,
                        [] {
                          std::string ones;
                          for (int i = 0; i < (1 << 20); ++i) ones += ",1";
                          return ones;
                        }()) +
           "]}",
       "more than 1048576 values"},
      {std::string(kMaxTokenizerFileBytes + 1, ' '), "bytes; at most 67108864 are allowed"},
  };
  for (const auto& [bytes, message] : cases) {
    const absl::Status status = Load(bytes).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << message << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    EXPECT_LT(status.message().size(), 300u);
  }
  // Cut anywhere or with any byte changed it is read or refused, but never a crash.
  for (size_t size = 0; size < good.size(); size += 7) EXPECT_FALSE(Load(good.substr(0, size)).ok()) << size;
  std::mt19937 dice(3);
  for (int i = 0; i < 500; ++i) {
    std::string damaged = good;
    damaged[dice() % damaged.size()] = static_cast<char>(dice());
    if (const Made tokenizer = Load(damaged); tokenizer.ok()) {
      for (const std::string text : {"it's <|endoftext|> 12\n\n x", "\xFF\u0301"})
        (void)(*tokenizer)->Encode(text, {});
    }
  }
}

TEST(HfTokenizer, RefusesTextsThatGrowWithoutBound) {
  const std::string letters(1000, 'a');
  const json twice = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
  json file = ByteLevelFile();
  file["normalizer"] = {{"type", "Sequence"}, {"normalizers", json(60, twice)}};
  const Made growing = Load(file);
  ASSERT_TRUE(growing.ok()) << growing.status();
  EXPECT_TRUE(absl::IsResourceExhausted((*growing)->Encode(letters, {}).status()));
  file = ByteLevelFile();
  const json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  file["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", json(60, bytes)}};
  EXPECT_TRUE(absl::IsResourceExhausted((*Load(file))->Encode("\u00E9", {}).status()));
  file = ByteLevelFile();
  file["decoder"] = {{"type", "Sequence"}, {"decoders", json(60, twice)}};
  EXPECT_TRUE(absl::IsResourceExhausted((*Load(file))->Decode(Ids(1000, 'a'), false).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(
      (*Load(ByteLevelFile()))->Encode(std::string(kMaxTextBytes + 1, 'a'), {}).status()));
}

// A step of quadratic time would take hours here.
TEST(HfTokenizer, LongTextsTakeLinearTime) {
  json file =
      ByteLevelFile({{"a", "a"}, {"aa", "aa"}, {"\u0120", "\u0120"}, {"\u0120\u0120", "\u0120\u0120"}});
  int id = 260;
  for (const auto& [content, flags] : std::vector<std::pair<std::string, json>>{
           {"\n", {{"lstrip", true}}}, {"\t", {{"rstrip", true}}}, {"<<<<<<<<x", json::object()}})
    file["added_tokens"].push_back(Added(++id, content, flags));
  const Made bytes = Load(file);
  const Made gemma = Load(GemmaFile({"a", "aa", "\u2581", "\u2581\u2581"}, {"a a", "\u2581 \u2581"}, {}));
  constexpr size_t kLength = 300000;
  std::string marks = "e";
  for (size_t i = 0; i < kLength / 4; ++i) marks += "\u0301\u0323";
  for (const std::string& text :
       {std::string(kLength, 'a'), std::string(kLength, ' '), std::string(kLength, '\n'),
        std::string(kLength, '\t'), std::string(kLength, '<'), std::string(kLength, '\''),
        std::string(kLength, ' ') + "x", marks, std::string(kLength, '\xFF')}) {
    EXPECT_FALSE(Encode(bytes, text).empty());
    EXPECT_FALSE(Encode(gemma, text).empty());
  }
  EXPECT_EQ(Encode(bytes, std::string(kLength, 'a')), Ids(kLength / 4, 257));
}

}  // namespace
}  // namespace lvrpo
