#include "reward_server/remote/vqa_form.h"

#include <cmath>
#include <optional>
#include <tuple>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::Question Question(const std::vector<std::string>& choices, const std::string& answer) {
  v1::Question question;
  question.set_text("Is it red?");
  question.set_answer(answer);
  for (const std::string& choice : choices) question.add_choices(choice);
  return question;
}

TEST(FormVqaQuestion, ChoicesThatBeginDifferentlyAreAskedForDirectly) {
  const auto form = FormVqaQuestion(Question({"Yes", "no"}, "no"));
  ASSERT_TRUE(form.ok()) << form.status();
  EXPECT_EQ(form->text, "Is it red?\nAnswer with exactly one of these and nothing else: Yes, no");
  EXPECT_THAT(form->labels, ElementsAre("yes", "no"));
  EXPECT_EQ(form->right, 1u);
  EXPECT_THAT(FormVqaQuestion(Question({"1", "2", "\xC3\x89tude"}, "2"))->labels,
              ElementsAre("1", "2", "\xC3\xA9tude"));
}

TEST(FormVqaQuestion, OthersGetLetters) {
  const auto form = FormVqaQuestion(Question({"blue", "black", "red"}, "black"));
  ASSERT_TRUE(form.ok()) << form.status();
  EXPECT_EQ(form->text,
            "Is it red?\nA. blue\nB. black\nC. red\nAnswer with exactly one letter and nothing else.");
  EXPECT_THAT(form->labels, ElementsAre("a", "b", "c"));
  EXPECT_EQ(form->right, 1u);
  EXPECT_THAT(FormVqaQuestion(Question({"red", "Red"}, "Red"))->labels, ElementsAre("a", "b"));
  EXPECT_THAT(FormVqaQuestion(Question({"1", "10"}, "1"))->labels, ElementsAre("a", "b"));
}

TEST(FormVqaQuestion, RefusesQuestionsThatNobodyCanAnswer) {
  std::vector<std::string> many;
  for (int i = 0; i < 27; ++i) many.push_back(absl::StrCat("x", i));
  const std::tuple<std::vector<std::string>, std::string, const char*> cases[] = {
      {{}, "", "two choices or more"},
      {{"yes"}, "yes", "two choices or more"},
      {{"yes", ""}, "yes", "a choice is empty"},
      {{"yes", " \n"}, "yes", "a choice is empty"},
      {{"yes", "no"}, "Yes", "its answer is not among its choices"},
      {{"yes", "yes", "no"}, "yes", "two of its choices are the same"},
      {many, "x3", "it has 27 choices; at most 26"},
  };
  for (const auto& [choices, answer, says] : cases) {
    const absl::Status status = FormVqaQuestion(Question(choices, answer)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << absl::StrJoin(choices, ",");
    EXPECT_THAT(std::string(status.message()), HasSubstr(says));
  }
}

TEST(VqaRequestJson, IsAChatCompletionOfOneTokenWithLogProbabilities) {
  const VqaQuestion question = {.text = "Is it \"red\"?", .labels = {"yes", "no"}, .right = 0};
  EXPECT_EQ(json::parse(VqaRequestJson("qwen", question, "\x89PNG", 20)), json::parse(R"({
    "model": "qwen",
    "messages": [{"role": "user", "content": [
      {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
      {"type": "text", "text": "Is it \"red\"?"}]}],
    "max_tokens": 1, "temperature": 0, "logprobs": true, "top_logprobs": 20})"));
}

// An answer with these tokens and probabilities.
std::string Reply(const std::vector<std::pair<std::string, double>>& tokens) {
  json top = json::array();
  for (const auto& [token, probability] : tokens)
    top.push_back({{"token", token}, {"logprob", std::log(probability)}, {"bytes", nullptr}});
  const json content = {{"token", tokens[0].first}, {"logprob", 0}, {"top_logprobs", top}};
  const json message = {{"role", "assistant"}, {"content", tokens[0].first}};
  const json choice = {{"index", 0}, {"message", message}, {"logprobs", {{"content", {content}}}}};
  return json{{"choices", {choice}}, {"usage", {{"prompt_tokens", 300}, {"completion_tokens", 1}}}}.dump();
}

TEST(ReadVqaReply, AddsUpTheTokensOfAChoice) {
  struct Case {
    std::vector<std::pair<std::string, double>> tokens;
    std::vector<double> probabilities;  // of yes and no; empty: there is no answer
    double coverage;
    std::vector<size_t> floored;
  };
  const Case cases[] = {
      {{{"Yes", .6}, {"No", .2}}, {.75, .25}, .8, {}},
      {{{"Yes", .5}, {" yes", .1}, {"YES", .1}, {"no", .1}}, {.875, .125}, .8, {}},
      {{{"\xE2\x96\x81Yes", .3}, {"\xC4\xA0no", .1}, {"\n", .5}}, {.75, .25}, .4, {}},
      {{{"Y", .3}, {"N", .1}, {"ye", .1}}, {.8, .2}, .5, {}},
      // Not the beginning of a choice: more than it, something else, nothing.
      {{{"yesterday", .5}, {"not", .2}, {"", .1}, {" ", .1}, {"yes", .06}, {"no", .02}}, {.75, .25}, .08, {}},
      // What is missing has the smallest probability that was returned.
      {{{"yes", .9}, {"maybe", .1}}, {.9, .1}, .9, {1}},
      {{{"The", .9}, {"no", .06}, {"A", .02}}, {.25, .75}, .06, {0}},
      {{{"no", 1}}, {.5, .5}, 1, {0}},
      {{{"The", .9}, {"A", .1}}, {}, 0, {}},
      {{{"yes no", 1}}, {}, 0, {}},
      {{{"\xF0\x9F\x98\x80", 1}}, {}, 0, {}},
  };
  for (const Case& c : cases) {
    const VqaReply reply = ReadVqaReply(Reply(c.tokens), {"yes", "no"});
    EXPECT_EQ(reply.input_tokens, 300);
    EXPECT_EQ(reply.output_tokens, 1);
    if (c.probabilities.empty()) {
      EXPECT_TRUE(absl::IsNotFound(reply.answer.status())) << reply.answer.status();
      EXPECT_THAT(std::string(reply.answer.status().message()),
                  HasSubstr("the model did not answer with one of the choices (yes, no) but with \""));
      continue;
    }
    ASSERT_TRUE(reply.answer.ok()) << reply.answer.status();
    EXPECT_NEAR(reply.answer->probabilities[0], c.probabilities[0], 1e-12) << c.tokens[0].first;
    EXPECT_NEAR(reply.answer->probabilities[1], c.probabilities[1], 1e-12) << c.tokens[0].first;
    EXPECT_NEAR(reply.answer->coverage, c.coverage, 1e-12) << c.tokens[0].first;
    EXPECT_EQ(reply.answer->floored, c.floored) << c.tokens[0].first;
  }
}

TEST(ReadVqaReply, ABeginningOfTwoLabelsCountsForNeither) {
  const VqaReply reply = ReadVqaReply(Reply({{"bl", .5}, {"blu", .3}, {"black", .1}}), {"blue", "black"});
  ASSERT_TRUE(reply.answer.ok()) << reply.answer.status();
  EXPECT_NEAR(reply.answer->probabilities[0], .75, 1e-12);
}

TEST(ReadVqaReply, TinyProbabilitiesAreNoDivisionByZero) {
  const char* const text = R"({"choices": [{"logprobs": {"content": [{"top_logprobs": [
    {"token": "yes", "logprob": -9999.0}, {"token": "no", "logprob": -9998}]}]}}]})";
  const VqaReply reply = ReadVqaReply(text, {"yes", "no"});
  ASSERT_TRUE(reply.answer.ok()) << reply.answer.status();
  EXPECT_NEAR(reply.answer->probabilities[0], 1 / (1 + std::exp(1)), 1e-12);
  EXPECT_EQ(reply.answer->coverage, 0);
  EXPECT_EQ(reply.input_tokens, 0);
}

std::string WithTop(const std::string& top) {
  return R"({"choices": [{"logprobs": {"content": [{"top_logprobs": )" + top + "}]}}]}";
}

TEST(ReadVqaReply, RefusesEverythingElse) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "its answer is empty"},
      {"[]", "no JSON object"},
      {"{}", "no \"choices\""},
      {R"({"choices": []})", "holds no log-probabilities"},
      {R"({"choices": [7]})", "holds no log-probabilities"},
      {R"({"choices": [{"logprobs": null}]})", "holds no log-probabilities"},
      {R"({"choices": [{"logprobs": {"content": null}}]})", "holds no log-probabilities"},
      {R"({"choices": [{"logprobs": {"content": []}}]})", "holds no log-probabilities"},
      {R"({"choices": [{"logprobs": {"content": [1]}}]})", "gives no top_logprobs"},
      {R"({"choices": [{"logprobs": {"content": [{}]}}]})", "gives no top_logprobs"},
      {R"({"choices": [{"logprobs": {"top_logprobs": []}}]})", "holds no log-probabilities"},
      {R"({"choices": [{"logprobs": {"top_logprobs": [null]}}]})", "gives no top_logprobs"},
      {WithTop("null"), "gives no top_logprobs"},
      {WithTop("[]"), "gives no top_logprobs"},
      {WithTop("{}"), "gives no top_logprobs"},
      {WithTop("3"), "gives no top_logprobs"},
      {WithTop("[3]"), "says which token it is about"},
      {WithTop(R"([{"logprob": 0}])"), "says which token it is about"},
      {WithTop(R"([{"token": 3, "logprob": 0}])"), "says which token it is about"},
      {WithTop(R"([{"token": "token_id:3", "logprob": 0}])"), "names tokens by numbers"},
      {WithTop(R"({"token_id:3": -1})"), "names tokens by numbers"},
      {WithTop(R"([{"token": "yes"}])"), "log-probability of \"yes\" is null, which is none"},
      {WithTop(R"([{"token": "yes", "logprob": 0.5}])"), "log-probability of \"yes\" is 0.5, which is none"},
      {WithTop("[" + std::string(1 << 20, ' ') + "]"), "bytes"},
  };
  for (const auto& [text, says] : cases) {
    const absl::Status status = ReadVqaReply(text, {"yes", "no"}).answer.status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << text.substr(0, 80) << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(says)) << text.substr(0, 80);
  }
  EXPECT_TRUE(ReadVqaReply(WithTop(R"([{"token": "yes", "logprob": 1e-6}])"), {"yes", "no"}).answer.ok());
}

// The probabilities of yes and no in these top_logprobs; the error where there is no answer.
std::string Yes(const std::string& top) {
  const VqaReply reply = ReadVqaReply(WithTop(top), {"yes", "no"});
  if (!reply.answer.ok()) return std::string(reply.answer.status().message());
  return absl::StrFormat("%.4f", reply.answer->probabilities[0]);
}

TEST(ReadVqaReply, AnOddEntryCostsItselfOnly) {
  const std::string rest = R"({"token": "yes", "logprob": -0.2}, {"token": "no", "logprob": -1.9})";
  const std::string right = absl::StrFormat("%.4f", 1 / (1 + std::exp(-1.7)));
  for (const char* odd :
       {R"({"token": "the", "logprob": null})", R"({"token": "the", "logprob": -Infinity})",
        R"({"token": "the", "logprob": NaN})", R"({"token": "the", "logprob": Infinity})",
        R"({"token": "the", "logprob": 7})", R"({"token": "the", "logprob": "x"})", R"({"token": "the"})",
        R"({"token": null, "logprob": -3})", R"({"token": 9, "logprob": -3})", R"({"logprob": -3})",
        R"({"token": "\ud83d", "logprob": -3})", R"({"token": "\u0000", "logprob": -3})",
        "{\"token\": \"\xE2\x96\", \"logprob\": -3}", R"({"token": "token_id:7", "logprob": -3})", "null",
        "[]", "7", R"({"token": "the", "logprob": -1e999})", R"({"token": "the", "logprob": -9999.0})",
        // After one that is good: no more probable than that.
        R"({"token": " Yes", "logprob": null})", R"({"token": "yes", "logprob": -0.2})"}) {
    EXPECT_EQ(Yes(absl::StrCat("[", rest, ", ", odd, "]")), right) << odd;
  }
  for (const char* odd : {R"({"token": "the", "logprob": null})", R"({"token": 9, "logprob": -3})", "null"})
    EXPECT_EQ(Yes(absl::StrCat("[", odd, ", ", rest, "]")), right) << odd;
}

TEST(ReadVqaReply, AChoiceWhoseOwnEntryIsOddIsNoCertainty) {
  const std::pair<const char*, const char*> cases[] = {
      // The model may have meant just that one.
      {R"([{"token": "yes", "logprob": null}, {"token": "no", "logprob": -4}, {"token": "the", "logprob": -9}])",
       "log-probability of \"yes\" is null"},
      {R"([{"token": "no", "logprob": -0.1}, {"token": "yes", "logprob": NaN}, {"token": "the", "logprob": -9}])",
       "log-probability of \"yes\" is \"NaN\""},
      {R"([{"token": " Yes", "logprob": 3}, {"token": "yes", "logprob": -8}, {"token": "no", "logprob": -4}])",
       "log-probability of \"yes\" is 3"},
      {R"([{"token": "yes", "logprob": "unknown"}, {"token": "no", "logprob": -1}])", "is \"unknown\""},
      {R"([{"token": "yes", "logprob": Infinity}, {"token": "no", "logprob": -1}])", "is \"Infinity\""},
      {R"([{"token": "yes"}, {"token": "no", "logprob": -1}])", "is null"},
  };
  for (const auto& [top, says] : cases) EXPECT_THAT(Yes(top), HasSubstr(says)) << top;
  // A token that cannot come is like one that is not there.
  EXPECT_EQ(Yes(R"([{"token": "yes", "logprob": -Infinity}, {"token": "no", "logprob": -1}])"), "0.5000");
  EXPECT_EQ(Yes(R"([{"token": "yes", "logprob": -1}])"), "0.5000");
}

TEST(ReadVqaReply, ProbabilitiesThatAddUpToMoreThanOneAreNone) {
  EXPECT_THAT(Yes(R"([{"token": "yes", "logprob": -0.0}, {"token": "no", "logprob": -0.5}])"),
              HasSubstr("add up to 1.607"));
  const VqaReply reply = ReadVqaReply(
      WithTop(R"([{"token": "yes", "logprob": -0.0}, {"token": "no", "logprob": -2}])"), {"yes", "no"});
  ASSERT_TRUE(reply.answer.ok()) << reply.answer.status();
  EXPECT_NEAR(reply.answer->total, 1 + std::exp(-2), 1e-9);  // said, not refused
  EXPECT_THAT(Yes(R"([{"token": "yes", "logprob": 0.8}, {"token": "no", "logprob": 0.1}])"),
              HasSubstr("log-probability of \"yes\" is 0.8"));  // probabilities
  EXPECT_EQ(Yes(R"([{"token": "yes", "logprob": 0.0004}, {"token": "no", "logprob": -9}])"), "0.9999");
}

TEST(ReadVqaReply, TakesOtherShapesOfTheSame) {
  const std::string right = absl::StrFormat("%.4f", 1 / (1 + std::exp(-1.7)));
  // Entries by token; numbers as strings.
  EXPECT_EQ(Yes(R"({"yes": -0.2, " No": -1.9, "the": null})"), right);
  EXPECT_EQ(Yes(R"([{"token": "yes", "logprob": "-0.2"}, {"token": "no", "logprob": "-1.9"}])"), right);
  // Tokens by number, with their bytes.
  EXPECT_EQ(Yes(R"([{"token": "token_id:9693", "logprob": -0.2, "bytes": [121, 101, 115]},
                    {"token": "token_id:2201", "logprob": -1.9, "bytes": [32, 78, 111]},
                    {"token": "token_id:5", "logprob": -4, "bytes": null},
                    {"token": "token_id:6", "logprob": -4, "bytes": [300]},
                    {"token": null, "logprob": -5, "bytes": [226, 150]}])"),
            right);
  // A word that only looks so.
  EXPECT_THAT(Yes(R"([{"token": "token_id:", "logprob": -0.2}])"), HasSubstr("but with \"token_id:\""));
  // As completions had it before chat.
  for (
      const char* logprobs :
      {R"({"tokens": ["yes"], "token_logprobs": [-0.2], "top_logprobs": [{"yes": -0.2, "no": -1.9}], "text_offset": [0]})",
       R"({"content": null, "top_logprobs": [{"yes": -0.2, " no": -1.9, "x": -Infinity}]})",
       R"({"content": [], "top_logprobs": [[{"token": "yes", "logprob": -0.2}, {"token": "no", "logprob": -1.9}]]})"}) {
    const VqaReply reply =
        ReadVqaReply(absl::StrCat(R"({"choices": [{"logprobs": )", logprobs, "}]}"), {"yes", "no"});
    ASSERT_TRUE(reply.answer.ok()) << logprobs << reply.answer.status();
    EXPECT_EQ(absl::StrFormat("%.4f", reply.answer->probabilities[0]), right) << logprobs;
  }
}

TEST(ReadVqaReply, BelievesOnlySensibleUsage) {
  const std::pair<const char*, int64_t> cases[] = {
      {"7", 7}, {"-7", 0}, {"1e300", 0}, {"9007199254740993", 1000000000}, {"\"7\"", 0}, {"null", 0}};
  for (const auto& [count, tokens] : cases) {
    const VqaReply reply = ReadVqaReply(absl::StrCat(R"({"usage": {"prompt_tokens": )", count, "}}"), {"a"});
    EXPECT_EQ(reply.input_tokens, tokens) << count;
    EXPECT_EQ(reply.output_tokens, 0);
  }
  EXPECT_EQ(ReadVqaReply(R"({"usage": [1]})", {"a"}).input_tokens, 0);
}

}  // namespace
}  // namespace lvrpo
