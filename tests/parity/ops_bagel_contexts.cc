// Ops of the family `bagel` on longer contexts: decoding, understanding, editing, thinking.

#include "generation/text_engine.h"
#include "model/autoencoder.h"
#include "tests/parity/bagel_cases.h"

namespace lvrpo::parity {
namespace {

torch::Tensor ToTensor(const std::vector<int32_t>& ids) { return torch::tensor(ids).to(torch::kInt64); }

struct Greedy {
  std::vector<int32_t> queries;  // bos, then what was predicted, without the last prediction
  std::vector<int32_t> next;     // each query's prediction
  std::vector<float> log_probs;  // of the predictions
  std::vector<torch::Tensor> logits;
};

// Output of the text engine in at most `max_length` model calls; a predicted `end` ends it. The logits are
// those of the same queries appended to the context by themselves.
absl::StatusOr<Greedy> DecodeGreedily(const Bagel& model, const KvCache& context, int max_length,
                                      int32_t end) {
  const absl::StatusOr<TextSamples> samples =
      GenerateText(model,
                   {.context = context,
                    .start = model.config().bos,
                    .options = {.max_tokens = max_length, .temperature = 0, .eos = end},
                    .stop = {}},
                   0);
  if (!samples.ok()) return samples.status();
  Greedy result;
  result.next = samples->ids[0];
  result.log_probs = samples->log_probs[0];
  result.queries = {model.config().bos};
  result.queries.insert(result.queries.end(), result.next.begin(), result.next.end() - 1);
  KvCache cache = context;
  for (const int32_t query : result.queries)
    result.logits.push_back(
        model.Logits(model.AppendTokens(cache, ToTensor({query}).unsqueeze(0))).flatten());
  return result;
}

int32_t EndToken(const Case& c) {
  const auto& end = c.params.at("end_token_id");
  return end.is_null() ? -1 : end.get<int32_t>();
}

absl::Status CompareGreedy(const Bagel& model, const KvCache& context, const Case& c, Report& report) {
  const absl::StatusOr<Greedy> greedy =
      DecodeGreedily(model, context, c.params.at("max_length"), EndToken(c));
  if (!greedy.ok()) return greedy.status();
  report.Compare("sequence", ToTensor(greedy->queries));
  report.Compare("next_ids", ToTensor(greedy->next));
  report.Compare("next_logp", torch::tensor(greedy->log_probs));
  report.Compare("step_logits", torch::stack(greedy->logits));
  return absl::OkStatus();
}

absl::Status TextGreedyOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModel(c);
  if (!model.ok()) return model.status();
  return CompareGreedy(*model, Context(*model, c, "input_ids"), c, report);
}

// Images vit_image, or vit_image_0, vit_image_1, ... (of different sizes).
std::vector<torch::Tensor> Images(const Case& c) {
  std::vector<torch::Tensor> images;
  for (const auto& [name, tensor] : c.inputs) {
    if (name.starts_with("vit_image")) images.push_back(tensor.unsqueeze(0));
  }
  return images;
}

void CompareVision(const Bagel& model, const std::vector<torch::Tensor>& images, Report& report) {
  std::vector<torch::Tensor> patches, positions, hidden, connected;
  std::vector<int64_t> lengths;
  for (const torch::Tensor& image : images) {
    const int64_t p = model.config().vit_patch;
    patches.push_back(model.VitPatches(image).squeeze(0));
    positions.push_back(model.VitPositions(image.size(2) / p, image.size(3) / p));
    const torch::Tensor tokens = model.VitTokens(image);
    hidden.push_back(tokens.squeeze(0));
    connected.push_back(model.Connect(tokens).squeeze(0));
    lengths.push_back(tokens.size(1));
  }
  report.Compare("vit_hidden", torch::cat(hidden));
  if (report.Expects("vit_patches")) report.Compare("vit_patches", torch::cat(patches));
  if (report.Expects("vit_position_ids")) report.Compare("vit_position_ids", torch::cat(positions));
  if (report.Expects("vit_connected")) report.Compare("vit_connected", torch::cat(connected));
  if (report.Expects("vit_seqlens")) report.Compare("vit_seqlens", torch::tensor(lengths));
}

absl::Status VitFeaturesOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModel(c);
  if (!model.ok()) return model.status();
  CompareVision(*model, Images(c), report);
  return absl::OkStatus();
}

absl::Status UnderstandOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModel(c);
  if (!model.ok()) return model.status();
  CompareVision(*model, Images(c), report);
  KvCache context;
  for (const torch::Tensor& image : Images(c)) model->AppendImage(context, image);
  model->AppendTokens(context, c.inputs.at("question_ids").unsqueeze(0));
  return CompareGreedy(*model, context, c, report);
}

absl::Status EditVelocityOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModel(c);
  if (!model.ok()) return model.status();
  const auto guidance = Guidance(c.params);
  if (!guidance.ok()) return guidance.status();
  auto tensors = LoadTensorsOf(c, "/ae.safetensors");
  if (!tensors.ok()) return tensors.status();
  const auto autoencoder = Autoencoder::Create(model->config().autoencoder, *std::move(tensors), c.model_dir);
  if (!autoencoder.ok()) return autoencoder.status();
  const torch::Tensor latent =
      autoencoder->Normalize(autoencoder->Encode(c.inputs.at("vae_image").unsqueeze(0)).mean);
  report.Compare("source_latent", latent.squeeze(0));

  const int64_t p = model->config().latent_patch;
  KvCache source;
  model->AppendLatents(source, Patchify(latent, p), latent.size(2) / p, latent.size(3) / p);
  model->AppendImage(source, c.inputs.at("vit_image").unsqueeze(0));
  KvCache full = source;
  model->AppendTokens(full, c.inputs.at("instruction_ids").unsqueeze(0));
  const KvCache instruction = Context(*model, c, "instruction_ids");
  report.Compare("kv_len", torch::tensor({full.length()}));
  report.Compare("rope", full.next_position);

  const torch::Tensor t = torch::full({1}, c.params.at("t").get<double>(), c.options());
  const torch::Tensor x = c.inputs.at("x_t").unsqueeze(0);
  const int64_t h = c.params.at("grid_h"), w = c.params.at("grid_w");
  report.Compare("v", model->GuidedVelocity(full, source, instruction, x, t, h, w, *guidance).squeeze(0));
  report.Compare("v_cond", model->Velocity(full, x, t, h, w).squeeze(0));
  report.Compare("v_text_uncond", model->Velocity(source, x, t, h, w).squeeze(0));
  report.Compare("v_img_uncond", model->Velocity(instruction, x, t, h, w).squeeze(0));
  return absl::OkStatus();
}

absl::Status ThinkThenImageOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModel(c);
  if (!model.ok()) return model.status();
  const auto guidance = Guidance(c.params);
  if (!guidance.ok()) return guidance.status();
  const KvCache system = Context(*model, c, "system_ids");
  KvCache texts = system;
  model->AppendTokens(texts, c.inputs.at("prompt_ids").unsqueeze(0));
  const absl::StatusOr<Greedy> thought =
      DecodeGreedily(*model, texts, c.params.at("max_think"), model->config().eos);
  if (!thought.ok()) return thought.status();
  report.Compare("think_sequence", ToTensor(thought->queries));
  // The thought joins the context as a text segment, ended whether or not it ended itself.
  std::vector<int32_t> segment = thought->queries;
  segment.push_back(model->config().eos);
  report.Compare("think_ids", ToTensor(segment));
  KvCache full = texts;
  model->AppendTokens(full, ToTensor(segment).unsqueeze(0));
  report.Compare("rope", full.next_position);

  const torch::Tensor t = torch::full({1}, c.params.at("t").get<double>(), c.options());
  const torch::Tensor x = c.inputs.at("x_t").unsqueeze(0);
  const int64_t h = c.params.at("grid_h"), w = c.params.at("grid_w");
  report.Compare("v_cond", model->Velocity(full, x, t, h, w).squeeze(0));
  report.Compare("v", model->GuidedVelocity(full, system, texts, x, t, h, w, *guidance).squeeze(0));
  return absl::OkStatus();
}

}  // namespace

void RegisterBagelContextOps(Registry& registry) {
  registry["bagel/text_greedy"] = TextGreedyOp;
  registry["bagel/understand"] = UnderstandOp;
  registry["bagel/vit_features"] = VitFeaturesOp;
  registry["bagel/edit_velocity"] = EditVelocityOp;
  registry["bagel/think_then_image"] = ThinkThenImageOp;
}

}  // namespace lvrpo::parity
