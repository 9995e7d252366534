#include "algorithm/image_sampler.h"
#include "common/files/file.h"
#include "model/autoencoder.h"
#include "model/bagel.h"
#include "tests/parity/bagel_cases.h"
#include "tests/parity/parity.h"

namespace lvrpo::parity {
namespace {

absl::Status TextLogitsOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModel(c);
  if (!model.ok()) return model.status();
  const torch::Tensor ids = c.inputs.at("input_ids").to(torch::kInt64);
  std::vector<int64_t> lengths = {ids.size(0)};
  if (c.inputs.contains("seqlens")) {
    lengths.clear();
    for (const int32_t length : Ids(c.inputs.at("seqlens"))) lengths.push_back(length);
  }
  std::vector<torch::Tensor> hidden;
  int64_t begin = 0;
  for (const int64_t length : lengths) {
    KvCache cache;
    hidden.push_back(model->AppendTokens(cache, ids.narrow(0, begin, length).unsqueeze(0)).squeeze(0));
    begin += length;
  }
  report.Compare("hidden", torch::cat(hidden));
  report.Compare("logits", model->Logits(torch::cat(hidden)));
  return absl::OkStatus();
}

absl::Status TextLogProbOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModel(c);
  if (!model.ok()) return model.status();
  const KvCache context = Context(*model, c, "prompt_ids");
  const torch::Tensor response = c.inputs.at("response_ids").to(torch::kInt64).unsqueeze(0);
  report.Compare("logp",
                 model->ResponseLogProbs(context, response, c.params.value("temperature", 1.0)).squeeze(0));
  // Entropy of the same distributions: bos and the response but for its last token, after the context.
  KvCache cache = context;
  const torch::Tensor hidden = model->AppendTokens(
      cache,
      torch::cat(
          {response.new_full({1, 1}, model->config().bos), response.narrow(1, 0, response.size(1) - 1)}, 1));
  const torch::Tensor log_probs = torch::log_softmax(model->Logits(hidden).squeeze(0), -1);
  report.Compare("entropy", -(log_probs.exp() * log_probs).sum(-1));
  return absl::OkStatus();
}

absl::Status VelocityOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModel(c);
  if (!model.ok()) return model.status();
  const torch::Tensor t = torch::full({1}, c.params.at("t").get<double>(), c.options());
  report.Compare("v", model
                          ->Velocity(Context(*model, c, "prompt_ids"), c.inputs.at("x_t").unsqueeze(0), t,
                                     c.params.at("grid_h"), c.params.at("grid_w"))
                          .squeeze(0));
  return absl::OkStatus();
}

absl::Status VelocityBatchOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModel(c);
  if (!model.ok()) return model.status();
  const torch::Tensor t = torch::full({1}, c.params.at("t").get<double>(), c.options());
  for (size_t i = 0; i < c.params.at("grids").size(); ++i) {
    const std::string suffix = "_" + std::to_string(i);
    report.Compare("v" + suffix, model
                                     ->Velocity(Context(*model, c, "prompt_ids" + suffix),
                                                c.inputs.at("x_t" + suffix).unsqueeze(0), t,
                                                c.params["grids"][i][0], c.params["grids"][i][1])
                                     .squeeze(0));
  }
  return absl::OkStatus();
}

absl::Status VelocityGuidedOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModel(c);
  if (!model.ok()) return model.status();
  const auto guidance = Guidance(c.params);
  if (!guidance.ok()) return guidance.status();
  const torch::Tensor t = torch::full({1}, c.params.at("t").get<double>(), c.options());
  const torch::Tensor x = c.inputs.at("x_t").unsqueeze(0);
  const int64_t h = c.params.at("grid_h"), w = c.params.at("grid_w");
  const KvCache context = Context(*model, c, "prompt_ids");
  report.Compare("v", model->GuidedVelocity(context, KvCache(), context, x, t, h, w, *guidance).squeeze(0));
  report.Compare("v_cond", model->Velocity(context, x, t, h, w).squeeze(0));
  report.Compare("v_text_uncond", model->Velocity(KvCache(), x, t, h, w).squeeze(0));
  return absl::OkStatus();
}

absl::Status GenerateOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModel(c);
  if (!model.ok()) return model.status();
  const auto guidance = Guidance(c.params);
  if (!guidance.ok()) return guidance.status();
  const int64_t h = c.params.at("grid_h"), w = c.params.at("grid_w");
  const std::vector<float> timesteps = Timesteps(c.params.at("n"), c.params.at("shift"));
  report.Compare("timesteps", torch::tensor(timesteps));
  const VelocityFunction velocity =
      BagelVelocity(*model, Context(*model, c, "prompt_ids"), {h, w}, *guidance);
  const torch::Tensor noise = c.inputs.at("noise").unsqueeze(0);
  std::vector<torch::Tensor> states;  // before each step
  torch::Tensor x = noise;
  for (size_t i = 0; i + 1 < timesteps.size(); ++i) {
    states.push_back(x.squeeze(0));
    x = SampleLatents(velocity, x, {.timesteps = {timesteps[i], timesteps[i + 1]}}).final_latents;
  }
  report.Compare("x", torch::stack(states));
  const torch::Tensor latent = SampleLatents(velocity, noise, {.timesteps = timesteps}).final_latents;
  report.Compare("latent", latent.squeeze(0));
  auto tensors = LoadTensorsOf(c, "/ae.safetensors");
  if (!tensors.ok()) return tensors.status();
  const auto autoencoder = Autoencoder::Create(model->config().autoencoder, *std::move(tensors), c.model_dir);
  if (!autoencoder.ok()) return autoencoder.status();
  const torch::Tensor image = autoencoder->Decode(Unpatchify(latent, model->config().latent_patch, h, w));
  report.Compare("image", image);
  report.Compare("image_u8", ToUint8(image).squeeze(0));
  return absl::OkStatus();
}

void CompareGradients(const Bagel& model, const Case& c, Report& report) {
  nlohmann::json norms = nlohmann::json::object();
  for (const auto& [name, tensor] : model.tensors()) {
    const torch::Tensor gradient = tensor.grad().defined() ? tensor.grad() : torch::zeros_like(tensor);
    if (report.Expects("grad/" + name)) report.Compare("grad/" + name, gradient);
    if (c.expected_json.contains("grad_norm") && c.expected_json["grad_norm"].contains(name)) {
      norms[name] = gradient.to(torch::kFloat64).norm().item<double>();
    }
  }
  if (c.expected_json.contains("grad_norm")) report.CompareJson("grad_norm", norms);
}

torch::Tensor OptionalInput(const Case& c, const std::string& name) {
  const auto found = c.inputs.find(name);
  return found == c.inputs.end() ? torch::Tensor() : found->second;
}

// One SDE step's log-probability and the gradient of its loss ("<factor> * logp").
absl::Status TrainLogProbOp(const Case& c, Report& report) {
  const auto model = LoadModel(c);
  if (!model.ok()) return model.status();
  const auto guidance = Guidance(c.params);
  if (!guidance.ok()) return guidance.status();
  for (const auto& [name, tensor] : model->tensors()) torch::Tensor(tensor).set_requires_grad(true);
  KvCache context;
  {
    const torch::AutoGradMode with_prompt(c.params.at("prompt_grad").get<bool>());
    context = Context(*model, c, "prompt_ids");
  }
  const double t = c.params.at("t");
  const torch::Tensor x = c.inputs.at("x_t").unsqueeze(0);
  const torch::Tensor v =
      model->GuidedVelocity(context, KvCache(), context, x, torch::full({1}, t, c.options()),
                            c.params.at("grid_h"), c.params.at("grid_w"), *guidance);
  report.Compare("v", v.squeeze(0));
  const SdeStep step = MakeSdeStep(SdeKernel::kFlowSde, c.params.at("noise_level"), t, c.params.at("t_next"),
                                   c.params.at("t_1"));
  const torch::Tensor mean = SdeMean(step, x, v);
  report.Compare("mean", mean.squeeze(0));
  report.Compare("std", torch::tensor(step.std));
  const torch::Tensor logp = SdeLogProb(step, c.inputs.at("x_next").unsqueeze(0), mean).squeeze(0);
  report.Compare("logp", logp);
  double factor = 0;
  if (std::sscanf(c.params.at("loss").get<std::string>().c_str(), "%lf * logp", &factor) != 1)
    return absl::InvalidArgumentError("unknown loss");
  (factor * logp).backward();
  CompareGradients(*model, c, report);
  return absl::OkStatus();
}

absl::Status TrainVelocityOp(const Case& c, Report& report) {
  const auto model = LoadModel(c);
  if (!model.ok()) return model.status();
  for (const auto& [name, tensor] : model->tensors()) torch::Tensor(tensor).set_requires_grad(true);
  const torch::Tensor clean = c.inputs.at("latent_clean"), noise = c.inputs.at("noise");
  const double shift = c.params.at("timestep_shift");
  const torch::Tensor u = torch::sigmoid(c.inputs.at("timestep_logits"));
  const torch::Tensor t = shift * u / (1 + (shift - 1) * u);
  report.Compare("t", t);
  const torch::Tensor x_t = (1 - t).unsqueeze(1) * clean + t.unsqueeze(1) * noise;
  report.Compare("x_t", x_t);

  Bagel::Packed packed;
  packed.text_ids = c.inputs.at("packed_text_ids");
  packed.text_indexes = c.inputs.at("packed_text_indexes");
  packed.vit_patches = OptionalInput(c, "packed_vit_tokens");
  packed.vit_positions = OptionalInput(c, "packed_vit_position_ids");
  packed.vit_indexes = OptionalInput(c, "packed_vit_token_indexes");
  if (c.inputs.contains("vit_token_seqlens")) {
    for (const int32_t length : Ids(c.inputs.at("vit_token_seqlens"))) packed.vit_lengths.push_back(length);
  }
  packed.latents = x_t;
  packed.latent_times = t;
  packed.latent_positions = c.inputs.at("packed_latent_position_ids");
  packed.latent_indexes = c.inputs.at("packed_vae_token_indexes");
  packed.positions = c.inputs.at("packed_position_ids");
  packed.allowed = c.inputs.at("attention_allowed").to(torch::kBool);
  const torch::Tensor hidden = model->ForwardPacked(packed);
  report.Compare("hidden", hidden);

  const torch::Tensor velocity =
      model->OutputVelocity(hidden.index_select(0, c.inputs.at("mse_loss_indexes")));
  report.Compare("velocity", velocity);
  const torch::Tensor noisy = t.gt(0).nonzero().squeeze(1);
  report.Compare("mse", (velocity - (noise - clean).index_select(0, noisy)).square());
  torch::Tensor loss = (velocity * c.inputs.at("w")).sum();
  if (c.inputs.contains("ce_loss_indexes")) {
    const torch::Tensor log_probs =
        torch::log_softmax(model->Logits(hidden.index_select(0, c.inputs.at("ce_loss_indexes"))), -1);
    const torch::Tensor ce = -log_probs.gather(1, c.inputs.at("packed_label_ids").unsqueeze(1)).squeeze(1);
    report.Compare("ce", ce);
    loss = loss + ce.sum();
  }
  loss.backward();
  CompareGradients(*model, c, report);
  return absl::OkStatus();
}

}  // namespace

void RegisterBagelOps(Registry& registry) {
  registry["bagel/text_logits"] = TextLogitsOp;
  registry["bagel/text_logp"] = TextLogProbOp;
  registry["bagel/velocity"] = VelocityOp;
  registry["bagel/velocity_batch"] = VelocityBatchOp;
  registry["bagel/velocity_cfg"] = VelocityGuidedOp;
  registry["bagel/generate_ode"] = GenerateOp;
  registry["bagel/train_velocity"] = TrainVelocityOp;
  registry["bagel/train_logp"] = TrainLogProbOp;
  RegisterBagelContextOps(registry);
  RegisterSiglipOps(registry);
}

}  // namespace lvrpo::parity
