#include "data/tokenizer/tokenizer.h"

#include <map>
#include <random>

#include "data/tokenizer/text_splitter.h"
#include "tests/data/tokenizer_files.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using namespace tokenizer_files;  // NOLINT: the vocabulary of these tests

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
  const TemporaryFolder folder;
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
  const TemporaryFolder folder;
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
           {R"({"tokenizer_class": "BartTokenizer"})", "BartTokenizer"},
           {R"({"tokenizer_class": "CLIPTokenizer"})", "'<|startoftext|>' is not in vocab.json"},
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

// The published pad token is an ordinary character of CLIP's.
TEST(HfTokenizer, ReadsVocabularyAndMergesAsClipDoes) {
  const TemporaryFolder folder;
  json vocabulary = json::object();
  std::map<std::string, int> id_of;
  const auto add = [&](const std::string& token) {
    id_of.emplace(token, static_cast<int>(id_of.size()));
    vocabulary[token] = id_of.at(token);
  };
  add("!");
  for (const std::string& byte : ByteLevelAlphabet()) add(byte);
  for (const std::string& byte : ByteLevelAlphabet()) add(byte + "</w>");
  for (const char* token : {"ca", "cat</w>", "<|startoftext|>", "<|endoftext|>"}) add(token);
  folder.Write("vocab.json", vocabulary.dump());
  folder.Write("merges.txt", "#version: 0.2\nc a\nca t</w>\n");
  folder.Write("tokenizer_config.json", R"({"tokenizer_class": "CLIPTokenizer", "pad_token": "!",
                "bos_token": {"content": "<|startoftext|>"}, "eos_token": "<|endoftext|>"})");
  const int start = id_of.at("<|startoftext|>"), end = id_of.at("<|endoftext|>");
  const Made published = HfTokenizer::Load(folder.path(), {}),
             plain = HfTokenizer::Load(folder.path(), {.pad_token_is_text = true});
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_THAT(Encode(plain, " CAT\n\t ca 7'S!"),
              ElementsAre(start, id_of["cat</w>"], id_of["c"], id_of["a</w>"], id_of["7</w>"], id_of["'"],
                          id_of["s</w>"], id_of["!</w>"], end));
  EXPECT_THAT(Encode(published, "cat!"), ElementsAre(start, id_of["cat</w>"], id_of["!"], end));
  EXPECT_THAT(Encode(published, "x<|endoftext|>"), ElementsAre(start, id_of["x</w>"], end, end));
  EXPECT_EQ(*(*plain)->Decode(Encode(plain, "Cat, ca\u00E9"), true), "cat , ca\u00E9");
  EXPECT_NE((*plain)->digest(), (*published)->digest());
}

TEST(LoadTokenizer, KeepsControlTokensOutOfText) {
  const TemporaryFolder folder;
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
  const TemporaryFolder folder;
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
  const TemporaryFolder folder;
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

}  // namespace
}  // namespace lvrpo
