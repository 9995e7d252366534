#include "algorithm/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/weights/moved.h"

namespace lvrpo {

double LearningRateAt(const AdamWOptions& options, int64_t step) {
  if (step < options.warmup_steps) {
    return options.learning_rate * static_cast<double>(step + 1) / static_cast<double>(options.warmup_steps);
  }
  if (options.total_steps <= options.warmup_steps) return options.learning_rate;
  const double progress = std::min(1.0, static_cast<double>(step - options.warmup_steps) /
                                            static_cast<double>(options.total_steps - options.warmup_steps));
  const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * progress));
  return options.learning_rate * (options.cosine_floor + (1 - options.cosine_floor) * cosine);
}

AdamW::AdamW(TensorMap parameters, AdamWOptions options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const auto& [name, parameter] : parameters_) {
    TORCH_CHECK(parameter.scalar_type() == torch::kFloat32, "master weight '", name, "' is not fp32");
    torch::Tensor(parameter).requires_grad_(true);
    exp_avg_[name] = torch::zeros_like(parameter.detach());
    exp_avg_sq_[name] = torch::zeros_like(parameter.detach());
  }
}

std::map<std::string, double> AdamW::GradientSquares() const {
  std::map<std::string, double> squares;
  for (const auto& [name, parameter] : parameters_) {
    if (parameter.grad().defined())
      squares[name] = parameter.grad().to(torch::kFloat64).square().sum().item<double>();
  }
  return squares;
}

// Accumulated in double and in name order, so that it is the same on every run.
double AdamW::GradientNorm() const {
  const std::map<std::string, double> squares = GradientSquares();
  double sum = 0;
  for (const auto& [name, square] : squares) sum += square;
  return squares.empty() ? -1 : std::sqrt(sum);
}

OptimizerStep AdamW::Step() { return StepTogether({this})[0]; }

std::vector<OptimizerStep> StepTogether(const std::vector<AdamW*>& optimizers) {
  std::vector<double> norms;
  for (const AdamW* optimizer : optimizers) norms.push_back(optimizer->GradientNorm());
  return StepTogether(optimizers, norms);
}

std::vector<OptimizerStep> StepTogether(const std::vector<AdamW*>& optimizers,
                                        const std::vector<double>& norms) {
  torch::NoGradGuard no_grad;
  const bool finite =
      std::all_of(norms.begin(), norms.end(), [](double norm) { return std::isfinite(norm); });
  std::vector<OptimizerStep> steps;
  for (size_t i = 0; i < optimizers.size(); ++i) steps.push_back(optimizers[i]->Advance(norms[i], finite));
  return steps;
}

std::vector<OptimizerStep> SkipTogether(const std::vector<AdamW*>& optimizers) {
  std::vector<OptimizerStep> steps;
  for (AdamW* optimizer : optimizers) steps.push_back(optimizer->Advance(0, false));
  return steps;
}

OptimizerStep AdamW::Advance(double gradient_norm, bool finite) {
  OptimizerStep step;
  step.finite = finite;
  step.updated = finite && gradient_norm >= 0;
  step.gradient_norm = gradient_norm < 0 ? 0 : gradient_norm;
  step.learning_rate = LearningRateAt(options_, steps_);
  ++steps_;
  if (step.updated) Update(step.learning_rate, step.gradient_norm);
  nonfinite_steps_ += finite ? 0 : 1;
  nonfinite_in_a_row_ = finite ? 0 : nonfinite_in_a_row_ + 1;
  ClearGradients();
  return step;
}

void AdamW::Update(double learning_rate, double gradient_norm) {
  ++updates_;
  const double correction1 = 1 - std::pow(options_.beta1, static_cast<double>(updates_));
  const double correction2 = 1 - std::pow(options_.beta2, static_cast<double>(updates_));
  const double scale =
      options_.gradient_clip > 0 ? std::min(1.0, options_.gradient_clip / (gradient_norm + 1e-6)) : 1.0;
  for (const auto& [name, parameter] : parameters_) {
    torch::Tensor weights = parameter.detach();  // shares the storage
    torch::Tensor gradient = parameter.grad().defined() ? parameter.grad() : torch::zeros_like(weights);
    if (scale < 1) gradient = gradient * scale;
    torch::Tensor& exp_avg = exp_avg_.at(name);
    torch::Tensor& exp_avg_sq = exp_avg_sq_.at(name);
    weights.mul_(1 - learning_rate * options_.weight_decay);
    exp_avg.mul_(options_.beta1).add_(gradient, 1 - options_.beta1);
    exp_avg_sq.mul_(options_.beta2).addcmul_(gradient, gradient, 1 - options_.beta2);
    const torch::Tensor denominator = (exp_avg_sq.sqrt() / std::sqrt(correction2)).add_(options_.eps);
    weights.addcdiv_(exp_avg, denominator, -learning_rate / correction1);
  }
}

void AdamW::ClearGradients() {
  for (const auto& [name, parameter] : parameters_) parameter.mutable_grad().reset();
}

TensorMap AdamW::StateViews() const {
  TensorMap state;
  state["counters"] = torch::tensor({steps_, updates_, nonfinite_steps_, nonfinite_in_a_row_}, torch::kInt64);
  for (const auto& [name, tensor] : exp_avg_) state["exp_avg/" + name] = tensor;
  for (const auto& [name, tensor] : exp_avg_sq_) state["exp_avg_sq/" + name] = tensor;
  return state;
}

TensorMap AdamW::State() const { return HostCopies(StateViews()); }

ShapeMap AdamW::StateShapes(const TensorMap& parameters) {
  ShapeMap shapes = {{"counters", {4}}};
  for (const auto& [name, tensor] : parameters) {
    shapes["exp_avg/" + name] = shapes["exp_avg_sq/" + name] = tensor.sizes().vec();
  }
  return shapes;
}

absl::Status AdamW::Restore(const TensorMap& state) {
  absl::Status status = CheckTensors(StateShapes(parameters_), state, "optimizer state");
  if (!status.ok()) return status;
  for (auto& [name, tensor] : exp_avg_) tensor.copy_(state.at("exp_avg/" + name));
  for (auto& [name, tensor] : exp_avg_sq_) tensor.copy_(state.at("exp_avg_sq/" + name));
  const torch::Tensor counters = state.at("counters");
  steps_ = counters[0].item<int64_t>();
  updates_ = counters[1].item<int64_t>();
  nonfinite_steps_ = counters[2].item<int64_t>();
  nonfinite_in_a_row_ = counters[3].item<int64_t>();
  return absl::OkStatus();
}

}  // namespace lvrpo
