#include "common/config/config.h"

namespace lvrpo {

v1::RunConfig DefaultRunConfig() {
  v1::RunConfig config;
  config.set_name("run");
  config.set_seed(1);
  config.set_out("runs");

  v1::DataConfig& data = *config.mutable_data();
  data.set_text_fraction(0);
  data.set_exif_orientation(true);

  v1::RolloutConfig& rollout = *config.mutable_rollout();
  rollout.set_group_size(8);
  rollout.set_timesteps(10);
  rollout.set_shift(2);
  rollout.set_kernel("flow_sde");
  rollout.set_noise_level(0.7);
  rollout.set_window_size(3);
  rollout.set_window_lo(0);
  rollout.set_window_hi(5);
  rollout.set_cfg_scale(1);
  rollout.set_max_text_tokens(8);
  rollout.set_temperature(1);
  rollout.set_lease_seconds(30);
  rollout.set_lease_limit_seconds(900);
  rollout.set_image_size(64);
  rollout.set_device("cpu");
  rollout.set_window_draw("random");
  rollout.set_window_every(25);
  rollout.set_initial_noise("own");

  v1::RewardConfig& reward = *config.mutable_reward();
  reward.set_grounding_weight(0.3);
  reward.set_instruction_weight(1);
  reward.set_knowledge_weight(0.2);
  reward.set_grounding_form("count_aware");
  reward.set_instruction_form("product");
  reward.set_queue_limit(64);
  reward.set_deadline_seconds(30);
  reward.set_queue_deadline_seconds(20);
  reward.set_compute_deadline_seconds(20);
  reward.set_batch_samples(128);
  reward.set_cached_scores(4096);
  reward.set_verify_seconds(300);
  reward.set_grounding_dense("map_head");
  reward.set_grounding_top_k(3);
  reward.set_grounding_regions("segments");
  reward.set_grounding_calibration("checkpoint");
  reward.set_grounding_max_patches(256);
  reward.set_image_transport("raw");
  reward.set_device("cpu");
  for (const char* guard : {"artefacts", "one_patch", "disagreement"}) reward.add_guards(guard);
  v1::VqaEndpointConfig& endpoint = *reward.mutable_vqa_endpoint();
  endpoint.set_timeout_seconds(10);
  endpoint.set_concurrency(8);
  endpoint.set_retries(3);
  endpoint.set_top_logprobs(20);
  endpoint.set_cached_answers(65536);

  v1::TrainConfig& train = *config.mutable_train();
  train.set_steps(400);
  train.set_groups_per_step(8);
  train.set_updates_per_step(1);
  train.set_max_staleness(1);
  train.set_filter_zero_variance(true);
  train.set_image_loss("grpo_guard");
  train.set_image_clip(1e-3);
  train.set_text_clip_low(0.2);
  train.set_text_clip_high(0.28);
  train.set_image_kl_beta(1e-3);
  train.set_image_kl_form("velocity_mse");
  train.set_text_kl_beta(0.01);
  train.set_advantage_eps(1e-4);
  train.set_advantage_clamp(5);
  train.set_advantage_aggregation("sum_then_normalize");
  train.set_checkpoint_every(25);
  train.set_micro_batch(0);
  train.set_gradient_clip(1);
  train.set_max_nonfinite_steps(3);
  train.set_spool_mib(4096);
  train.set_image_divergence_limit(1e-5);
  train.set_text_ratio("token");
  train.set_text_dual_clip(3);
  train.set_text_kl_form("k3");
  train.set_text_aggregation("token_mean");
  train.mutable_text_correction()->set_mode("token_truncate");
  train.mutable_text_correction()->set_high(2);
  train.set_advantage_scale("group");
  train.set_mini_batches(1);
  train.mutable_lora()->set_alpha(32);
  config.mutable_model()->set_weights_dtype("fp32");
  for (v1::OptimizerConfig* optimizer : {train.mutable_image(), train.mutable_text()}) {
    optimizer->set_weight_decay(1e-4);
    optimizer->set_beta1(0.9);
    optimizer->set_beta2(0.999);
    optimizer->set_eps(1e-8);
    optimizer->set_warmup_steps(5);
    optimizer->set_cosine_floor(0.05);
  }
  train.mutable_image()->set_learning_rate(3e-4);
  for (const char* pattern : {"_moe_gen", "vae2llm", "llm2vae", "time_embedder"}) {
    train.mutable_image()->add_trainable(pattern);
  }
  train.mutable_text()->set_learning_rate(1e-4);
  for (const char* pattern : {"language_model.model.layers", "!_moe_gen"})
    train.mutable_text()->add_trainable(pattern);

  v1::CheckpointsConfig& checkpoints = *config.mutable_checkpoints();
  checkpoints.set_region("us-east-1");
  checkpoints.mutable_kept()->set_last(2);
  checkpoints.mutable_stored()->set_last(3);
  checkpoints.set_last_upload_seconds(300);

  v1::EvaluationConfig& evaluation = *config.mutable_evaluation();
  evaluation.set_every(50);
  evaluation.set_prompts_per_kind(60);
  evaluation.set_prompts_per_kind_between(20);
  evaluation.set_timesteps(10);
  evaluation.set_batch(60);

  v1::CoordinatorConfig& coordinator = *config.mutable_coordinator();
  coordinator.set_heartbeat_seconds(0.5);
  coordinator.set_member_timeout_seconds(5);
  coordinator.set_watchdog_seconds(60);
  coordinator.set_drain_grace_seconds(30);
  coordinator.set_max_unscorable_groups(32);

  v1::LocalConfig& local = *config.mutable_local();
  local.set_rollout_workers(2);
  local.set_reward_servers(1);
  local.set_threads_rollout(1);
  local.set_threads_reward(1);
  local.set_threads_learner(1);
  local.set_max_restarts(10);
  local.set_learner_ranks(1);
  local.set_silent_seconds(60);

  config.mutable_learner()->set_collective_timeout_seconds(60);
  config.mutable_learner()->set_device("cpu");

  config.mutable_weights()->set_transport("grpc");
  config.mutable_weights()->set_gather_seconds(5);

  config.mutable_rpc()->set_timeout_seconds(10);
  config.mutable_rpc()->set_max_message_mib(64);
  return config;
}

}  // namespace lvrpo
