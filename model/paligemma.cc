#include "model/paligemma.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/weights/load_folder.h"
#include "model/weights/moved.h"
#include "model/weights/random_init.h"

namespace lvrpo {
namespace {

constexpr char kVision[] = "vision_tower.vision_model.", kText[] = "language_model.";
constexpr char kProjector[] = "multi_modal_projector.linear";

// The head is the embedding table; some savers keep it, and constant buffers.
bool IsUnused(const std::string& name) {
  return name == "language_model.lm_head.weight" || absl::EndsWith(name, ".position_ids") ||
         absl::EndsWith(name, ".rotary_emb.inv_freq");
}

}  // namespace

absl::StatusOr<PaliGemmaConfig> PaliGemmaConfig::FromJson(const nlohmann::json& json,
                                                          const std::string& source) {
  const std::string type = ModelTypeOf(json);
  if (!type.empty() && type != "paligemma" && type != "PaliGemmaForConditionalGeneration") {
    return absl::InvalidArgumentError(
        absl::StrCat(source, " describes a model of type ", type, ", where a paligemma is wanted"));
  }
  PaliGemmaConfig config;
  ConfigReader reader(json, source);
  for (const char* key : {"vision_config", "text_config"}) {
    if (!reader.Has(key)) reader.Problem(key, "is missing");
  }
  ReadCommonSettings(reader);
  reader.OneOf("model_type", {"paligemma"});
  // Our ids never include the image token; old files' vocabulary is in text_config.
  reader.Harmless({"image_token_index", "image_token_id", "_vocab_size", "vocab_size"});
  bool tied = true;
  reader.Flag("tie_word_embeddings", tied);
  if (!tied) reader.Problem("tie_word_embeddings", "is false, which is not supported");
  ConfigReader vision(reader.Object("vision_config"), absl::StrCat(source, ": vision_config"));
  ConfigReader text(reader.Object("text_config"), absl::StrCat(source, ": text_config"));
  config.text.ReadFrom(text);
  vision.OneOf("model_type", {"siglip_vision_model"});
  vision.Integer("hidden_size", config.vision.width);
  vision.Integer("num_hidden_layers", config.vision.layers);
  vision.Integer("num_attention_heads", config.vision.heads);
  vision.Integer("intermediate_size", config.vision.mlp);
  vision.Number("layer_norm_eps", config.vision.eps);
  vision.OneOf("hidden_act", {"gelu_pytorch_tanh"});
  vision.Integer("image_size", config.image_size);
  vision.Integer("patch_size", config.patch_size);
  vision.Exactly("num_channels", 3);
  vision.Never("vision_use_head");
  vision.Harmless({"projector_hidden_act", "tie_word_embeddings"});  // the projector is one linear layer
  ReadCommonSettings(vision);
  if (config.text.hidden > 0) {
    for (ConfigReader* each : {&reader, &vision}) each->Exactly("projection_dim", config.text.hidden);
    reader.Exactly("hidden_size", config.text.hidden);
  }
  if (config.patch_size > 0) {
    for (ConfigReader* each : {&vision, &text}) each->Exactly("num_image_tokens", config.image_tokens());
  }
  for (ConfigReader* each : {&reader, &vision, &text}) each->RefuseUnknown();
  for (const ConfigReader* each : {&reader, &vision, &text}) {
    if (absl::Status status = each->status(); !status.ok()) return status;
  }
  if (const std::string problem = config.SizeProblem(); !problem.empty())
    return absl::InvalidArgumentError(absl::StrCat(source, ": ", problem));
  return config;
}

std::string PaliGemmaConfig::SizeProblem() const {
  constexpr int64_t kWidest = int64_t{1} << 16;
  const SiglipTowerConfig& v = vision;
  if (v.width < 1 || v.width > kWidest || v.heads < 1 || v.width % v.heads != 0 || v.layers < 1 ||
      v.layers > 512 || v.mlp < 1 || v.mlp > kWidest || !(v.eps > 0)) {
    return absl::StrCat("vision_config: sizes out of range or inconsistent: hidden_size ", v.width,
                        ", num_hidden_layers ", v.layers, ", num_attention_heads ", v.heads,
                        ", intermediate_size ", v.mlp, ", layer_norm_eps ", v.eps);
  }
  if (patch_size < 1 || image_size < patch_size || image_size > kWidest || grid() > 4096)
    return absl::StrCat("vision_config: patch_size ", patch_size, " does not fit image_size ", image_size);
  const std::string problem = text.SizeProblem();
  return problem.empty() ? "" : "text_config: " + problem;
}

nlohmann::json PaliGemmaConfig::ToJson() const {
  return {{"architectures", {"PaliGemmaForConditionalGeneration"}},
          {"model_type", "paligemma"},
          {"projection_dim", text.hidden},
          {"text_config", text.ToJson()},
          {"vision_config",
           {{"model_type", "siglip_vision_model"},
            {"hidden_act", "gelu_pytorch_tanh"},
            {"hidden_size", vision.width},
            {"num_hidden_layers", vision.layers},
            {"num_attention_heads", vision.heads},
            {"intermediate_size", vision.mlp},
            {"layer_norm_eps", vision.eps},
            {"image_size", image_size},
            {"patch_size", patch_size},
            {"projection_dim", text.hidden},
            {"vision_use_head", false}}}};
}

ShapeMap PaliGemma::ExpectedTensors(const PaliGemmaConfig& c) {
  const int64_t d = c.vision.width;
  ShapeMap shapes;
  const std::string vision = kVision, projector = kProjector;
  shapes[vision + "embeddings.patch_embedding.weight"] = {d, 3, c.patch_size, c.patch_size};
  shapes[vision + "embeddings.patch_embedding.bias"] = {d};
  shapes[vision + "embeddings.position_embedding.weight"] = {c.image_tokens(), d};
  for (int64_t i = 0; i < c.vision.layers; ++i)
    SiglipEncoder::AddLayer(shapes, absl::StrCat(vision, "encoder.layers.", i, "."), d, c.vision.mlp);
  shapes[vision + "post_layernorm.weight"] = {d};
  shapes[vision + "post_layernorm.bias"] = {d};
  shapes[projector + ".weight"] = {c.text.hidden, d};
  shapes[projector + ".bias"] = {c.text.hidden};
  Gemma::AddShapes(shapes, c.text, kText);
  return shapes;
}

TensorMap PaliGemma::RandomInit(const PaliGemmaConfig& config, uint64_t seed) {
  TensorMap tensors = InitByFanIn(ExpectedTensors(config), seed);
  for (auto& [name, tensor] : tensors) {  // Gemma's norms multiply by 1 + weight
    if (absl::StartsWith(name, kText) && tensor.dim() == 1) tensor.zero_();
  }
  return tensors;
}

PaliGemma::PaliGemma(PaliGemmaConfig config, TensorMap tensors)
    : config_(std::move(config)),
      tensors_(std::move(tensors)),
      vision_(tensors_, absl::StrCat(kVision, "encoder.layers."), config_.vision.layers, config_.vision.heads,
              config_.vision.eps),
      projector_(tensors_, {kProjector}),
      text_(config_.text, tensors_, kText) {}

absl::StatusOr<PaliGemma> PaliGemma::Create(PaliGemmaConfig config, TensorMap tensors,
                                            const std::string& source) {
  if (const std::string problem = config.SizeProblem(); !problem.empty())
    return absl::InvalidArgumentError(absl::StrCat(source, ": ", problem));
  std::erase_if(tensors, [](const auto& entry) { return IsUnused(entry.first); });
  if (absl::Status status = CheckWeights(ExpectedTensors(config), tensors, source); !status.ok())
    return status;
  return PaliGemma(std::move(config), std::move(tensors));
}

absl::StatusOr<PaliGemma> PaliGemma::Load(const std::string& folder, const WeightReadOptions& options) {
  return LoadFolder<PaliGemma, PaliGemmaConfig>(
      folder, options, [](const PaliGemmaConfig&, StoredWeights& weights) { weights.Drop(IsUnused); });
}

torch::Tensor PaliGemma::ImageTokens(const torch::Tensor& pixels) const {
  const std::string vision = kVision;
  const torch::Tensor patches =
      torch::conv2d(pixels.to(DeviceOf(tensors_)), tensors_.at(vision + "embeddings.patch_embedding.weight"),
                    tensors_.at(vision + "embeddings.patch_embedding.bias"), config_.patch_size);
  const torch::Tensor x =
      patches.flatten(2).transpose(1, 2) + tensors_.at(vision + "embeddings.position_embedding.weight");
  return projector_(LayerNorm(vision_(x), tensors_, vision + "post_layernorm", config_.vision.eps));
}

PaliGemma::Prefix PaliGemma::ReadPrefix(const torch::Tensor& image_tokens, const torch::Tensor& text,
                                        const torch::Tensor& lengths) const {
  const torch::Tensor ids = text.to(DeviceOf(tensors_));
  const int64_t batch = ids.size(0), image = image_tokens.size(1), tokens = image + ids.size(1);
  // Text is scaled when it is embedded, the image is not.
  const torch::Tensor x = torch::cat({image_tokens.expand({batch, -1, -1}), text_.Embed(ids)}, 1);
  const torch::Tensor place = torch::arange(tokens, ids.options()).unsqueeze(0);   // [1, N + L]
  const torch::Tensor ends = lengths.to(DeviceOf(tensors_)).unsqueeze(1) + image;  // [B, 1]
  Prefix prefix;
  prefix.cache.valid = place < ends;  // [B, N + L]
  const torch::Tensor hidden =
      text_.Append(prefix.cache, x, place + 1, prefix.cache.valid.unsqueeze(1).expand({-1, tokens, -1}));
  prefix.cache.next_position = ends.squeeze(1) + 1;
  prefix.hidden = hidden.gather(1, (ends - 1).unsqueeze(2).expand({-1, 1, config_.text.hidden})).squeeze(1);
  return prefix;
}

torch::Tensor PaliGemma::Logits(const torch::Tensor& hidden) const { return text_.Logits(hidden); }

torch::Tensor PaliGemma::SuffixLogProbs(const Prefix& prefix, const torch::Tensor& answer,
                                        const torch::Tensor& lengths) const {
  const torch::Tensor ids = answer.to(DeviceOf(tensors_));
  const int64_t batch = ids.size(0), read = ids.size(1) - 1;  // the last token predicts nothing
  torch::Tensor hidden = prefix.hidden.unsqueeze(1);          // [B, 1, H]
  if (read > 0) {
    KvCache cache = prefix.cache;
    const torch::Tensor own = torch::ones({read, read}, cache.valid.options()).tril();
    const torch::Tensor mask = torch::cat(
        {cache.valid.unsqueeze(1).expand({batch, read, -1}), own.unsqueeze(0).expand({batch, -1, -1})}, 2);
    const torch::Tensor positions =
        cache.next_position.unsqueeze(1) + torch::arange(read, ids.options()).unsqueeze(0);
    const torch::Tensor more = text_.Append(cache, text_.Embed(ids.narrow(1, 0, read)), positions, mask);
    hidden = torch::cat({hidden, more}, 1);  // [B, M, H]
  }
  const torch::Tensor log_probs =
      torch::log_softmax(Logits(hidden), -1).gather(2, ids.unsqueeze(2)).squeeze(2);
  if (!lengths.defined()) return log_probs;
  const torch::Tensor place = torch::arange(ids.size(1), ids.options()).unsqueeze(0);
  return log_probs.masked_fill(place >= lengths.to(DeviceOf(tensors_)).unsqueeze(1), 0);
}

absl::StatusOr<std::vector<int64_t>> PaliGemmaPrefixIds(const Tokenizer& tokenizer,
                                                        absl::string_view question) {
  if (tokenizer.bos() < 0) return absl::FailedPreconditionError("the tokenizer has no <bos>");
  std::vector<int64_t> ids = {tokenizer.bos()};
  for (const absl::string_view text : {question, absl::string_view("\n")}) {
    const absl::StatusOr<std::vector<int32_t>> part = tokenizer.Encode(text);
    if (!part.ok()) return part.status();
    ids.insert(ids.end(), part->begin(), part->end());
  }
  return ids;
}

}  // namespace lvrpo
