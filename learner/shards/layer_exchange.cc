#include "learner/shards/layer_exchange.h"

#include <exception>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

using Kind = ShardOp::Kind;

void ThrowUnlessOk(const absl::Status& status) { TORCH_CHECK(status.ok(), std::string(status.message())); }

}  // namespace

LayerExchange::LayerExchange(const Shards& shards, ShardGradients& gradients, int64_t layers)
    : shards_(shards),
      gradients_(gradients),
      units_(static_cast<size_t>(layers)),
      policy_(*this, Model::kPolicy),
      reference_(*this, Model::kReference) {
  for (size_t i = 0; i < shards_.size(); ++i) {
    const ShardUnit& unit = shards_.unit(i);
    if (!unit.layer.has_value()) continue;
    units_[static_cast<size_t>(*unit.layer)].push_back(i);
    for (const ShardUnit::Part& part : unit.parts) {
      if (unit.trained()) trained_.insert(part.tensor);
    }
  }
}

std::vector<size_t> LayerExchange::UnitsOf(const ShardOp& op) const {
  std::vector<size_t> units;
  for (const size_t i : units_[static_cast<size_t>(op.layer)]) {
    const ShardUnit& unit = shards_.unit(i);
    if (!unit.NeededFor(op.halves)) continue;
    const bool own = op.kind == Kind::kScatter           ? unit.trained()
                     : unit.owner == ShardOwner::kFrozen ? true
                     : op.model == Model::kPolicy        ? unit.trained()
                                                         : unit.owner == ShardOwner::kReference;
    if (own) units.push_back(i);
  }
  return units;
}

void LayerExchange::Advance(const ShardOp& op) {
  if (plan_.empty()) return;
  TORCH_CHECK(next_ < plan_.size() && plan_[next_] == op, "layer ", op.layer,
              " runs out of turn: the plan of the ranks' exchange says otherwise at ", next_, " of ",
              plan_.size());
  ++next_;
}

LayerExchange::Gathering LayerExchange::Begin(const ShardOp& op) {
  Gathering gathering = {.op = op, .units = {}};
  for (const size_t unit : UnitsOf(op)) {
    gathering.units.emplace_back(unit, shards_.Gather(unit));
    ++counts_.gathers;
  }
  return gathering;
}

void LayerExchange::GatherAhead() {
  for (size_t i = next_; i < plan_.size(); ++i) {
    if (plan_[i].kind != Kind::kGather) continue;
    ahead_ = Begin(plan_[i]);
    return;
  }
}

TensorMap LayerExchange::Gather(const ShardOp& op) {
  Advance(op);
  Gathering gathering = ahead_.has_value() ? *std::exchange(ahead_, std::nullopt) : Begin(op);
  TORCH_CHECK(gathering.op == op, "layer ", gathering.op.layer, " was gathered ahead of layer ", op.layer);
  GatherAhead();
  TensorMap tensors;
  for (auto& [unit, exchange] : gathering.units) {
    ThrowUnlessOk(exchange.Wait());
    tensors.merge(shards_.Split(unit, exchange.result));
  }
  return tensors;
}

void LayerExchange::Scatter(const ShardOp& op, const TensorMap& gradients) {
  Advance(op);
  for (const size_t unit : UnitsOf(op)) {
    ThrowUnlessOk(gradients_.Wait());
    gradients_.Add(unit, gradients);
    ++counts_.scatters;
  }
}

void LayerExchange::Follow(const std::vector<DecoderRun>& runs, const std::function<void()>& own) {
  plan_ = OpsOf(runs, static_cast<int64_t>(units_.size()));
  next_ = 0;
  std::exception_ptr thrown;
  try {
    if (own) own();
    TORCH_CHECK(own == nullptr || next_ == plan_.size(), "a group's passes ended at ", next_, " of ",
                plan_.size(), " of the plan of the ranks' exchange");
  } catch (...) {
    thrown = std::current_exception();
  }
  try {
    FinishPlan();
  } catch (...) {
    if (thrown == nullptr) thrown = std::current_exception();
  }
  plan_.clear();
  ahead_.reset();
  if (thrown != nullptr) std::rethrow_exception(thrown);
}

void LayerExchange::FinishPlan() {
  while (next_ < plan_.size()) {
    const ShardOp op = plan_[next_];
    if (op.kind == Kind::kGather) {
      (void)Gather(op);
    } else {
      Scatter(op, {});
    }
  }
  ThrowUnlessOk(gradients_.Wait());
}

TensorMap LayerExchange::Source::Gather(int64_t layer, Halves halves) {
  return exchange_.Gather({Kind::kGather, model_, layer, halves});
}

bool LayerExchange::Source::IsTrained(const std::string& name) const {
  return model_ == Model::kPolicy && exchange_.trained_.contains(name);
}

void LayerExchange::Source::AddGradients(int64_t layer, Halves halves, const TensorMap& gradients) {
  exchange_.Scatter({Kind::kScatter, model_, layer, halves}, gradients);
}

}  // namespace lvrpo
