#include "policy/learner_memory.h"

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/bagel.h"
#include "policy/contract.h"
#include "policy/run_policy.h"
#include "policy/sample_settings.h"

namespace lvrpo {
namespace {

constexpr int64_t kFp32 = 4;
constexpr int64_t kAssumedPrompt = 128;  // tokens
constexpr int64_t kKeptVersions = 2;     // WeightService

int64_t Elements(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

// Elements of a model's tensors by what the learner does with them.
struct Census {
  int64_t rest_frozen = 0, rest_trained = 0;      // outside of the layers
  int64_t layers_frozen = 0, layers_trained = 0;  // of all layers
  int64_t adapters = 0;                           // among the trained ones
  // Of one layer, in the halves that a pass uses.
  int64_t layer = 0, layer_trained = 0;
  int64_t half_trained = 0;     // of the half that has more
  int64_t largest_trained = 0;  // tensor
  // Of linear layers in fp32, in the order of the CPU's own product: of all, of one layer, of the rest.
  int64_t ordered = 0, ordered_layer = 0, ordered_rest = 0;
  int64_t trained() const { return rest_trained + layers_trained; }
};

Census CountTensors(const v1::RunConfig& config, const BagelConfig& model) {
  ShapeMap shapes = Bagel::ExpectedTensors(model);
  const std::optional<LoraConfig> lora = TrainedAdapters(config, shapes);
  if (lora.has_value()) shapes.merge(LoraShapes(shapes, *lora).value_or(ShapeMap()));
  const auto matches = [&](const std::string& name, const v1::OptimizerConfig& optimizer) {
    return MatchesPatterns(name, {optimizer.trainable().begin(), optimizer.trainable().end()});
  };
  Census census;
  std::array<int64_t, 2> halves = {};
  ShapeMap layer_shapes, rest_shapes;
  for (const auto& [name, shape] : shapes) {
    const int64_t count = Elements(shape);
    const bool trained = IsLoraName(name) == lora.has_value() &&
                         ((UsesImages(config) && matches(name, config.train().image())) ||
                          (UsesText(config) && matches(name, config.train().text())));
    const std::optional<int64_t> layer = Bagel::LayerOf(name);
    const bool used = UsesImages(config) || name.find("_moe_gen") == std::string::npos;
    if (!layer.has_value()) rest_shapes[name] = shape;
    if (layer == 0 && used) layer_shapes[name] = shape;
    if (layer == 0 && used) (trained ? census.layer_trained : census.layer) += count;
    if (trained && lora.has_value()) census.adapters += count;
    if (trained) census.largest_trained = std::max(census.largest_trained, count);
    if (trained && layer == 0) halves[name.find("_moe_gen") == std::string::npos ? 0 : 1] += count;
    int64_t& sum = layer.has_value() ? (trained ? census.layers_trained : census.layers_frozen)
                                     : (trained ? census.rest_trained : census.rest_frozen);
    sum += count;
  }
  census.layer += census.layer_trained;
  census.half_trained = std::max(halves[0], halves[1]);
  if (config.model().weights_dtype() == "bf16") return census;
  census.ordered = OrderedCopyBytes(shapes);
  census.ordered_layer = OrderedCopyBytes(layer_shapes);
  census.ordered_rest = OrderedCopyBytes(rest_shapes);
  return census;
}

// A layer's tensors that are alive when its recomputation has ended and its backward begins, per token: norms
// and residual streams (7 hidden), queries, keys and values before and after their rotation, the attention's
// output and its gathered rows, and gate, up, their product and its gradient, with those of gate and up.
int64_t LayerBytesPerToken(const BagelConfig& c, int64_t width) {
  const int64_t q = c.hidden, kv = c.kv_heads * c.head_dim();
  const int64_t mlp = c.mlp * (c.router.top_k ? c.router.experts_per_token : 1);
  return (7 * c.hidden + 2 * (q + 2 * kv) + 2 * q + 6 * mlp) * width;
}

}  // namespace

LearnerLoad LearnerLoadOf(const v1::RunConfig& config, const BagelConfig& model,
                          const PromptSource& prompts) {
  LearnerLoad load;
  if (UsesImages(config)) load.image_tokens = prompts.MostLatentTokens();
  for (const PromptSource::Prompt& prompt : prompts.images())
    load.image_context = std::max(load.image_context, static_cast<int64_t>(prompt.ids.size()) + 2);
  for (const PromptSource::Prompt& prompt : prompts.texts()) {
    if (!UsesText(config)) break;
    const int64_t context =
        TextContextTokens(static_cast<int64_t>(prompt.ids.size()), prompt.source_image.width,
                          prompt.source_image.height, config.rollout(), model);
    load.answer_tokens = config.rollout().max_text_tokens();
    load.text_context = std::max(load.text_context, context - load.answer_tokens);
  }
  return load;
}

absl::StatusOr<LearnerLoad> AssumedLoad(const v1::RunConfig& config, const BagelConfig& model) {
  LearnerLoad load;
  if (UsesImages(config)) {
    const int64_t side = config.rollout().image_size();
    const absl::StatusOr<LatentGrid> grid = LatentGridOf(side, side, model);
    if (!grid.ok()) return grid.status();
    load.image_tokens = grid->tokens();
    load.image_context = kAssumedPrompt + 2;
  }
  if (UsesText(config)) {
    load.text_context = model.vit_max_side * model.vit_max_side + 2 + kAssumedPrompt + 2;
    load.answer_tokens = config.rollout().max_text_tokens();
  }
  return load;
}

namespace {

// A plan in the making.
struct Sheet {
  const v1::RunConfig& config;
  const BagelConfig& model;
  const LearnerLoad& load;
  const int64_t ranks;
  const Census census = CountTensors(config, model);
  RoleMemory memory = {"learner", {}};

  bool sharded() const { return config.learner().sharded(); }
  bool has_kl() const { return config.train().image_kl_beta() > 0 || config.train().text_kl_beta() > 0; }
  int64_t width() const { return config.model().weights_dtype() == "bf16" ? 2 : kFp32; }
  void Add(const std::string& what, int64_t bytes, const std::string& how) {
    if (bytes > 0) memory.lines.push_back({what, bytes, how});
  }
  void AddState();
  void AddOfRankZero();
  void AddStepCopies(int64_t rank);
  void AddInUse();
  void AddActivations();
  // What an update needs above what is free again by then: `before` bytes of the lines.
  void AddOptimizer(int64_t before);
};

void Sheet::AddState() {
  const int64_t part = sharded() ? ranks : 1, trained = census.trained();
  const std::string by = part > 1 ? absl::StrCat(" / ", part, " ranks") : std::string();
  Add("weights outside of the layers", (census.rest_frozen + census.rest_trained) * width(),
      absl::StrCat(census.rest_frozen + census.rest_trained, " parameters, on every rank"));
  Add("frozen weights of the layers", census.layers_frozen * width() / part,
      absl::StrCat(census.layers_frozen, " parameters", by));
  // Trained tensors that are no adapters keep their frozen values for the reference.
  const int64_t replaced = trained - census.adapters;
  if (!sharded() || has_kl()) {
    Add("the reference's trained tensors", replaced * width() / part,
        absl::StrCat(replaced, " parameters before training", by));
  }
  Add("master weights", trained * kFp32 / part, absl::StrCat(trained, " parameters as F32", by));
  Add("gradients", trained * kFp32 / part, absl::StrCat("the same", by));
  Add("Adam's two moments", 2 * trained * kFp32 / part, absl::StrCat("the same, twice", by));
  if (const int64_t updates = config.train().updates_per_step(); updates > 1) {
    Add("weights and moments before the step", 3 * trained * kFp32 / part,
        absl::StrCat("train.updates_per_step is ", updates, by));
  }
}

void Sheet::AddOfRankZero() {
  if (sharded()) Add("trained tensors to publish", census.trained() * kFp32, "rank 0 only");
  Add("published versions", (kKeptVersions + 1) * census.trained() * kFp32,
      "two, and the one that is packed; rank 0 only");
}

// Of memory that the machine has, although not the process: learner.step_copies.
void Sheet::AddStepCopies(int64_t rank) {
  if (config.learner().step_copies().empty() || (rank > 0 && !sharded())) return;
  const bool neighbour = sharded() && ranks > 1;
  const int64_t of_a_step = 3 * census.trained() * kFp32 / (sharded() ? ranks : 1);
  Add("copies of steps", of_a_step * 2 * (neighbour ? 2 : 1),
      absl::StrCat("two, of master weights and moments",
                   neighbour ? ", with those of a rank on another machine" : ""));
}

void Sheet::AddInUse() {
  if (sharded()) {
    if (ranks > 1) Add("gathered layers", 2 * census.layer * width(), "the one that computes, and the next");
    const int64_t buffers = ranks > 1 ? 2 : 1;
    Add("a layer's gradients", (census.layer_trained + buffers * census.half_trained) * kFp32,
        "from the backward, a half of it as one buffer, and one on its way");
  }
  Add("weights in the CPU's order",
      sharded() ? 2 * (census.ordered_layer + census.ordered_rest) : (has_kl() ? 3 : 2) * census.ordered,
      "for forward and backward, on CPUs with AVX-512");
}

void Sheet::AddActivations() {
  const int64_t group = config.rollout().group_size();
  const int64_t micro = config.train().micro_batch() > 0 ? config.train().micro_batch() : group;
  const int64_t branches = config.rollout().cfg_scale() > 1 ? 2 : 1;
  const int64_t image =
      load.image_tokens > 0 ? std::min(micro, group) * branches * (load.image_tokens + 2) : 0;
  const int64_t text = group * load.answer_tokens, longest = std::max(image, text + load.text_context);
  const int64_t of_a_layer = longest * LayerBytesPerToken(model, width());
  if (sharded()) {
    Add("inputs of the layers", longest * 2 * model.hidden * width() * model.layers,
        absl::StrCat(longest, " tokens x 2 streams x ", model.layers, " layers"));
    Add("activations of a layer", of_a_layer, "recomputed in the backward");
  } else {
    Add("activations", of_a_layer * model.layers,
        absl::StrCat(longest, " tokens x ", model.layers, " layers"));
  }
  const int64_t kv_token = 2 * model.kv_heads * model.head_dim() * width();
  Add("keys and values", (load.image_context + text + load.text_context) * kv_token * model.layers,
      "of contexts, and of answers");
  Add("logits", text * model.vocabulary * kFp32 * 4,
      absl::StrCat(text, " tokens x ", model.vocabulary, ": logits, scaled, log-probs, a gradient"));
}

void Sheet::AddOptimizer(int64_t before) {
  constexpr int64_t kBytes = 16;  // an element: its gradient and its square in fp64
  const int64_t largest = sharded() ? census.half_trained / ranks : census.largest_trained;
  const int64_t free = memory.total() - before;
  Add("the gradient's norm", largest * kBytes - free, "of the largest part, more than is free by then");
}

}  // namespace

RoleMemory PlanLearner(const v1::RunConfig& config, const BagelConfig& model, const LearnerLoad& load,
                       int64_t ranks, int64_t rank) {
  Sheet sheet = {.config = config, .model = model, .load = load, .ranks = ranks};
  sheet.AddState();
  if (rank == 0) sheet.AddOfRankZero();
  sheet.AddStepCopies(rank);
  const int64_t kept = sheet.memory.total();
  sheet.AddInUse();
  sheet.AddActivations();
  sheet.AddOptimizer(kept);
  return std::move(sheet.memory);
}

absl::Status CheckMemory(const RoleMemory& needed, std::optional<int64_t> machine) {
  if (!machine.has_value() || needed.total() <= *machine) return absl::OkStatus();
  const auto largest =
      std::max_element(needed.lines.begin(), needed.lines.end(),
                       [](const MemoryLine& a, const MemoryLine& b) { return a.bytes < b.bytes; });
  const auto gigabytes = [](int64_t bytes) {
    return absl::StrFormat("%.1f GB", static_cast<double>(bytes) / 1e9);
  };
  return absl::FailedPreconditionError(absl::StrCat(
      "a rank of this run's learner needs ", gigabytes(needed.total()), " of memory, and this machine has ",
      gigabytes(*machine), "; most of it is ", largest->what, " (", gigabytes(largest->bytes),
      "): train fewer tensors or adapters (train.lora), or set learner.sharded and take more ranks; "
      "'lvrpo plan' shows all parts"));
}

}  // namespace lvrpo
