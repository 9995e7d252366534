#include "policy/learner_memory.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "policy/contract.h"
#include "policy/layer_activations.h"
#include "policy/sample_settings.h"
#include "policy/tensor_census.h"

namespace lvrpo {
namespace {

constexpr int64_t kFp32 = 4;
constexpr int64_t kAssumedPrompt = 128;  // tokens
constexpr int64_t kKeptVersions = 2;     // WeightService

absl::Status CheckPositions(int64_t context, const BagelConfig& model) {
  if (context <= model.max_positions) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the settings allow a context of ", context,
                                                 " tokens; the model's longest is ", model.max_positions));
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
  load.casts = config.model().weights_dtype() != "bf16";
  absl::Status status;
  if (UsesImages(config)) {
    if (absl::Status size = CheckImageSize(config.rollout(), model); !size.ok()) return size;
    const int64_t side = config.rollout().image_size();
    const LatentGrid grid = *LatentGridOf(side, side, model);
    load.image_tokens = grid.tokens();
    load.image_context = kAssumedPrompt + 2;
    status.Update(CheckPositions(ImageContextTokens(kAssumedPrompt, grid), model));
  }
  if (UsesText(config)) {
    const int64_t side = model.vit_max_side * model.vit_patch,
                  context = TextContextTokens(kAssumedPrompt, side, side, config.rollout(), model);
    load.answer_tokens = config.rollout().max_text_tokens();
    load.text_context = context - load.answer_tokens;
    status.Update(CheckPositions(context, model));
  }
  if (!status.ok()) return status;
  return load;
}

namespace {

// A plan in the making.
struct Sheet {
  Sheet(const v1::RunConfig& run, const BagelConfig& bagel, const LearnerLoad& groups,
        const TensorCensus& tensors, int64_t learner_ranks)
      : config(run), model(bagel), load(groups), census(tensors), ranks(learner_ranks) {}

  const v1::RunConfig& config;
  const BagelConfig& model;
  const LearnerLoad& load;
  const TensorCensus census;
  const int64_t ranks;
  RoleMemory memory = {"learner", {}};

  bool sharded() const { return config.learner().sharded(); }
  bool ordered() const { return config.learner().ordered_sums(); }
  bool has_kl() const { return config.train().image_kl_beta() > 0 || config.train().text_kl_beta() > 0; }
  int64_t width() const { return config.model().weights_dtype() == "bf16" ? 2 : kFp32; }
  // Where a rank computes, and where its masters are.
  MemoryPlace device() const {
    return config.learner().device() == "cpu" ? MemoryPlace::kHost : MemoryPlace::kDevice;
  }
  MemoryPlace masters() const { return config.learner().offload() ? MemoryPlace::kHost : device(); }
  // Of `bytes` of all ranks this rank's, and how to say it.
  int64_t Part(int64_t bytes) const { return sharded() ? bytes / ranks : bytes; }
  std::string By() const { return sharded() && ranks > 1 ? absl::StrCat(" / ", ranks, " ranks") : ""; }
  // Bytes of a token's keys and values, in all layers.
  int64_t KvToken() const { return 2 * model.kv_heads * model.head_dim() * width() * model.layers; }
  int64_t OwnGroups() const { return (config.train().groups_per_step() + ranks - 1) / ranks; }

  void Add(const std::string& what, int64_t bytes, const std::string& how, MemoryPlace place) {
    if (bytes > 0) memory.lines.push_back({what, bytes, how, place});
  }
  void Add(const std::string& what, int64_t bytes, const std::string& how) {
    Add(what, bytes, how, device());
  }
  // What is needed at another time than all that was added to the place after its first `before` bytes.
  void AddInstead(const std::string& what, int64_t bytes, const std::string& how, MemoryPlace place,
                  int64_t before) {
    Add(what, bytes - (memory.total(place) - before), how, place);
  }

  void AddWeights();
  void AddState();
  void AddOfRankZero();
  void AddStepCopies(int64_t rank);
  // Through the whole step.
  void AddCaches();
  // While gradients are computed.
  void AddGathered();
  void AddActivations();
  // What sums and the optimizer need above what is free again by then: the lines after these bytes.
  void AddUpdate(int64_t device_before, int64_t masters_before);
  // The same of loading.
  void AddLoading(int64_t host_before, int64_t device_before);
};

void Sheet::AddWeights() {
  const TensorCount &rest = census.rest, &layers = census.layers;
  // Whole fp32 ranks compute with the masters themselves; sharded ones with copies.
  const int64_t computed = sharded() ? rest.WeightBytes(width()) : rest.frozen * width();
  Add("weights outside of the layers", computed,
      absl::StrCat(rest.frozen + (sharded() ? rest.trained() : 0), " parameters, on every rank"));
  Add("frozen weights of the layers", Part(layers.frozen * width()),
      absl::StrCat(layers.frozen, " parameters", By()));
  // Sharded without a KL the reference needs no layers.
  const bool all = !sharded() || has_kl();
  Add("the reference's trained tensors",
      rest.replaced * width() + (all ? Part(layers.replaced * width()) : 0),
      absl::StrCat(rest.replaced + (all ? layers.replaced : 0), " parameters before training", By()));
}

void Sheet::AddState() {
  const int64_t trained = census.trained();
  Add("master weights", Part(trained * kFp32), absl::StrCat(trained, " parameters as F32", By()), masters());
  Add("gradients", Part(trained * kFp32), absl::StrCat("the same", By()));
  if (masters() != device()) Add("gradients for the optimizer", Part(trained * kFp32), "copies", masters());
  Add("Adam's two moments", Part(2 * trained * kFp32), absl::StrCat("the same, twice", By()), masters());
  const int64_t updates = int64_t{config.train().updates_per_step()} * config.train().mini_batches();
  if (updates > 1) {
    Add("weights and moments before the step", Part(3 * trained * kFp32),
        absl::StrCat(updates, " updates in a step", By()), masters());
  }
  if (sharded()) {
    Add("moments of a checkpoint that is written", Part(2 * trained * kFp32), absl::StrCat("copied", By()),
        MemoryPlace::kHost);
  }
  if (!ordered()) return;
  // Whole ranks keep those of their groups, sharded ones their part of all groups'.
  const int64_t groups = sharded() ? config.train().groups_per_step() : OwnGroups();
  Add("gradients by group", groups * Part(trained * kFp32),
      absl::StrCat(groups, " groups, for learner.ordered_sums", By()));
}

void Sheet::AddOfRankZero() {
  const int64_t trained = census.trained() * kFp32;
  if (sharded()) Add("trained tensors to publish", trained, "rank 0 only", MemoryPlace::kHost);
  Add("published versions", (kKeptVersions + 1) * trained, "two, and the one that is packed; rank 0 only",
      MemoryPlace::kHost);
  Add("a checkpoint that is written", (sharded() ? 1 : 3) * trained,
      absl::StrCat(sharded() ? "weights" : "weights and moments", ", copied; rank 0 only"),
      MemoryPlace::kHost);
}

// Of memory that the machine has, although not the process: learner.step_copies.
void Sheet::AddStepCopies(int64_t rank) {
  if (config.learner().step_copies().empty() || (rank > 0 && !sharded())) return;
  const bool neighbour = sharded() && ranks > 1;
  const int64_t of_a_step = 3 * census.trained() * kFp32 / (sharded() ? ranks : 1);
  Add("copies of steps", of_a_step * 2 * (neighbour ? 2 : 1),
      absl::StrCat("two, of master weights and moments",
                   neighbour ? ", with those of a rank on another machine" : ""),
      MemoryPlace::kHost);
}

void Sheet::AddCaches() {
  // Sharded ranks prepack a layer at a time, and what is outside of the layers.
  if (config.learner().device() == "cpu") {
    Add("weights in the CPU's order",
        sharded() ? 2 * (census.packed_layer + census.packed_rest) : (has_kl() ? 3 : 2) * census.packed,
        "for forward and backward, on CPUs with AVX-512");
  }
  const int64_t models = config.train().image_kl_beta() > 0 ? 2 : 1;
  Add("keys and values of prompts", OwnGroups() * models * load.image_context * KvToken(),
      absl::StrCat("of images, ", OwnGroups(), " groups"));
}

void Sheet::AddGathered() {
  if (sharded()) {
    // One rank has the parts as they are, but for masters in another dtype or memory.
    const TensorCount& layer = census.layer;
    const bool apart = masters() != device();
    const int64_t cast =
        (width() < kFp32 || apart ? layer.replaced * width() : 0) + (apart ? layer.adapters * kFp32 : 0);
    Add("gathered layers", 2 * (ranks > 1 ? layer.WeightBytes(width()) : cast),
        "the one that computes, and the next");
    const int64_t buffers = ranks == 1 ? 1 : ordered() ? 1 + ranks : 2;
    Add("a layer's gradients",
        layer.replaced * width() + layer.adapters * kFp32 + buffers * census.half_trained * kFp32,
        "from the backward, a half of it as one buffer, and what the ranks exchange of it");
    Add("gradients outside of the layers", census.rest.trained() * kFp32,
        "of a group's passes, on every rank");
  }
}

void Sheet::AddActivations() {
  const int64_t group = config.rollout().group_size();
  const int64_t micro = config.train().micro_batch() > 0 ? config.train().micro_batch() : group;
  const int64_t branches = config.rollout().cfg_scale() > 1 ? 2 : 1;
  const int64_t rows = load.image_tokens > 0 ? std::min(micro, group) * branches : 0;
  const int64_t image = rows * (load.image_tokens + 2), text = group * load.answer_tokens;
  const int64_t longest = std::max(image, text + load.text_context);
  const LayerActivations token = LayerActivationsOf(model, width(), census.layers.adapters > 0);
  // The prompt's keys and values, in front of each image's.
  const int64_t past = rows * load.image_context * 2 * model.kv_heads * model.head_dim() * width();
  if (sharded()) {
    Add("inputs of the layers", longest * 2 * model.hidden * width() * model.layers,
        absl::StrCat(longest, " tokens x 2 streams x ", model.layers, " layers"));
    Add("activations of a layer", longest * (token.kept + token.passing) + past,
        "recomputed in the backward");
  } else {
    Add("activations", (longest * token.kept + past) * model.layers,
        absl::StrCat(longest, " tokens x ", model.layers, " layers"));
    Add("a layer's activations' gradients", longest * token.passing, "of the layer whose backward runs");
  }
  Add("keys and values of answers",
      (load.text_context + group * (load.text_context + load.answer_tokens)) * KvToken(),
      absl::StrCat("of a question, and before each of ", group, " answers"));
  Add("logits", text * model.vocabulary * kFp32 * 4,
      absl::StrCat(text, " tokens x ", model.vocabulary, ": logits, scaled, log-probs, a gradient"));
}

void Sheet::AddUpdate(int64_t device_before, int64_t masters_before) {
  if (!sharded() && (ranks > 1 || ordered())) {
    // Ordered, the gradients are in the groups' buffers by then.
    const int64_t buffers = ordered() && ranks == 1 ? 0 : 1;
    AddInstead("gradients as one buffer", buffers * census.trained() * kFp32,
               "summed over ranks when activations are gone", device(), device_before);
  }
  constexpr int64_t kBytes = 16;  // an element: its gradient and its square in fp64
  const int64_t largest =
      sharded() ? std::max(census.half_trained, census.rest.trained()) / ranks : census.largest_trained;
  AddInstead("the gradient's norm", largest * kBytes, "of the largest part, more than is free by then",
             masters(), masters() == device() ? device_before : masters_before);
}

void Sheet::AddLoading(int64_t host_before, int64_t device_before) {
  if (!sharded()) return;  // a whole rank keeps all of it
  const int64_t whole = census.rest.WeightBytes(width()) + census.layers.WeightBytes(width());
  const std::string what = "the model while it loads";
  if (load.casts)  // files of the run's dtype are mapped (LoadRunPolicy)
    AddInstead(what, whole, "cast as a whole: its files hold another dtype", MemoryPlace::kHost, host_before);
  if (device() == MemoryPlace::kDevice)
    AddInstead(what, whole, "until the rank has taken its part", device(), device_before);
}

}  // namespace

absl::StatusOr<RoleMemory> PlanLearner(const v1::RunConfig& config, const BagelConfig& model,
                                       const LearnerLoad& load, int64_t ranks, int64_t rank) {
  const absl::StatusOr<TensorCensus> census = CountTensors(config, model);
  if (!census.ok()) return census.status();
  Sheet sheet(config, model, load, *census, ranks);
  sheet.AddWeights();
  // What a rank takes of the model that it has loaded.
  const int64_t masters_there = sheet.masters() == sheet.device() ? sheet.Part(census->trained() * kFp32) : 0;
  const int64_t taken = sheet.memory.total(sheet.device()) + masters_there;
  sheet.AddState();
  if (rank == 0) sheet.AddOfRankZero();
  sheet.AddStepCopies(rank);
  sheet.AddCaches();
  const int64_t device = sheet.memory.total(sheet.device()), masters = sheet.memory.total(sheet.masters()),
                host = sheet.memory.total(MemoryPlace::kHost);
  sheet.AddGathered();
  sheet.AddActivations();
  sheet.AddUpdate(device, masters);
  sheet.AddLoading(host, taken);
  return std::move(sheet.memory);
}

namespace {

std::string Gigabytes(int64_t bytes) { return absl::StrFormat("%.1f GB", static_cast<double>(bytes) / 1e9); }

absl::Status CheckPlace(const RoleMemory& needed, MemoryPlace place, std::optional<int64_t> has) {
  const int64_t total = needed.total(place);
  if (!has.has_value() || total <= *has) return absl::OkStatus();
  const auto bytes = [place](const MemoryLine& line) { return line.place == place ? line.bytes : 0; };
  const auto largest =
      std::max_element(needed.lines.begin(), needed.lines.end(),
                       [&](const MemoryLine& a, const MemoryLine& b) { return bytes(a) < bytes(b); });
  const bool device = place == MemoryPlace::kDevice;
  return absl::FailedPreconditionError(absl::StrCat(
      "a rank of this run's learner needs ", Gigabytes(total), " of ", device ? "its device's " : "",
      "memory, and ", device ? "the device" : "this machine", " has ", Gigabytes(*has), "; most of it is ",
      largest->what, " (", Gigabytes(largest->bytes),
      "): train fewer tensors or adapters (train.lora), or set learner.sharded and take more ranks",
      device ? ", or learner.offload" : "", "; 'lvrpo plan' shows all parts"));
}

}  // namespace

absl::Status CheckMemory(const RoleMemory& needed, std::optional<int64_t> machine,
                         std::optional<int64_t> device) {
  absl::Status status = CheckPlace(needed, MemoryPlace::kHost, machine);
  status.Update(CheckPlace(needed, MemoryPlace::kDevice, device));
  return status;
}

}  // namespace lvrpo
