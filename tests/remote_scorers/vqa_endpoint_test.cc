#include "reward_server/remote/vqa_endpoint.h"

#include <atomic>
#include <cmath>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/remote_scorers/fake_transport.h"
#include "tests/remote_scorers/groups.h"
#include "tests/remote_scorers/test_http_server.h"
#include "tests/testing/fake_waiting.h"

namespace lvrpo {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

v1::VqaEndpointConfig Config(const std::string& url = "http://vllm:8000/v1/") {
  v1::VqaEndpointConfig config;
  config.set_url(url);
  config.set_model("qwen");
  config.set_timeout_seconds(10);
  config.set_concurrency(8);
  config.set_retries(3);
  config.set_top_logprobs(20);
  config.set_cached_answers(100);
  return config;
}

void Ask(ScoringGroup& group, const std::string& text, const std::string& answer,
         const std::vector<std::string>& choices) {
  v1::Question& question = *group.prompt.add_questions();
  question.set_text(text);
  question.set_answer(answer);
  for (const std::string& choice : choices) question.add_choices(choice);
}

// An answer with these candidates for the first token, by probability.
std::string Reply(const std::vector<std::pair<std::string, double>>& tokens) {
  json top = json::array();
  for (const auto& [token, p] : tokens) top.push_back({{"token", token}, {"logprob", std::log(p)}});
  const json choice = {{"logprobs", {{"content", {{{"top_logprobs", top}}}}}}};
  return json{{"choices", {choice}}, {"usage", {{"prompt_tokens", 300}, {"completion_tokens", 1}}}}.dump();
}

class VqaEndpointTest : public ::testing::Test {
 protected:
  void Start(FakeTransport::Answer answer, const v1::VqaEndpointConfig& config = Config()) {
    auto scorer =
        VqaEndpointScorer::Create(config, {.deadline = absl::Minutes(1), .waiting = time_.waiting()},
                                  metrics_, std::make_unique<FakeTransport>(log_, std::move(answer)));
    ASSERT_TRUE(scorer.ok()) << scorer.status();
    scorer_ = *std::move(scorer);
  }
  // Whether the metrics hold this line.
  void ExpectMetric(const std::string& line) { EXPECT_THAT(metrics_.Render(), HasSubstr(line + "\n")); }

  Metrics metrics_;
  SentLog log_;
  FakeWaiting time_;
  std::unique_ptr<VqaEndpointScorer> scorer_;
};

TEST_F(VqaEndpointTest, ScoresTheMeanProbabilityOfTheRightAnswers) {
  Start([](const SentLog::Sent& sent) {
    const bool colour = sent.body.find("colour") != std::string::npos;
    return HttpAnswer{.code = 200,
                      .body = colour ? Reply({{"B", .2}, {"A", .6}}) : Reply({{"Yes", .9}, {"No", .1}})};
  });
  ScoringGroup group = ImageGroup(2);
  Ask(group, "Is it round?", "yes", {"yes", "no"});
  Ask(group, "Which colour?", "blue", {"black", "blue"});
  EXPECT_TRUE(scorer_->AppliesTo(group.prompt));
  EXPECT_FALSE(scorer_->AppliesTo(ImageGroup(1).prompt));
  EXPECT_FALSE(scorer_->AppliesTo(TextGroup({"a"}).prompt));
  const auto scores = scorer_->ScoreGroup(group);
  ASSERT_TRUE(scores.ok()) << scores.status();
  ASSERT_EQ(scores->size(), 2u);
  EXPECT_NEAR((*scores)[0].value, (.9 + .25) / 2, 1e-6);
  EXPECT_EQ((*scores)[0].detail, "");
  ASSERT_EQ(log_.sent.size(), 4u);
  EXPECT_EQ(log_.sent[0].url, "http://vllm:8000/v1/chat/completions");
  EXPECT_EQ(log_.options.size(), 1u);  // all at once
  EXPECT_EQ(log_.options[0].concurrency, 8);
  EXPECT_EQ(log_.options[0].timeout, absl::Seconds(10));
  EXPECT_EQ(log_.options[0].total, absl::Minutes(1));
  ExpectMetric("lvrpo_reward_vqa_requests_total{outcome=\"ok\"} 4");
  ExpectMetric("lvrpo_reward_vqa_tokens_total{kind=\"input\"} 1200");
  ExpectMetric("lvrpo_reward_vqa_tokens_total{kind=\"output\"} 4");
  EXPECT_THAT(metrics_.Render(), Not(HasSubstr("vqa_cost")));
}

TEST_F(VqaEndpointTest, RemembersAnswersByQuestionAndImage) {
  Start([](const SentLog::Sent&) {
    return HttpAnswer{.code = 200, .body = Reply({{"yes", .9}, {"no", .1}})};
  });
  ScoringGroup group = ImageGroup(2);
  group.images.push_back(group.images[0]);  // the same image again: asked once
  Ask(group, "Is it round?", "yes", {"yes", "no"});
  ASSERT_TRUE(scorer_->ScoreGroup(group).ok());
  EXPECT_EQ(log_.sent.size(), 2u);
  // The right answer is not part of the request.
  group.prompt.mutable_questions(0)->set_answer("no");
  const auto scores = scorer_->ScoreGroup(group);
  ASSERT_TRUE(scores.ok());
  EXPECT_NEAR((*scores)[0].value, .1, 1e-6);
  EXPECT_EQ(log_.sent.size(), 2u);
  ExpectMetric("lvrpo_reward_vqa_cache_hits_total 3");
  group.prompt.mutable_questions(0)->set_text("Is it square?");
  ASSERT_TRUE(scorer_->ScoreGroup(group).ok());
  EXPECT_EQ(log_.sent.size(), 4u);
}

TEST_F(VqaEndpointTest, WhatItRemembersIsBounded) {
  v1::VqaEndpointConfig config = Config();
  config.set_cached_answers(2);
  Start(
      [](const SentLog::Sent&) {
        return HttpAnswer{.code = 200, .body = Reply({{"yes", .9}, {"no", .1}})};
      },
      config);
  ScoringGroup group = ImageGroup(3);
  Ask(group, "Is it round?", "yes", {"yes", "no"});
  ASSERT_TRUE(scorer_->ScoreGroup(group).ok());
  ASSERT_TRUE(scorer_->ScoreGroup(group).ok());  // the first is forgotten
  EXPECT_EQ(log_.sent.size(), 4u);
}

TEST_F(VqaEndpointTest, SaysWhichChoicesWereFloored) {
  Start([](const SentLog::Sent&) {
    return HttpAnswer{.code = 200, .body = Reply({{"The", .8}, {"yes", .1}, {"A", .05}})};
  });
  ScoringGroup group = ImageGroup(1);
  Ask(group, "Is it round?", "yes", {"yes", "no"});
  const auto scores = scorer_->ScoreGroup(group);
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_NEAR((*scores)[0].value, 2. / 3, 1e-6);
  EXPECT_EQ((*scores)[0].detail,
            "\"Is it round?\" floored: no; the choices have only 0.1 of the probability");
  ExpectMetric("lvrpo_reward_vqa_floored_total 1");
}

TEST_F(VqaEndpointTest, AnAnswerThatIsNoneFailsAndIsPaidFor) {
  v1::VqaEndpointConfig config = Config();
  config.set_input_price(2.5);
  config.set_output_price(10);
  Start([](const SentLog::Sent&) { return HttpAnswer{.code = 200, .body = Reply({{"The", .9}})}; }, config);
  ScoringGroup group = ImageGroup(2);
  Ask(group, "Is it round?", "yes", {"yes", "no"});
  const absl::Status status = scorer_->ScoreGroup(group).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("model 'qwen' at http://vllm:8000/v1, sample 0, question \"Is it round?\": the model "
                        "did not answer with one of the choices"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("(2 questions of 2 have no answer)"));
  ExpectMetric("lvrpo_reward_vqa_requests_total{outcome=\"no_choice\"} 2");
  ExpectMetric("lvrpo_reward_vqa_cost_total 0.00152");  // 2 (300 x 2.5 + 1 x 10) / 1e6
}

TEST_F(VqaEndpointTest, FailuresAreTypedCountedAndNobodysFaultButTheEndpoints) {
  struct Case {
    HttpAnswer answer;
    absl::StatusCode code;
    const char* outcome;
  };
  const Case cases[] = {
      {{.code = 400, .body = "no logprobs"}, absl::StatusCode::kFailedPrecondition, "refused"},
      {{.code = 401, .body = ""}, absl::StatusCode::kFailedPrecondition, "refused"},
      {{.code = 429, .body = ""}, absl::StatusCode::kResourceExhausted, "exhausted"},
      {{.code = 500, .body = ""}, absl::StatusCode::kDataLoss, "failed"},
      {{.code = 503, .body = ""}, absl::StatusCode::kUnavailable, "unavailable"},
      {{.code = 504, .body = ""}, absl::StatusCode::kDeadlineExceeded, "timed_out"},
      {{.code = 200, .body = "{}"}, absl::StatusCode::kDataLoss, "bad_answer"},
  };
  ScoringGroup group = ImageGroup(1);
  Ask(group, "Is it round?", "yes", {"yes", "no"});
  HttpAnswer now;
  Start([&](const SentLog::Sent&) { return now; });
  std::map<std::string, int> counts;
  for (const Case& c : cases) {
    now = c.answer;
    const absl::Status status = scorer_->ScoreGroup(group).status();
    EXPECT_EQ(status.code(), c.code) << c.outcome << ": " << status;
    ExpectMetric(
        absl::StrCat("lvrpo_reward_vqa_requests_total{outcome=\"", c.outcome, "\"} ", ++counts[c.outcome]));
  }
}

TEST_F(VqaEndpointTest, AQuestionThatNobodyCanAnswerIsThePromptsFault) {
  Start([](const SentLog::Sent&) { return HttpAnswer{}; });
  ScoringGroup group = ImageGroup(1);
  Ask(group, "Is it round?", "perhaps", {"yes", "no"});
  const absl::Status status = scorer_->ScoreGroup(group).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(), "prompt p1, question \"Is it round?\": its answer is not among its choices");
  EXPECT_TRUE(log_.sent.empty());
}

TEST_F(VqaEndpointTest, TheKeyComesFromTheEnvironment) {
  v1::VqaEndpointConfig config = Config();
  config.set_api_key_variable("LVRPO_TEST_VQA_KEY");
  const auto create = [&] {
    return VqaEndpointScorer::Create(config, {}, metrics_,
                                     std::make_unique<FakeTransport>(log_, [](const SentLog::Sent&) {
                                       return HttpAnswer{.code = 403, .body = "sekret"};
                                     }));
  };
  unsetenv("LVRPO_TEST_VQA_KEY");
  absl::Status status = create().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("LVRPO_TEST_VQA_KEY, which is not in the environment"));
  for (const char* bad : {"", " \n", "sek\r\nHost: evil"}) {
    setenv("LVRPO_TEST_VQA_KEY", bad, 1);
    status = create().status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("sek")));
  }
  setenv("LVRPO_TEST_VQA_KEY", "sekret\n", 1);
  const auto scorer = create();
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  ScoringGroup group = ImageGroup(1);
  Ask(group, "Is it round?", "yes", {"yes", "no"});
  EXPECT_THAT(std::string((*scorer)->ScoreGroup(group).status().message()), Not(HasSubstr("sekret")));
  EXPECT_EQ(log_.options.back().bearer, "sekret");
}

TEST_F(VqaEndpointTest, TheDigestCoversWhatDecidesTheScores) {
  const auto digest = [&](const v1::VqaEndpointConfig& config) {
    return (*VqaEndpointScorer::Create(config, {}, metrics_))->digest();
  };
  const std::string first = digest(Config());
  EXPECT_EQ(first.substr(0, 13), "vqa_endpoint/");
  EXPECT_EQ(digest(Config("http://vllm:8000/v1")), first);  // but for the slash
  EXPECT_NE(digest(Config("http://other:8000/v1")), first);
  v1::VqaEndpointConfig config = Config();
  config.set_model("qwen2");
  EXPECT_NE(digest(config), first);
  config = Config();
  config.set_top_logprobs(5);
  EXPECT_NE(digest(config), first);
  config = Config();
  config.set_retries(0);
  config.set_concurrency(1);
  EXPECT_EQ(digest(config), first);
}

TEST_F(VqaEndpointTest, AsksARealServer) {
  std::atomic<int> busy = 2;
  TestHttpServer server([&](const TestHttpServer::Request& request) {
    if (busy > 0 && busy-- > 0) return MakeHttpAnswer(429, "busy", "Retry-After: 1\r\n");
    if (request.head.rfind("POST /v1/chat/completions ", 0) != 0) return MakeHttpAnswer(404, "");
    const json body = json::parse(request.body);
    if (body["model"] != "qwen" || body["max_tokens"] != 1) return MakeHttpAnswer(400, "");
    return MakeHttpAnswer(200, Reply({{"yes", .75}, {"no", .25}}));
  });
  auto scorer =
      VqaEndpointScorer::Create(Config(server.url() + "/v1"), {.waiting = time_.waiting()}, metrics_);
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  ScoringGroup group = ImageGroup(20);
  Ask(group, "Is it round?", "yes", {"yes", "no"});
  const auto scores = (*scorer)->ScoreGroup(group);
  ASSERT_TRUE(scores.ok()) << scores.status();
  for (const SampleScore& score : *scores) EXPECT_NEAR(score.value, .75, 1e-6);
  EXPECT_THAT(time_.waits, ::testing::ElementsAre(absl::Seconds(1)));
  ExpectMetric("lvrpo_reward_vqa_requests_total{outcome=\"ok\"} 20");
}

}  // namespace
}  // namespace lvrpo
