#include "model/layers/sourced_layers.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace lvrpo {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

Halves HalvesOf(const LayerState& state) {
  return {.und = state.streams[0].tokens() > 0, .gen = state.streams[1].tokens() > 0};
}

// The tensors of a state in a fixed order, undefined ones too.
variable_list Flatten(const LayerState& state) {
  variable_list all;
  for (const ResidualStream& stream : state.streams) all.insert(all.end(), {stream.sum, stream.delta});
  all.insert(all.end(), state.keys.begin(), state.keys.end());
  all.insert(all.end(), state.values.begin(), state.values.end());
  return all;
}

LayerState Unflatten(const variable_list& all) {
  LayerState state;
  state.streams = {ResidualStream{all[0], all[1]}, ResidualStream{all[2], all[3]}};
  const auto begin = all.begin() + 4;
  const auto middle = begin + (all.end() - begin) / 2;
  state.keys.assign(begin, middle);
  state.values.assign(middle, all.end());
  return state;
}

// Autograd passes defined tensors only: the defined ones, and back.
variable_list Defined(const variable_list& all) {
  variable_list defined;
  for (const torch::Tensor& tensor : all) {
    if (tensor.defined()) defined.push_back(tensor);
  }
  return defined;
}

variable_list Undefine(const variable_list& defined, const std::vector<bool>& present) {
  variable_list all;
  size_t next = 0;
  for (const bool is_defined : present) all.push_back(is_defined ? defined[next++] : torch::Tensor());
  return all;
}

std::vector<bool> Presence(const variable_list& all) {
  std::vector<bool> present;
  for (const torch::Tensor& tensor : all) present.push_back(tensor.defined());
  return present;
}

// What a layer's backward needs besides the inputs.
struct Recipe : torch::CustomClassHolder {
  Recipe(SourcedLayers layers, int64_t layer, Halves halves, LayerCall call)
      : layers(std::move(layers)), layer(layer), halves(halves), call(std::move(call)) {}
  const SourcedLayers layers;
  const int64_t layer;
  const Halves halves;
  const LayerCall call;
  std::vector<bool> inputs = {}, outputs = {};  // which are defined
};

}  // namespace

DecoderLayer SourcedLayers::Resolve(int64_t layer, Halves halves, const TensorMap& weights) const {
  return DecoderLayer(config_, weights, absl::StrCat(prefix_, layer, "."), gen_suffix_, layer,
                      {halves.und, halves.gen});
}

// Inputs of autograd: `on`, a scalar that requires grad so that the backward runs although no input may, and
// the state's defined tensors.
struct SourcedLayerFunction : torch::autograd::Function<SourcedLayerFunction> {
  static variable_list forward(AutogradContext* context, const torch::Tensor& on, torch::TensorList inputs,
                               const c10::intrusive_ptr<Recipe>& recipe) {
    context->save_for_backward(inputs.vec());
    context->set_materialize_grads(false);
    const SourcedLayers& layers = recipe->layers;
    const TensorMap weights = layers.source_->Gather(recipe->layer, recipe->halves);
    const variable_list out = Flatten(layers.Resolve(recipe->layer, recipe->halves, weights)(
        Unflatten(Undefine(inputs.vec(), recipe->inputs)), recipe->call));
    recipe->outputs = Presence(out);
    context->saved_data["recipe"] = torch::IValue::make_capsule(recipe);
    return Defined(out);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto recipe = c10::static_intrusive_pointer_cast<Recipe>(context->saved_data["recipe"].toCapsule());
    LayerSource& source = *recipe->layers.source_;
    const torch::AutoGradMode with_graph(true);
    const ExpertLoad uncounted;  // the forward has counted these tokens
    variable_list inputs, wanted;
    size_t place = 1;
    for (const torch::Tensor& saved : context->get_saved_variables()) {
      inputs.push_back(saved.detach().requires_grad_(context->needs_input_grad(place++)));
      if (inputs.back().requires_grad()) wanted.push_back(inputs.back());
    }
    TensorMap weights = source.Gather(recipe->layer, recipe->halves), trained;
    for (auto& [name, weight] : weights) {
      if (!source.IsTrained(name)) continue;
      weight = weight.detach().requires_grad_(true);
      wanted.push_back(weight);
      trained[name] = torch::Tensor();
    }
    const variable_list found = Differentiate(*recipe, inputs, weights, gradients, wanted);
    variable_list result = {torch::Tensor()};
    size_t next = 0;
    for (const torch::Tensor& input : inputs)
      result.push_back(input.requires_grad() ? found[next++] : torch::Tensor());
    for (auto& [name, gradient] : trained) gradient = found[next++];
    source.AddGradients(recipe->layer, recipe->halves, trained);
    result.emplace_back();  // the recipe
    return result;
  }

 private:
  // The gradients of `wanted`, given those of the layer's defined outputs. Undefined: zero.
  static variable_list Differentiate(const Recipe& recipe, const variable_list& inputs,
                                     const TensorMap& weights, const variable_list& gradients,
                                     const variable_list& wanted) {
    const variable_list out = Defined(Flatten(recipe.layers.Resolve(recipe.layer, recipe.halves, weights)(
        Unflatten(Undefine(inputs, recipe.inputs)), recipe.call)));
    variable_list ends, given;
    for (size_t i = 0; i < out.size(); ++i) {
      if (!gradients[i].defined() || !out[i].requires_grad()) continue;
      ends.push_back(out[i]);
      given.push_back(gradients[i]);
    }
    if (ends.empty() || wanted.empty()) return variable_list(wanted.size());
    return torch::autograd::grad(ends, wanted, given, /*retain_graph=*/false, /*create_graph=*/false,
                                 /*allow_unused=*/true);
  }
};

LayerState SourcedLayers::Run(int64_t layer, const LayerState& in, const LayerCall& call) const {
  const Halves halves = HalvesOf(in);
  if (!torch::GradMode::is_enabled()) return Resolve(layer, halves, source_->Gather(layer, halves))(in, call);
  const auto recipe = c10::make_intrusive<Recipe>(*this, layer, halves, call);
  const variable_list inputs = Flatten(in);
  recipe->inputs = Presence(inputs);
  const variable_list out = SourcedLayerFunction::apply(torch::zeros({}, torch::requires_grad()),
                                                        torch::TensorList(Defined(inputs)), recipe);
  return Unflatten(Undefine(out, recipe->outputs));
}

}  // namespace lvrpo
