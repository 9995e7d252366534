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

// train.image_loss.
enum class ImageLossForm {
  kPpo,        // clipped surrogate + beta KL (zhtmike/flow_grpo:scripts/train_bagel.py)
  kGrpoGuard,  // centred, step-normalised ratio (flow_grpo:scripts/train_sd3_GRPO_Guard.py): gradients of
               // early and late steps have the same scale, where kPpo's are proportional to 1 / std
  kFlowDppo  // divergence instead of a ratio clip (verl-omni:verl_omni/trainer/diffusion/diffusion_algos.py)
};
inline constexpr Choice<ImageLossForm> kImageLossForms[] = {
    {"ppo", ImageLossForm::kPpo},
    {"grpo_guard", ImageLossForm::kGrpoGuard},
    {"flow_dppo", ImageLossForm::kFlowDppo, /*settable=*/false}};  // its threshold has no setting

// train.image_kl_form.
enum class ImageKlForm {
  kVelocityMse,  // mean (v - v_ref)^2: all t weigh alike
  kExact,        // mean (mean - mean_ref)^2 / 2 std^2: the Gaussian KL of the step
  kFlowGrpo      // as kExact with std^2 / -dt in place of std^2: what flow_grpo computes
};
inline constexpr Choice<ImageKlForm> kImageKlForms[] = {{"velocity_mse", ImageKlForm::kVelocityMse},
                                                        {"exact", ImageKlForm::kExact},
                                                        {"flow_grpo", ImageKlForm::kFlowGrpo}};

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
