#include "learner/step/task_optimizers.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "learner/step/health.h"
#include "model/weights/moved.h"

namespace lvrpo {
namespace {

std::unique_ptr<AdamW> MakeOptimizer(TensorMap tensors, const v1::OptimizerConfig& config,
                                     const v1::TrainConfig& train) {
  if (tensors.empty()) return nullptr;
  const AdamWOptions options = {
      .learning_rate = config.learning_rate(),
      .weight_decay = config.weight_decay(),
      .beta1 = config.beta1(),
      .beta2 = config.beta2(),
      .eps = config.eps(),
      .warmup_steps = config.warmup_steps(),
      .total_steps = int64_t{train.steps()} * train.updates_per_step() * train.mini_batches(),
      .cosine_floor = config.cosine_floor(),
      .gradient_clip = train.gradient_clip()};
  return std::make_unique<AdamW>(std::move(tensors), options);
}

}  // namespace

TaskOptimizers::TaskOptimizers(TensorMap image, TensorMap text, const v1::TrainConfig& train, Sum sum)
    : image_(MakeOptimizer(std::move(image), train.image(), train)),
      text_(MakeOptimizer(std::move(text), train.text(), train)),
      sum_(std::move(sum)) {}

std::map<std::string, AdamW*> TaskOptimizers::All() const {
  std::map<std::string, AdamW*> all;
  if (image_ != nullptr) all["image"] = image_.get();
  if (text_ != nullptr) all["text"] = text_.get();
  return all;
}

void TaskOptimizers::ClearGradients() {
  for (const auto& [task, optimizer] : All()) optimizer->ClearGradients();
}

std::vector<TaskOptimizers::Norm> TaskOptimizers::Norms() const {
  std::vector<Norm> norms;
  std::vector<double> sums;  // of squares; all processes have gradients of the same parts, or none
  for (const auto& [task, optimizer] : All()) {
    Norm& norm = norms.emplace_back();
    for (const auto& [name, tensor] : optimizer->parameters()) norm.by_part[PartOf(name)] = 0;
    double sum = 0;
    for (const auto& [name, squares] : optimizer->GradientSquares()) {
      norm.all = 1;
      sum += squares;
      norm.by_part[PartOf(name)] += squares;
    }
    sums.push_back(sum);
    for (const auto& [part, squares] : norm.by_part) sums.push_back(squares);
  }
  if (sum_) sum_(sums);
  size_t place = 0;
  for (Norm& norm : norms) {
    const double all = std::sqrt(sums[place++]);
    if (norm.all > 0) norm.all = all;
    for (auto& [part, value] : norm.by_part) value = std::sqrt(sums[place++]);
  }
  return norms;
}

bool TaskOptimizers::GradientsAreFinite() const {
  const std::vector<Norm> norms = Norms();
  return std::all_of(norms.begin(), norms.end(), [](const Norm& norm) { return std::isfinite(norm.all); });
}

std::string TaskOptimizers::NonFiniteGradients() const {
  TensorMap gradients;
  for (const auto& [task, optimizer] : All()) {
    for (const auto& [name, parameter] : optimizer->parameters()) {
      if (parameter.grad().defined()) gradients[name] = parameter.grad();
    }
  }
  return NameNonFinite(gradients);
}

void TaskOptimizers::Step(std::map<std::string, double>& figures) { Take(/*skip=*/false, figures); }
void TaskOptimizers::Skip(std::map<std::string, double>& figures) { Take(/*skip=*/true, figures); }

void TaskOptimizers::Take(bool skip, std::map<std::string, double>& figures) {
  std::vector<AdamW*> optimizers;
  const std::map<std::string, AdamW*> all = All();
  for (const auto& [task, optimizer] : all) optimizers.push_back(optimizer);
  std::vector<Norm> norms;
  if (!skip) norms = Norms();
  std::vector<double> of_all;
  for (const Norm& norm : norms) of_all.push_back(norm.all);
  const std::vector<OptimizerStep> taken = skip ? SkipTogether(optimizers) : StepTogether(optimizers, of_all);
  size_t place = 0;
  for (const auto& [task, optimizer] : all) {
    if (!skip) {
      for (const auto& [part, norm] : norms[place].by_part)
        figures[absl::StrCat(task, "_gradient_norm_", part)] = norm;
    }
    const OptimizerStep& step = taken[place++];
    figures[absl::StrCat(task, "_gradient_norm")] = step.gradient_norm;
    figures[absl::StrCat(task, "_learning_rate")] = step.learning_rate;
    if (!step.finite) figures["nonfinite"] = 1;
  }
}

TensorMap TaskOptimizers::StateViews() const {
  TensorMap state;
  for (const auto& [task, optimizer] : All()) {
    for (const auto& [name, tensor] : optimizer->StateViews()) state[absl::StrCat(task, "/", name)] = tensor;
  }
  return state;
}

TensorMap TaskOptimizers::State() const { return HostCopies(StateViews()); }

absl::Status TaskOptimizers::Restore(const TensorMap& state) {
  for (const auto& [task, optimizer] : All()) {
    TensorMap own;
    for (const auto& [name, tensor] : state) {
      absl::string_view rest = name;
      if (absl::ConsumePrefix(&rest, absl::StrCat(task, "/"))) own[std::string(rest)] = tensor;
    }
    if (absl::Status status = optimizer->Restore(own); !status.ok()) return status;
  }
  return absl::OkStatus();
}

ShapeMap TaskOptimizers::StateShapes(const TensorMap& image, const TensorMap& text) {
  ShapeMap shapes;
  for (const auto& [task, tensors] :
       {std::pair<const char*, const TensorMap&>{"image", image}, {"text", text}}) {
    if (tensors.empty()) continue;
    for (const auto& [name, shape] : AdamW::StateShapes(tensors))
      shapes[absl::StrCat(task, "/", name)] = shape;
  }
  return shapes;
}

int64_t TaskOptimizers::nonfinite_in_a_row() const {
  int64_t most = 0;
  for (const auto& [task, optimizer] : All()) most = std::max(most, optimizer->nonfinite_in_a_row());
  return most;
}

}  // namespace lvrpo
