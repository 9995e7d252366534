#include <unistd.h>

#include <cstring>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "algorithm/contract.h"
#include "algorithm/prompt_source.h"
#include "algorithm/run_policy.h"
#include "algorithm/sample_settings.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/file.h"
#include "common/filesystem.h"
#include "common/hash.h"
#include "common/rpc.h"
#include "data/png.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/cpu_product.h"
#include "model/weight_buckets.h"
#include "nlohmann/json.hpp"
#include "rollout_worker/backoff.h"
#include "rollout_worker/delivery.h"
#include "rollout_worker/generator.h"
#include "rollout_worker/policy_holder.h"
#include "rollout_worker/sampling_health.h"
#include "rollout_worker/scoring_trouble.h"
#include "tests/data/image_bytes.h"
#include "tests/model/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The embedded default, loaded once.
struct World {
  v1::RunConfig config;
  Bagel base;
  std::unique_ptr<Tokenizer> tokenizer;
  PromptSource prompts;
  Generator generator;
};

World& TheWorld() {
  static World* world = [] {
    torch::set_num_threads(1);
    v1::RunConfig config =
        LoadRunConfig("configs/shapes.yaml", {"data.text_fraction=0.5", "rollout.group_size=4"})->config;
    Bagel base = *LoadRunPolicy(config);
    std::unique_ptr<Tokenizer> tokenizer = *LoadTokenizer(config.model().policy());
    PromptSource prompts = *PromptSource::Load(config, *tokenizer, base.config());
    Autoencoder autoencoder = *Autoencoder::Create(
        base.config().autoencoder, *LoadTensors(config.model().policy() + "/ae.safetensors"), "test");
    Generator generator(config, autoencoder, *tokenizer);
    return new World{config, base, std::move(tokenizer), std::move(prompts), std::move(generator)};
  }();
  return *world;
}

v1::PolicyVersion Version(int64_t version, const std::string& digest) {
  v1::PolicyVersion v;
  v.set_version(version);
  v.set_digest(digest);
  return v;
}

v1::Lease Lease(int64_t ordinal, int32_t attempt = 0) {
  v1::Lease lease;
  lease.set_lease_id("lease-" + std::to_string(ordinal));
  lease.set_ordinal(ordinal);
  lease.set_attempt(attempt);
  lease.set_group_size(4);
  lease.set_learner_address("learner");
  return lease;
}

TEST(Generator, GivesTheSameBytesForTheSameOrdinal) {
  World& world = TheWorld();
  const auto policy = *MakePolicy(world.base, {}, Version(0, "base"));
  std::map<int64_t, std::string> first;
  for (const int64_t ordinal : {0, 1, 2, 3}) {
    GeneratedGroup group = world.generator.Generate(*policy, world.prompts.At(ordinal), Lease(ordinal));
    EXPECT_TRUE(group.log_probs_finite);
    EXPECT_EQ(group.trajectory.samples_size(), 4);
    EXPECT_EQ(group.score_request.items_size(), 4);
    first[ordinal] = group.trajectory.SerializeAsString() + group.score_request.SerializeAsString();
  }
  // In another order, after other work, by another attempt (which only changes the attempt's number).
  for (const int64_t ordinal : {3, 1, 2, 0}) {
    GeneratedGroup group = world.generator.Generate(*policy, world.prompts.At(ordinal), Lease(ordinal, 5));
    group.trajectory.set_attempt(0);
    EXPECT_EQ(group.trajectory.SerializeAsString() + group.score_request.SerializeAsString(), first[ordinal]);
  }
}

TEST(Generator, StoresLogProbsThatCanBeComputedAgainExactly) {
  World& world = TheWorld();
  const auto policy = *MakePolicy(world.base, {}, Version(0, "base"));
  int64_t ordinal = 0;
  while (world.prompts.At(ordinal).record.task() != v1::TASK_KIND_IMAGE) ++ordinal;
  const PromptSource::Prompt& prompt = world.prompts.At(ordinal);
  const v1::TrajectoryGroup group = world.generator.Generate(*policy, prompt, Lease(ordinal)).trajectory;
  const v1::ImageSettings& settings = group.image();
  torch::Tensor latents =
      torch::empty({4, settings.window_size() + 1, settings.tokens(), settings.token_dim()});
  for (int slot = 0; slot < 4; ++slot) {
    ASSERT_EQ(group.samples(slot).latents().size(), static_cast<size_t>(latents[slot].numel()) * 4);
    std::memcpy(latents[slot].data_ptr(), group.samples(slot).latents().data(),
                group.samples(slot).latents().size());
  }
  const ImageSampleOptions options = SampleOptions(settings);
  const torch::Tensor again = WindowLogProbs(BagelVelocity(world.base, world.base.PrefillPrompt(prompt.ids),
                                                           settings.grid_height(), settings.grid_width()),
                                             latents, options);
  for (int slot = 0; slot < 4; ++slot) {
    for (int k = 0; k < settings.window_size(); ++k) {
      EXPECT_EQ(again[slot][k].item<double>(), group.samples(slot).log_probs(k));
    }
  }
}

TEST(PromptSource, MixesBothTasksAndNamesBadFiles) {
  World& world = TheWorld();
  int texts = 0;
  for (int64_t ordinal = 0; ordinal < 100; ++ordinal)
    texts += world.prompts.At(ordinal).record.task() == v1::TASK_KIND_TEXT;
  EXPECT_EQ(texts, 50);
  v1::RunConfig config = world.config;
  config.mutable_data()->set_image_prompts(0, config.data().text_prompts(0));
  const auto wrong = PromptSource::Load(config, *world.tokenizer, world.base.config());
  EXPECT_TRUE(absl::IsInvalidArgument(wrong.status()));
  EXPECT_THAT(std::string(wrong.status().message()), HasSubstr("train_text.jsonl"));
}

TEST(PromptSource, TurnsPhotographsUprightUnlessTold) {
  World& world = TheWorld();
  const TestFolder folder;
  RgbImage image{64, 32, std::vector<uint8_t>(64 * 32 * 3, 255)};
  image.pixels[0] = 0;
  ASSERT_TRUE(WriteFileAtomic(folder.file("a.png"), WithOrientation(*EncodePng(image), 6)).ok());
  const std::string record =
      R"({"id": "1", "task": "TASK_KIND_TEXT", "text": "what", "source_image": "a.png", "answer": "red"})";
  v1::PromptRecord text = world.prompts.At(0).record;
  for (int64_t ordinal = 0; text.task() != v1::TASK_KIND_TEXT; ++ordinal)
    text = world.prompts.At(ordinal).record;
  nlohmann::json json = nlohmann::json::parse(record);
  json["text"] = text.text();
  json["answer"] = text.answer();
  ASSERT_TRUE(WriteFileAtomic(folder.file("photos.jsonl"), json.dump() + "\n").ok());
  v1::RunConfig config = world.config;
  config.mutable_data()->clear_image_prompts();
  config.mutable_data()->set_text_fraction(1);
  config.mutable_data()->set_text_prompts(0, folder.file("photos.jsonl"));
  const auto load = [&] { return PromptSource::Load(config, *world.tokenizer, world.base.config()); };
  const auto upright = load();
  ASSERT_TRUE(upright.ok()) << upright.status();
  EXPECT_EQ(upright->At(0).source_image.width, 32);
  EXPECT_EQ(upright->At(0).source_image.pixels[31 * 3], 0) << "what was left above is right above";
  config.mutable_data()->set_exif_orientation(false);
  EXPECT_EQ(load()->At(0).source_image.pixels, image.pixels);
}

TEST(PromptSource, RefusesASourceImageThatTheModelCannotTake) {
  World& world = TheWorld();
  BagelConfig small = world.base.config();
  small.vit_max_side = 4;
  const auto refused = PromptSource::Load(world.config, *world.tokenizer, small);
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status()));
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("64x64 pixels; sides must be multiples of 8 up to 32"));
}

TEST(PromptSource, NamesEveryRecordThatCannotBeAskedOrScored) {
  World& world = TheWorld();
  const std::string folder = absl::StrCat(::testing::TempDir(), "/lvrpo-prompts-", getpid());
  ASSERT_TRUE(MakeFolder(folder).ok());
  const std::string image_file = folder + "/image.jsonl", text_file = folder + "/text.jsonl";
  ASSERT_TRUE(WriteFileAtomic(image_file,
                              R"({"id":"a","task":"TASK_KIND_IMAGE","text":"a red circle"}
{"id":"b","task":"TASK_KIND_IMAGE","text":"a zeppelin"}
{"id":"c","task":"TASK_KIND_TEXT","text":"what color is the heart ?","source_image":"a.png","answer":"red"}
{"id":"d","task":"TASK_KIND_IMAGE","text":"a red circle","rules":[{"regex":{"pattern":"x"}}]}
{"id":"e","task":"TASK_KIND_IMAGE","text":"a red circle",
{"id":"f","task":"TASK_KIND_IMAGE","text":"a red circle","constraints":{"objects":[{"shape":"circle","count":9}]}}
{"id":"i","task":"TASK_KIND_IMAGE","text":"a red circle","key_phrases":["a zeppelin"]}
{"id":"j","task":"TASK_KIND_IMAGE","text":"a red circle","questions":[{"text":"is there a zeppelin ?","answer":"yes","choices":["yes","no"]}]}
{"id":"k","task":"TASK_KIND_IMAGE","text":"a red circle","questions":[{"text":"is there a circle ?","answer":"yes","choices":["yes","zeppelin"]}]}
{"id":"l","task":"TASK_KIND_IMAGE","text":"a red circle","questions":[{"text":"is there a circle ?","answer":"maybe","choices":["yes","no"]}]}
{"id":"m","task":"TASK_KIND_IMAGE","text":"a red circle","questions":[{"text":"is there a circle ?","answer":"yes","choices":["yes"]}]}
)")
                  .ok());
  ASSERT_TRUE(
      WriteFileAtomic(
          text_file,
          R"({"id":"g","task":"TASK_KIND_TEXT","text":"what color is the heart ?","source_image":"none.png","answer":"red"}
{"id":"h","task":"TASK_KIND_TEXT","text":"what color is the heart ?","source_image":"text.jsonl","answer":"red"}
)")
          .ok());
  v1::RunConfig config = world.config;
  config.mutable_data()->set_image_prompts(0, image_file);
  config.mutable_data()->set_text_prompts(0, text_file);
  const absl::Status refused = PromptSource::Load(config, *world.tokenizer, world.base.config()).status();
  RemoveTree(folder).IgnoreError();
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  const std::vector<std::string> lines = absl::StrSplit(refused.message(), '\n');
  EXPECT_THAT(
      lines,
      ElementsAre(AllOf(HasSubstr("image.jsonl:2: prompt 'b'"), HasSubstr("zeppelin")),
                  HasSubstr("image.jsonl:3: prompt 'c' is a TASK_KIND_TEXT; this file is listed for"),
                  AllOf(HasSubstr("image.jsonl:4: prompt 'd'"), HasSubstr("about texts")),
                  HasSubstr("image.jsonl:5: not a prompt record"),
                  AllOf(HasSubstr("image.jsonl:6: prompt 'f' can never be scored"), HasSubstr("9 objects")),
                  AllOf(HasSubstr("image.jsonl:7: prompt 'i' can never be scored"), HasSubstr("zeppelin")),
                  AllOf(HasSubstr("image.jsonl:8: prompt 'j' can never be scored"), HasSubstr("zeppelin")),
                  AllOf(HasSubstr("image.jsonl:9: prompt 'k' can never be scored"), HasSubstr("zeppelin")),
                  AllOf(HasSubstr("image.jsonl:10: prompt 'l'"), HasSubstr("'maybe' is none of its choices")),
                  AllOf(HasSubstr("image.jsonl:11: prompt 'm'"), HasSubstr("with one choice")),
                  AllOf(HasSubstr("text.jsonl:1: prompt 'g'"), HasSubstr("none.png")),
                  AllOf(HasSubstr("text.jsonl:2: prompt 'h'"), HasSubstr("not a PNG"))));
}

TEST(PromptSource, RefusesATextThatTheModelCannotTake) {
  World& world = TheWorld();
  BagelConfig small = world.base.config();
  small.max_positions = 24;  // of which the latents and the marks take 20
  const auto refused = PromptSource::Load(world.config, *world.tokenizer, small);
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status()));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("the model's longest is 24"));
}

TEST(WorkContract, NamesTheProcessorsProductWhereRunsPromiseTheSameBits) {
  World& world = TheWorld();
  v1::RunConfig config = world.config;
  config.mutable_train()->set_max_staleness(0);
  const auto strict = WorkContract(config, world.base, *world.tokenizer);
  config.mutable_train()->set_max_staleness(1);
  const auto loose = WorkContract(config, world.base, *world.tokenizer);
  EXPECT_EQ(strict.size(), loose.size() + 1);
  for (const auto& [key, value] : strict) {
    if (loose.contains(key)) continue;
    EXPECT_THAT(key, HasSubstr("CPU product"));
    EXPECT_EQ(value, CpuProductName());
    EXPECT_THAT(value, ::testing::MatchesRegex("(own|torch)/(avx512|avx2|generic)/.+"));
  }
}

TEST(Generator, APromptThatTheModelCannotTakeIsThePromptsFault) {
  World& world = TheWorld();
  const Policy policy{world.base, Version(0, "d")};
  int64_t text = 0, image = 0;
  while (world.prompts.At(text).record.task() != v1::TASK_KIND_TEXT) ++text;
  while (world.prompts.At(image).record.task() != v1::TASK_KIND_IMAGE) ++image;
  const auto refusal = [&](int64_t ordinal, const std::function<void(PromptSource::Prompt&)>& spoil) {
    PromptSource::Prompt prompt = world.prompts.At(ordinal);
    spoil(prompt);
    const absl::Status status = world.generator.TryGenerate(policy, prompt, Lease(ordinal)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  const auto most = static_cast<size_t>(world.base.config().max_positions);
  for (const int64_t ordinal : {text, image}) {
    EXPECT_THAT(refusal(ordinal, [](auto& prompt) { prompt.ids = {1000000}; }),
                HasSubstr("the token 1000000"));
    EXPECT_THAT(refusal(ordinal, [](auto& prompt) { prompt.ids = {-1}; }), HasSubstr("the token -1"));
    EXPECT_THAT(refusal(ordinal, [&](auto& prompt) { prompt.ids.assign(most, 1); }), HasSubstr("positions"));
    EXPECT_THAT(refusal(ordinal, [&](auto& prompt) { prompt.ids.assign(1000000, 1); }),
                HasSubstr("positions"));
  }
}

TEST(Generator, WhatBreaksInTheWorkerIsNotThePromptsFault) {
  World& world = TheWorld();
  const absl::StatusOr<std::shared_ptr<const Policy>> none = MakePolicy(world.base, {}, Version(0, "d"));
  ASSERT_TRUE(none.ok());
  int64_t image = 0;
  while (world.prompts.At(image).record.task() != v1::TASK_KIND_IMAGE) ++image;
  v1::Lease lease = Lease(image);
  lease.set_group_size(-1);  // nothing that LibTorch could make
  const absl::Status status = world.generator.TryGenerate(**none, world.prompts.At(image), lease).status();
  EXPECT_FALSE(status.ok());
  EXPECT_FALSE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
}

TEST(SamplingHealth, PausesLongerAndEndsBeforeAPromptIsGivenUp) {
  SamplingHealth health;
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(health.Failed(), absl::Seconds(1));
    EXPECT_EQ(health.Failed(), absl::Seconds(2));
    EXPECT_EQ(health.Failed(), absl::Seconds(4));
    health.Sampled();
  }
  for (int i = 1; i < SamplingHealth::kMostInARow; ++i) EXPECT_TRUE(health.Failed().has_value());
  EXPECT_FALSE(health.Failed().has_value());
}

TEST(ScoringTrouble, IsSaidWhenAScorersTimeIsOverAndThenNowAndAgain) {
  FakeClock clock;
  ScoringTrouble trouble(absl::Seconds(20), clock);
  EXPECT_EQ(trouble.text(), "");
  EXPECT_EQ(trouble.Failed("scorer 'a' OVERLOADED"), "");
  clock.Advance(absl::Seconds(19));
  EXPECT_EQ(trouble.Failed("scorer 'a' OVERLOADED"), "");
  EXPECT_EQ(trouble.text(), "");
  clock.Advance(absl::Seconds(2));
  EXPECT_EQ(trouble.text(), "scores, for 21 s now: scorer 'a' OVERLOADED");
  EXPECT_EQ(trouble.Failed("scorer 'b' TIMED_OUT"), "scores, for 21 s now: scorer 'b' TIMED_OUT");
  clock.Advance(absl::Seconds(10));
  EXPECT_EQ(trouble.Failed("scorer 'b' TIMED_OUT"), "");  // said a moment ago
  EXPECT_EQ(trouble.text(), "scores, for 31 s now: scorer 'b' TIMED_OUT");
  clock.Advance(absl::Seconds(20));
  EXPECT_EQ(trouble.Failed("x"), "scores, for 51 s now: x");
  trouble.End();
  EXPECT_EQ(trouble.text(), "");
  EXPECT_EQ(trouble.Failed("x"), "");
  clock.Advance(absl::Seconds(25));
  EXPECT_EQ(trouble.Failed("x"), "scores, for 25 s now: x");
}

// Weights that a test hands out.
LearnerClient::Weights Pack(const TensorMap& tensors, int64_t version) {
  PackedWeights packed = PackWeights(tensors, version);
  return {packed.manifest, packed.buckets};
}

class PolicyHolderTest : public ::testing::Test {
 protected:
  static constexpr char kName[] = "llm2vae.weight";
  static torch::Tensor Trained() { return TheWorld().base.tensors().at(kName); }

  PolicyHolderTest()
      : holder_(
            TheWorld().base, {{kName, Trained().sizes().vec()}},
            *MakePolicy(TheWorld().base, {}, Version(0, "base")),
            [this](const v1::PolicyVersion&,
                   const LearnerClient::CheckManifest& check) -> absl::StatusOr<LearnerClient::Weights> {
              if (absl::Status status = check(next_.manifest); !status.ok()) return status;
              ++fetched_;
              return next_;
            },
            [this](const v1::PolicyVersion& version) {
              acknowledged_.push_back(version.version());
              return acknowledge_;
            },
            metrics_) {}

  LearnerClient::Weights next_;
  int fetched_ = 0;
  std::vector<int64_t> acknowledged_;
  absl::Status acknowledge_;
  Metrics metrics_;
  PolicyHolder holder_;
};

TEST_F(PolicyHolderTest, SwapsOnlyWholeAndCheckedVersions) {
  const TensorMap changed = {{kName, Trained() * 2}};
  const LearnerClient::Weights good = Pack(changed, 1);
  const v1::PolicyVersion wanted = good.manifest.version();
  const std::shared_ptr<const Policy> before = holder_.current();

  next_ = good;
  next_.manifest.mutable_tensors(0)->set_offset(4);
  EXPECT_TRUE(absl::IsDataLoss(holder_.Update(wanted, 1)));
  next_ = Pack({{kName, Trained() * 3}}, 1);
  EXPECT_TRUE(absl::IsDataLoss(holder_.Update(wanted, 1)));  // another digest than announced
  EXPECT_THAT(holder_.trouble(), HasSubstr("instead of"));
  EXPECT_EQ(fetched_, 0);
  EXPECT_EQ(holder_.current(), before);
  EXPECT_TRUE(acknowledged_.empty());

  next_ = good;
  ASSERT_TRUE(holder_.Update(wanted, 1).ok());
  ASSERT_TRUE(holder_.Update(wanted, 1).ok());  // nothing to do
  EXPECT_THAT(acknowledged_, ElementsAre(1));
  EXPECT_EQ(holder_.trouble(), "");
  EXPECT_EQ(holder_.current()->version.version(), 1);
  EXPECT_TRUE(torch::equal(holder_.current()->model.tensors().at(kName), changed.at(kName)));
  // Whoever still samples with the old version sees no change.
  EXPECT_TRUE(torch::equal(before->model.tensors().at(kName), Trained()));
}

TEST_F(PolicyHolderTest, FetchesNothingThatIsNotTheRunsOwn) {
  torch::Tensor spoiled = Trained().clone();
  spoiled.view(-1)[3] = NAN;
  const torch::Tensor good = Trained();
  for (const TensorMap& tensors : std::vector<TensorMap>{
           {{"no.such.tensor", torch::zeros({2})}},
           {{kName, torch::zeros({2})}},
           {{kName, good}, {"vae2llm.weight", TheWorld().base.tensors().at("vae2llm.weight")}},
           {}}) {
    next_ = Pack(tensors, 1);
    EXPECT_TRUE(absl::IsDataLoss(holder_.Update(next_.manifest.version(), 1)));
    EXPECT_EQ(fetched_, 0);
  }
  next_ = Pack({{kName, spoiled}}, 1);
  const absl::Status status = holder_.Update(next_.manifest.version(), 1);
  EXPECT_THAT(std::string(status.message()), HasSubstr("not finite"));
  EXPECT_EQ(holder_.current()->version.version(), 0);
}

TEST_F(PolicyHolderTest, IsGoodForLeasesOnlyWhenAcknowledged) {
  EXPECT_EQ(holder_.acknowledged(1), nullptr);
  next_ = Pack({{kName, Trained()}}, 1);
  v1::PolicyVersion version = next_.manifest.version();
  acknowledge_ = absl::UnavailableError("gone");
  EXPECT_FALSE(holder_.Update(version, 1).ok());
  EXPECT_EQ(holder_.acknowledged(1), nullptr);  // swapped in, and not known to the coordinator
  EXPECT_EQ(holder_.trouble(), "gone");
  acknowledge_ = absl::OkStatus();
  EXPECT_TRUE(holder_.Update(version, 1).ok());
  EXPECT_EQ(holder_.acknowledged(1), holder_.current());
  // Another registration, or another version with the same weights, has to be acknowledged anew.
  EXPECT_EQ(holder_.acknowledged(2), nullptr);
  EXPECT_TRUE(holder_.Update(version, 2).ok());
  EXPECT_NE(holder_.acknowledged(2), nullptr);
  next_ = Pack({{kName, Trained()}}, 2);
  EXPECT_TRUE(holder_.Update(next_.manifest.version(), 2).ok());
  EXPECT_THAT(acknowledged_, ElementsAre(1, 1, 1, 2));
}

TEST(HeldLeases, TellAttemptsOfAnOrdinalApart) {
  HeldLeases held;
  held.Add(Lease(7, 0));
  held.Add(Lease(8, 0));
  EXPECT_THAT(held.Report(), ElementsAre(7, 8));
  held.Add(Lease(7, 1));  // the coordinator planned it again, and gave it to us
  EXPECT_TRUE(held.IsRevoked(Lease(7, 0)));
  EXPECT_FALSE(held.IsRevoked(Lease(7, 1)));
  held.Remove(Lease(7, 0));  // the end of the first says nothing about the second
  EXPECT_THAT(held.Report(), ElementsAre(7, 8));
}

TEST(HeldLeases, AnAnswerMeansWhatWasReported) {
  HeldLeases held;
  held.Add(Lease(7, 0));
  EXPECT_THAT(held.Report(), ElementsAre(7));
  held.Remove(Lease(7, 0));
  held.Add(Lease(7, 1));  // before the answer came
  held.Revoke({7});
  EXPECT_FALSE(held.IsRevoked(Lease(7, 1)));
  EXPECT_THAT(held.Report(), ElementsAre(7));
  held.Revoke({7, 9});
  EXPECT_TRUE(held.IsRevoked(Lease(7, 1)));
  EXPECT_TRUE(held.Report().empty());
}

TEST(Backoff, PausesLongerEachTimeUntilAGroupComesHome) {
  FakeClock clock;
  Backoff backoff(clock);
  EXPECT_EQ(backoff.Left(), absl::ZeroDuration());
  for (const int seconds : {1, 2, 4, 8, 16, 30, 30}) {
    backoff.Note("learner_unreachable");
    EXPECT_EQ(backoff.Left(), absl::Seconds(seconds));
    clock.Advance(absl::Seconds(seconds));
    EXPECT_EQ(backoff.Left(), absl::ZeroDuration());
  }
  for (const char* neutral : {"revoked", "lease_ended", "drain"}) backoff.Note(neutral);
  backoff.Note("unscorable: HTTP 401");
  EXPECT_EQ(backoff.Left(), absl::Seconds(30));
  EXPECT_EQ(backoff.reason(), "unscorable: HTTP 401");
  for (const char* home : {"accepted", "zero_variance", "bad_prompt"}) {
    backoff.Note(home);
    EXPECT_EQ(backoff.Left(), absl::ZeroDuration());
    backoff.Note("reward_unreachable");
    EXPECT_EQ(backoff.Left(), absl::Seconds(1));
  }
}

// Scripts what the outside world answers.
class DeliveryTest : public ::testing::Test {
 protected:
  DeliveryTest() {
    for (const char* id : {"reward-0", "reward-1"}) {
      v1::Member& member = *view_.add_reward_servers();
      member.set_member_id(id);
      member.set_address(id);
      member.set_state("ready");
    }
    view_.add_learners()->set_address("learner-now");
    held_.Add(Lease(7));
  }
  std::string Deliver() {
    GeneratedGroup group;
    group.lease = Lease(7);
    group.trajectory.set_ordinal(7);
    for (int slot = 0; slot < 4; ++slot) {
      group.trajectory.add_samples()->set_slot(slot);
      group.score_request.add_items();
    }
    Delivery delivery(
        {.view = [this] { return view_; },
         .score = [this](const std::string& address,
                         const v1::ScoreRequest& request) -> absl::StatusOr<v1::ScoreResponse> {
           scored_at_.push_back(address);
           if (!score_errors_.empty()) {
             const absl::Status error = score_errors_.front();
             score_errors_.erase(score_errors_.begin());
             return error;
           }
           v1::ScoreResponse response;
           for (int i = 0; i < request.items_size(); ++i)
             response.add_items()->set_reward(static_cast<float>(i));
           if (late_answers_ > 0) {
             --late_answers_;
             v1::ComponentScore& score = *response.mutable_items(2)->add_scores();
             score.set_name("brand");
             score.set_outcome(v1::ComponentScore::TIMED_OUT);
             score.set_detail("external scorer 'brand' at http://gpu:1\ndid not answer");
           }
           response.set_unscorable(unscorable_);
           return response;
         },
         .upload =
             [this](const std::string& address, const v1::UploadHeader& header, const std::string& bytes) {
               uploaded_at_.push_back(address);
               EXPECT_EQ(Sha256Hex(bytes), header.digest());
               if (upload_errors_.empty()) return absl::OkStatus();
               const absl::Status error = upload_errors_.front();
               upload_errors_.erase(upload_errors_.begin());
               return error;
             },
         .submit =
             [this](const v1::SubmitGroupRequest& request) {
               submitted_ = request;
               return answer_;
             },
         .give_back =
             [this](const v1::ReturnLeaseRequest& request) {
               returned_ = request;
               return absl::OkStatus();
             },
         .fence = [] { return v1::Fence(); },
         .sleep =
             [this](absl::Duration duration) {
               ++pauses_;
               paused_ += duration;
               clock_.Advance(duration);
               if (on_pause_) on_pause_();
             },
         .stopping = [this] { return stopping_; }},
        5, 0, held_, trouble_, metrics_);
    return delivery.Deliver(std::move(group));
  }
  static v1::SubmitGroupResponse Accepted() {
    v1::SubmitGroupResponse response;
    response.set_accepted(true);
    return response;
  }

  v1::PoolView view_;
  HeldLeases held_;
  FakeClock clock_;
  ScoringTrouble trouble_{absl::Seconds(1), clock_};
  std::string unscorable_;
  Metrics metrics_;
  std::vector<std::string> scored_at_, uploaded_at_;
  std::vector<absl::Status> score_errors_, upload_errors_;
  absl::StatusOr<v1::SubmitGroupResponse> answer_ = Accepted();
  v1::SubmitGroupRequest submitted_;
  v1::ReturnLeaseRequest returned_;
  std::function<void()> on_pause_;
  absl::Duration paused_;
  int pauses_ = 0, late_answers_ = 0;
  bool stopping_ = false;
};

TEST_F(DeliveryTest, BringsAGroupHome) {
  EXPECT_EQ(Deliver(), "accepted");
  EXPECT_EQ(submitted_.samples_size(), 4);
  EXPECT_EQ(submitted_.samples(3).reward(), 3);
  EXPECT_FALSE(submitted_.trajectory_digest().empty());
  EXPECT_THAT(uploaded_at_, ElementsAre("learner-now"));  // where it is now, not where the lease says
  EXPECT_TRUE(held_.Report().empty());
}

TEST_F(DeliveryTest, TriesTheOtherServerAtOnce) {
  score_errors_ = {absl::UnavailableError("gone")};
  EXPECT_EQ(Deliver(), "accepted");
  ASSERT_EQ(scored_at_.size(), 2u);
  EXPECT_NE(scored_at_[0], scored_at_[1]);
  EXPECT_EQ(pauses_, 0);
}

TEST_F(DeliveryTest, WaitsWhileAllServersAreFull) {
  score_errors_ = {absl::ResourceExhaustedError("full"), absl::ResourceExhaustedError("full"),
                   absl::DeadlineExceededError("slow")};
  EXPECT_EQ(Deliver(), "accepted");
  EXPECT_EQ(pauses_, 1);
}

TEST_F(DeliveryTest, AsksElsewhereWhereAScorerRanOutOfTime) {
  late_answers_ = 1;
  EXPECT_EQ(Deliver(), "accepted");
  ASSERT_EQ(scored_at_.size(), 2u);
  EXPECT_NE(scored_at_[0], scored_at_[1]);
  scored_at_.clear();
  held_.Add(Lease(7));
  late_answers_ = 100;
  EXPECT_EQ(Deliver(), "reward_unreachable");
}

TEST_F(DeliveryTest, WaitsAsLongAsAFullServerSays) {
  v1::ErrorInfo info;
  info.set_retry_after_seconds(0.7);
  const absl::Status full = WithReason(absl::ResourceExhaustedError("full"), info);
  score_errors_ = {full, full};
  EXPECT_EQ(Deliver(), "accepted");
  EXPECT_EQ(pauses_, 1);
  EXPECT_EQ(paused_, absl::Seconds(0.7));
}

TEST_F(DeliveryTest, HandsTheLeaseBackWhenNobodyScores) {
  score_errors_.assign(20, absl::UnavailableError("gone"));
  EXPECT_EQ(Deliver(), "reward_unreachable");
  EXPECT_EQ(returned_.ordinal(), 7);
  EXPECT_FALSE(returned_.data_is_at_fault());
  EXPECT_TRUE(held_.Report().empty());
}

TEST_F(DeliveryTest, AScorerThatFailsIsNotAnOutage) {
  score_errors_ = {absl::InternalError("it threw")};
  EXPECT_EQ(Deliver(), "reward_failed");
  EXPECT_FALSE(returned_.data_is_at_fault());
}

TEST_F(DeliveryTest, ABadPromptIsTheDatasFault) {
  score_errors_ = {absl::InvalidArgumentError("no such relation")};
  EXPECT_EQ(Deliver(), "bad_prompt");
  EXPECT_TRUE(returned_.data_is_at_fault());
  EXPECT_EQ(scored_at_.size(), 1u);
}

TEST_F(DeliveryTest, WhatNoScorerWillEverScoreIsHandedBackWithItsWords) {
  unscorable_ = "knowledge: model 'm' at http://a\nanswered 401: [key]" + std::string(5000, 'x');
  EXPECT_EQ(Deliver(), "unscorable");
  EXPECT_THAT(returned_.reason(),
              testing::StartsWith("unscorable: knowledge: model 'm' at http://a answered 401"));
  EXPECT_LT(returned_.reason().size(), 600u);
  EXPECT_FALSE(returned_.data_is_at_fault());
  EXPECT_TRUE(uploaded_at_.empty());
  EXPECT_THAT(metrics_.Render(), HasSubstr("outcome=\"unscorable\""));
  EXPECT_TRUE(held_.Report().empty());
}

TEST_F(DeliveryTest, NamesTheScorerThatGroupsWaitFor) {
  late_answers_ = 100;
  std::string during;
  on_pause_ = [&] { during = trouble_.text(); };
  EXPECT_EQ(Deliver(), "reward_unreachable");
  EXPECT_EQ(trouble_.text(), "");  // not for long yet
  held_.Add(Lease(7));
  clock_.Advance(absl::Seconds(60));
  EXPECT_EQ(Deliver(), "reward_unreachable");
  for (const std::string& text : {during, trouble_.text()}) {
    EXPECT_THAT(text,
                testing::MatchesRegex(
                    "scores, for 6[0-9] s now: reward server reward-[01]: scorer 'brand' TIMED_OUT: external "
                    "scorer 'brand' at http://gpu:1 did not answer"));
  }
  late_answers_ = 0;
  held_.Add(Lease(7));
  EXPECT_EQ(Deliver(), "accepted");
  EXPECT_EQ(trouble_.text(), "");
}

TEST_F(DeliveryTest, NamesTheServerThatCannotBeReached) {
  clock_.Advance(absl::Seconds(1));
  score_errors_.assign(20, absl::UnavailableError("connection refused"));
  EXPECT_EQ(Deliver(), "reward_unreachable");
  clock_.Advance(absl::Seconds(60));
  EXPECT_THAT(trouble_.text(), HasSubstr(": connection refused"));
  EXPECT_THAT(trouble_.text(), HasSubstr("reward server reward-"));
}

TEST_F(DeliveryTest, RepeatsUploadsUntilTheLearnerIsBack) {
  upload_errors_ = {absl::UnavailableError("restarting"), absl::DataLossError("damaged on the way")};
  EXPECT_EQ(Deliver(), "accepted");
  EXPECT_EQ(uploaded_at_.size(), 3u);
}

TEST_F(DeliveryTest, DropsARevokedGroupQuietly) {
  score_errors_.assign(20, absl::UnavailableError("gone"));
  held_.Report();
  on_pause_ = [this] { held_.Revoke({7}); };
  EXPECT_EQ(Deliver(), "revoked");
  EXPECT_EQ(returned_.ordinal(), 0);
}

TEST_F(DeliveryTest, ALateAnswerIsNoError) {
  answer_ = absl::FailedPreconditionError("the lease has ended");
  EXPECT_EQ(Deliver(), "lease_ended");
}

TEST_F(DeliveryTest, HandsBackAtOnceWhenDraining) {
  stopping_ = true;
  score_errors_.assign(20, absl::UnavailableError("gone"));
  EXPECT_EQ(Deliver(), "drain");
  EXPECT_EQ(returned_.reason(), "drain");
  EXPECT_EQ(pauses_, 0);
}

}  // namespace
}  // namespace lvrpo
