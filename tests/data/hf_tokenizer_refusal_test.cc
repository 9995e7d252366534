#include <map>
#include <random>

#include "data/tokenizer/hf_tokenizer.h"
#include "tests/data/tokenizer_files.h"

namespace lvrpo {
namespace {

using namespace tokenizer_files;  // NOLINT: the vocabulary of these tests

TEST(HfTokenizer, RefusesWhatItCannotDoByName) {
  const json type = [](const char* name) { return json{{"type", name}}; }("Nmt");
  const std::pair<const char*, Edit> cases[] = {
      {"the normalizer 'BertNormalizer' is not supported",
       [](json& f) {
         f["normalizer"] = {{"type", "BertNormalizer"}};
       }},
      {"t.json: normalizer.normalizers[0]: the normalizer 'Nmt'",
       [](json& f) {
         f["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "Nmt"}}}}};
       }},
      {"the pre-tokenizer 'Nmt' is not supported", [&](json& f) { f["pre_tokenizer"] = type; }},
      {"the regular expression 'a*' can match the empty text",
       [](json& f) { f["pre_tokenizer"] = Split(Regex("a*")); }},
      {"the post-processor 'Nmt' is not supported", [&](json& f) { f["post_processor"] = type; }},
      {"the decoder 'Nmt' is not supported", [&](json& f) { f["decoder"] = type; }},
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
