#include "data/tokenizer/bpe.h"

#include <map>
#include <random>

#include "tests/data/tokenizer_files.h"

namespace lvrpo {
namespace {

using namespace tokenizer_files;  // NOLINT: the vocabulary of these tests

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

json Part(const char* type, json members = json::object()) {
  members["type"] = type;
  return members;
}

TEST(TextSplitter, PartsWithNamesOfTheirOwn) {
  const std::string text = " ab,c1 23.d\u00B2 \u3002_x";
  EXPECT_THAT(Words(Part("Whitespace"), text),
              ElementsAre("ab", ",", "c1", "23", ".", "d", "\u00B2", "\u3002", "_x"));
  EXPECT_THAT(Words(Part("WhitespaceSplit"), text), ElementsAre("ab,c1", "23.d\u00B2", "\u3002_x"));
  EXPECT_THAT(Words(Part("Digits", {{"individual_digits", false}}), text),
              ElementsAre(" ab,c", "1", " ", "23", ".d", "\u00B2", " \u3002_x"));
  EXPECT_THAT(Words(Part("Digits", {{"individual_digits", true}}), "a12"), ElementsAre("a", "1", "2"));
  EXPECT_THAT(Words(Part("Punctuation"), "a,,$b\u3002"), ElementsAre("a", ",", ",", "$", "b", "\u3002"));
  EXPECT_THAT(Words(Part("Punctuation", {{"behavior", "Contiguous"}}), "a,,$b"),
              ElementsAre("a", ",,$", "b"));
  EXPECT_THAT(Words(Part("Punctuation", {{"behavior", "Removed"}}), "a,b"), ElementsAre("a", "b"));
}

TEST(TextSplitter, MetaspaceWritesSpacesAsAnotherCharacter) {
  const auto metaspace = [](const char* scheme, bool split = true) {
    return Part("Metaspace", {{"replacement", "_"}, {"prepend_scheme", scheme}, {"split", split}});
  };
  EXPECT_THAT(Words(metaspace("always"), "a b"), ElementsAre("_a", "_b"));
  EXPECT_THAT(Words(metaspace("never"), "a b"), ElementsAre("a", "_b"));
  EXPECT_THAT(Words(metaspace("first"), "a b"), ElementsAre("_a", "_b"));
  EXPECT_THAT(Words(metaspace("always"), " a  b"), ElementsAre("_a", "_", "_b"));
  EXPECT_THAT(Words(metaspace("always", false), "a b"), ElementsAre("_a_b"));
  // Older files.
  EXPECT_THAT(Words(Part("Metaspace", {{"replacement", "_"}, {"add_prefix_space", false}}), "a b"),
              ElementsAre("a", "_b"));
  // "first" is about the text, not about a piece.
  const json parts = {Part("WhitespaceSplit"), metaspace("first")};
  EXPECT_THAT(Words(Part("Sequence", {{"pretokenizers", parts}}), "a b"), ElementsAre("_a", "b"));
  EXPECT_THAT(Words(Part("Sequence", {{"pretokenizers", parts}}), " a b"), ElementsAre("a", "b"));
  for (const json& wrong :
       {Part("Metaspace", {{"replacement", ""}}), Part("Metaspace", {{"replacement", "ab"}}),
        metaspace("often"), Part("Metaspace", {{"prepend_scheme", "always"}}),
        Part("Metaspace",
             {{"replacement", "_"}, {"prepend_scheme", "always"}, {"add_prefix_space", false}})}) {
    EXPECT_TRUE(absl::IsInvalidArgument(TextSplitter::FromJson(wrong, "p").status())) << wrong;
  }
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
      // The white space that <r> includes is scanned again, as in the reference.
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

}  // namespace
}  // namespace lvrpo
