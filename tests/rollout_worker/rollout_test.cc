#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "algorithm/run_policy.h"
#include "algorithm/sample_settings.h"
#include "common/config.h"
#include "common/file.h"
#include "common/filesystem.h"
#include "common/hash.h"
#include "common/rpc.h"
#include "data/png.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/weight_buckets.h"
#include "nlohmann/json.hpp"
#include "rollout_worker/delivery.h"
#include "rollout_worker/generator.h"
#include "rollout_worker/policy_holder.h"
#include "rollout_worker/prompt_source.h"
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
      ElementsAre(AllOf(HasSubstr("image.jsonl:2: prompt 'b': "), HasSubstr("zeppelin")),
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

TEST(Generator, APromptThatBreaksTheModelIsAnErrorNotACrash) {
  World& world = TheWorld();
  const Policy policy{world.base, Version(0, "d")};
  PromptSource::Prompt prompt = world.prompts.At(0);
  prompt.ids = {1000000};  // no such token
  const auto broken = world.generator.TryGenerate(policy, prompt, Lease(0));
  EXPECT_TRUE(absl::IsInvalidArgument(broken.status())) << broken.status();
}

// Weights that a test hands out.
LearnerClient::Weights Pack(const TensorMap& tensors, int64_t version) {
  PackedWeights packed = PackWeights(tensors, version);
  return {packed.manifest, packed.buckets};
}

TEST(PolicyHolder, SwapsOnlyWholeAndCheckedVersions) {
  World& world = TheWorld();
  const std::string name = "llm2vae.weight";
  const TensorMap changed = {{name, world.base.tensors().at(name) * 2}};
  LearnerClient::Weights good = Pack(changed, 1);
  LearnerClient::Weights next = good;
  std::vector<std::string> acknowledged;
  Metrics metrics;
  PolicyHolder holder(
      world.base, *MakePolicy(world.base, {}, Version(0, "base")),
      [&](const v1::PolicyVersion&) -> absl::StatusOr<LearnerClient::Weights> { return next; },
      [&](const v1::PolicyVersion& version) {
        acknowledged.push_back(version.digest());
        return absl::OkStatus();
      },
      metrics);
  const v1::PolicyVersion wanted = good.manifest.version();
  const std::shared_ptr<const Policy> before = holder.current();

  next.manifest.mutable_tensors(0)->set_offset(4);
  EXPECT_TRUE(absl::IsDataLoss(holder.Update(wanted)));
  next = Pack({{"no.such.tensor", torch::zeros({2})}}, 1);
  EXPECT_TRUE(absl::IsDataLoss(holder.Update(wanted)));  // another digest than announced
  EXPECT_TRUE(absl::IsDataLoss(holder.Update(next.manifest.version())));
  EXPECT_EQ(holder.current(), before);
  EXPECT_TRUE(acknowledged.empty());

  next = good;
  ASSERT_TRUE(holder.Update(wanted).ok());
  ASSERT_TRUE(holder.Update(wanted).ok());  // nothing to do
  EXPECT_THAT(acknowledged, ElementsAre(wanted.digest()));
  EXPECT_EQ(holder.current()->version.version(), 1);
  EXPECT_TRUE(torch::equal(holder.current()->model.tensors().at(name), changed.at(name)));
  // Whoever still samples with the old version sees no change.
  EXPECT_TRUE(torch::equal(before->model.tensors().at(name), world.base.tensors().at(name)));
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
    held_.Add(7);
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
             response.mutable_items(2)->add_scores()->set_outcome(v1::ComponentScore::TIMED_OUT);
           }
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
               if (on_pause_) on_pause_();
             },
         .stopping = [this] { return stopping_; }},
        5, 0, held_, metrics_);
    return delivery.Deliver(std::move(group));
  }
  static v1::SubmitGroupResponse Accepted() {
    v1::SubmitGroupResponse response;
    response.set_accepted(true);
    return response;
  }

  v1::PoolView view_;
  HeldLeases held_;
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
  EXPECT_TRUE(held_.All().empty());
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
  held_.Add(7);
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
  EXPECT_TRUE(held_.All().empty());
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

TEST_F(DeliveryTest, RepeatsUploadsUntilTheLearnerIsBack) {
  upload_errors_ = {absl::UnavailableError("restarting"), absl::DataLossError("damaged on the way")};
  EXPECT_EQ(Deliver(), "accepted");
  EXPECT_EQ(uploaded_at_.size(), 3u);
}

TEST_F(DeliveryTest, DropsARevokedGroupQuietly) {
  score_errors_.assign(20, absl::UnavailableError("gone"));
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
