#pragma once

#include "common/choice.h"

// The settings of config.proto whose value is one of a few words. Validation and those who read a
// configuration use the same table.
namespace lvrpo {

// model.weights_dtype.
enum class WeightsDtype { kFp32, kBf16 };
inline constexpr Choice<WeightsDtype> kWeightsDtypes[] = {{"fp32", WeightsDtype::kFp32},
                                                          {"bf16", WeightsDtype::kBf16}};

// rollout.kernel.
enum class SdeKernel {
  kFlowSde,  // zhtmike/flow_grpo:flow_grpo/diffusers_patch/sd3_sde_with_logprob.py; noise level a
  kDance,    // XueZeyue/DanceGRPO:fastvideo/train_grpo_flux.py flux_step; noise level eta
  kCps       // coefficient-preserving sampling, the same file of flow_grpo; noise level a
};
inline constexpr Choice<SdeKernel> kSdeKernels[] = {
    {"flow_sde", SdeKernel::kFlowSde}, {"dance", SdeKernel::kDance}, {"cps", SdeKernel::kCps}};

// rollout.window_draw.
enum class WindowDraw {
  kRandom,  // a function of (run seed, group)
  kFixed,   // at the low end
  kSliding  // a function of the optimizer step (Tencent-Hunyuan/MixGRPO:fastvideo/utils/grpo_states.py)
};
inline constexpr Choice<WindowDraw> kWindowDraws[] = {
    {"random", WindowDraw::kRandom}, {"fixed", WindowDraw::kFixed}, {"sliding", WindowDraw::kSliding}};

// rollout.initial_noise.
enum class InitialNoise { kOwn, kShared };
inline constexpr Choice<InitialNoise> kInitialNoises[] = {{"own", InitialNoise::kOwn},
                                                          {"shared", InitialNoise::kShared}};

// train.image_loss.
enum class ImageLossForm {
  kPpo,        // clipped surrogate + beta KL (zhtmike/flow_grpo:scripts/train_bagel.py)
  kGrpoGuard,  // centred, step-normalised ratio (flow_grpo:scripts/train_sd3_GRPO_Guard.py): gradients of
               // early and late steps have the same scale, where kPpo's are proportional to 1 / std
  kFlowDppo  // divergence instead of a ratio clip (verl-omni:verl_omni/trainer/diffusion/diffusion_algos.py)
};
inline constexpr Choice<ImageLossForm> kImageLossForms[] = {{"ppo", ImageLossForm::kPpo},
                                                            {"grpo_guard", ImageLossForm::kGrpoGuard},
                                                            {"flow_dppo", ImageLossForm::kFlowDppo}};

// train.image_kl_form.
enum class ImageKlForm {
  kVelocityMse,  // mean (v - v_ref)^2: all t weigh alike
  kExact,        // mean (mean - mean_ref)^2 / 2 std^2: the Gaussian KL of the step
  kFlowGrpo      // as kExact with std^2 / -dt in place of std^2: what flow_grpo computes
};
inline constexpr Choice<ImageKlForm> kImageKlForms[] = {{"velocity_mse", ImageKlForm::kVelocityMse},
                                                        {"exact", ImageKlForm::kExact},
                                                        {"flow_grpo", ImageKlForm::kFlowGrpo}};

// train.text_ratio.
enum class RatioLevel {
  kToken,
  kSequence  // GSPO: one ratio per sequence, exp(mean of the token log ratios)
};
inline constexpr Choice<RatioLevel> kRatioLevels[] = {{"token", RatioLevel::kToken},
                                                      {"sequence", RatioLevel::kSequence}};

// train.text_kl_form, with d = log p_ref - log p: k1 = -d, k2 = d^2 / 2, k3 = e^d - d - 1
// (http://joschu.net/blog/kl-approx.html). None: what train.text_kl_beta of 0 means.
enum class TextKlForm { kNone, kK1, kK2, kK3 };
inline constexpr Choice<TextKlForm> kTextKlForms[] = {{"none", TextKlForm::kNone, /*settable=*/false},
                                                      {"k1", TextKlForm::kK1},
                                                      {"k2", TextKlForm::kK2},
                                                      {"k3", TextKlForm::kK3}};

// train.text_aggregation.
enum class Aggregation {
  kTokenMean,           // sum / active tokens
  kSeqMeanTokenMean,    // mean over sequences of the mean over their tokens
  kSeqMeanTokenSum,     // mean over sequences of the sum over their tokens
  kSeqMeanTokenSumNorm  // sum / (sequences * max_length)
};
inline constexpr Choice<Aggregation> kAggregations[] = {
    {"token_mean", Aggregation::kTokenMean},
    {"seq_mean_token_mean", Aggregation::kSeqMeanTokenMean},
    {"seq_mean_token_sum", Aggregation::kSeqMeanTokenSum},
    {"seq_mean_token_sum_norm", Aggregation::kSeqMeanTokenSumNorm}};

// train.text_correction.mode.
enum class CorrectionMode { kNone, kTokenTruncate, kTokenMask, kSequenceTruncate, kSequenceMask };
inline constexpr Choice<CorrectionMode> kCorrectionModes[] = {
    {"none", CorrectionMode::kNone},
    {"token_truncate", CorrectionMode::kTokenTruncate},
    {"token_mask", CorrectionMode::kTokenMask},
    {"sequence_truncate", CorrectionMode::kSequenceTruncate},
    {"sequence_mask", CorrectionMode::kSequenceMask}};

// train.advantage_scale.
enum class AdvantageScale {
  kGroup,  // divide by the group's standard deviation + eps
  kBatch,  // divide by that of all groups' rewards; the mean stays the group's
  kNone    // do not divide (Dr. GRPO)
};
inline constexpr Choice<AdvantageScale> kAdvantageScales[] = {
    {"group", AdvantageScale::kGroup}, {"batch", AdvantageScale::kBatch}, {"none", AdvantageScale::kNone}};

// train.advantage_aggregation.
enum class RewardAggregation {
  kSumThenNormalize,  // r = sum of weight_k r_k, normalised once
  kGdpo  // each component normalised inside the group, weighted sum, normalised over the batch (GDPO)
};
inline constexpr Choice<RewardAggregation> kRewardAggregations[] = {
    {"sum_then_normalize", RewardAggregation::kSumThenNormalize}, {"gdpo", RewardAggregation::kGdpo}};

// reward.grounding_*; reward_server/scorers/grounding.h says what they mean.
enum class GroundingForm { kMaxPatch, kTopKMean, kCountAware };
inline constexpr Choice<GroundingForm> kGroundingForms[] = {{"count_aware", GroundingForm::kCountAware},
                                                            {"max_patch", GroundingForm::kMaxPatch},
                                                            {"top_k_mean", GroundingForm::kTopKMean}};
enum class GroundingRegions { kSegments, kPeaks };
inline constexpr Choice<GroundingRegions> kGroundingRegions[] = {{"segments", GroundingRegions::kSegments},
                                                                 {"peaks", GroundingRegions::kPeaks}};
enum class GroundingDense { kMapHead, kTokens, kBox };
inline constexpr Choice<GroundingDense> kGroundingDense[] = {{"map_head", GroundingDense::kMapHead},
                                                             {"tokens", GroundingDense::kTokens},
                                                             {"box", GroundingDense::kBox}};
enum class GroundingCalibration { kCheckpoint, kCosine };
inline constexpr Choice<GroundingCalibration> kGroundingCalibrations[] = {
    {"checkpoint", GroundingCalibration::kCheckpoint}, {"cosine", GroundingCalibration::kCosine}};

// reward.instruction_form; reward_server/scorers/instruction.h.
enum class InstructionForm { kProduct, kMean };
inline constexpr Choice<InstructionForm> kInstructionForms[] = {{"product", InstructionForm::kProduct},
                                                                {"mean", InstructionForm::kMean}};

// weights.transport: how versions of the weights get to the workers.
enum class WeightTransport { kGrpc, kNccl };
inline constexpr Choice<WeightTransport> kWeightTransports[] = {{"grpc", WeightTransport::kGrpc},
                                                                {"nccl", WeightTransport::kNccl}};

// reward.image_transport: how a worker sends images to a reward server.
enum class ImageTransport { kRaw, kPng };
inline constexpr Choice<ImageTransport> kImageTransports[] = {{"raw", ImageTransport::kRaw},
                                                              {"png", ImageTransport::kPng}};

}  // namespace lvrpo
