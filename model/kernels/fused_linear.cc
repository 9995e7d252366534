#include "model/kernels/fused_linear.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/kernels/cpu_kernels.h"
#include "model/kernels/cpu_product.h"
#include "model/kernels/fused_ops.h"
#include "model/kernels/parallel.h"

namespace lvrpo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

std::atomic<int64_t> packed_bytes = 0;

bool HasOwnProduct() {
  static const bool uses = [] {
    const char* choice = std::getenv("LVRPO_GEMM");
    return (choice == nullptr || std::string(choice) != "torch") &&
           std::string(BestCpuKernels().name) == "avx512";
  }();
  return uses;
}

// Rows of a block where the threads split the rows.
constexpr int64_t kBlockRows = 96;
bool UseRowBlocks(int64_t rows) { return rows >= 4 * kBlockRows * ThreadsHere(); }

}  // namespace

// Prepacked weights.
struct FusedLinear::Packed {
  std::vector<uint32_t> versions;  // of the weights and biases that were packed
  int64_t columns = 0, depth = 0;
  torch::Tensor weight, bias;  // bias: undefined when there is none

  int64_t bytes() const { return static_cast<int64_t>(weight.nbytes()); }
  ~Packed() {
    if (weight.defined()) packed_bytes -= bytes();
  }

  int64_t panels() const {
    const int64_t nr = BestCpuKernels().nr;
    return (columns + nr - 1) / nr;
  }
  const float* bias_data() const { return bias.defined() ? bias.const_data_ptr<float>() : nullptr; }

  // x [rows, depth] -> [rows, columns]
  torch::Tensor Multiply(const torch::Tensor& x) const {
    const CpuKernels& kernels = BestCpuKernels();
    const int64_t rows = x.size(0);
    const torch::Tensor out = torch::empty({rows, columns}, x.options().requires_grad(false));
    const float *from = x.const_data_ptr<float>(), *packed = weight.const_data_ptr<float>();
    float* to = out.mutable_data_ptr<float>();
    // The threads split the rows where there are many, else the columns.
    if (UseRowBlocks(rows)) {
      ParallelFor(0, rows, kBlockRows, [&](int64_t begin, int64_t end) {
        kernels.multiply(from, depth, begin, end, packed, bias_data(), columns, 0, panels(), to, columns);
      });
    } else {
      const int64_t each = std::max<int64_t>(1, 65536 / std::max<int64_t>(1, rows * depth * kernels.nr));
      ParallelFor(0, panels(), each, [&](int64_t first, int64_t last) {
        kernels.multiply(from, depth, 0, rows, packed, bias_data(), columns, first, last, to, columns);
      });
    }
    return out;
  }
};

struct FusedLinear::Cache {
  std::mutex mutex;
  std::shared_ptr<const Packed> forward, transposed;
};

FusedLinear::FusedLinear(std::vector<LinearWeights> parts) : parts_(std::move(parts)) {
  int64_t weights = 0;
  for (const LinearWeights& part : parts_) {
    weights += part.weight.numel();
    if (!part.weight.is_cpu() || part.weight.scalar_type() != torch::kFloat32 || !part.weight.is_contiguous())
      return;
  }
  if (UsesOwnProduct(weights)) cache_ = std::make_shared<Cache>();
}

bool FusedLinear::UsesOwnProduct(int64_t weights) {
  return HasOwnProduct() && weights * static_cast<int64_t>(sizeof(float)) <= kMostWeightBytes;
}

std::string CpuProductName() {
  return absl::StrCat(HasOwnProduct() ? "own" : "torch", "/", BestCpuKernels().name, "/",
                      at::get_cpu_capability());
}

int64_t FusedLinear::PackedBytes() { return packed_bytes; }

std::shared_ptr<const FusedLinear::Packed> FusedLinear::Pack(bool transposed) const {
  if (cache_ == nullptr) return nullptr;
  std::vector<uint32_t> versions;
  for (const auto& [weight, bias] : parts_) {
    versions.push_back(weight._version());
    if (bias.defined()) versions.push_back(bias._version());
  }
  const std::lock_guard lock(cache_->mutex);
  std::shared_ptr<const Packed>& cached = transposed ? cache_->transposed : cache_->forward;
  if (cached != nullptr && cached->versions == versions) return cached;
  cached = nullptr;  // freed first, so that there is never a second one

  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> weights, biases;
  bool biased = false;
  for (const auto& [weight, bias] : parts_) {
    weights.push_back(weight);
    biased = biased || bias.defined();
    biases.push_back(bias.defined() ? bias : torch::zeros({weight.size(0)}));
  }
  torch::Tensor fused = weights.size() == 1 ? weights[0] : torch::cat(weights);
  if (transposed) fused = fused.t().contiguous();
  auto made = std::make_shared<Packed>();
  made->versions = std::move(versions);
  made->columns = fused.size(0);
  made->depth = fused.size(1);
  const int64_t padded = made->panels() * BestCpuKernels().nr;
  made->weight = torch::empty({padded, made->depth});
  packed_bytes += made->bytes();
  BestCpuKernels().pack(fused.const_data_ptr<float>(), made->depth, made->columns, made->depth,
                        made->weight.mutable_data_ptr<float>());
  if (!transposed && biased) {
    made->bias = torch::zeros({padded});
    made->bias.narrow(0, 0, made->columns).copy_(torch::cat(biases));
  }
  return cached = made;
}

torch::Tensor FusedLinear::Forward(const torch::Tensor& x) const {
  if (const auto packed = Pack(false); packed != nullptr) return packed->Multiply(x);
  if (parts_.size() == 1) return torch::linear(x, parts_[0].weight, parts_[0].bias);
  int64_t width = 0;
  for (const LinearWeights& part : parts_) width += part.weight.size(0);
  torch::Tensor out = torch::empty({x.size(0), width}, x.options());
  int64_t begin = 0;
  for (const auto& [weight, bias] : parts_) {
    torch::Tensor own = out.narrow(1, begin, weight.size(0));
    if (bias.defined()) {
      at::addmm_out(own, bias, x, weight.t());
    } else {
      at::mm_out(own, x, weight.t());
    }
    begin += weight.size(0);
  }
  return out;
}

// Keeps a layer alive until its backward.
struct LayerHolder : torch::CustomClassHolder {
  explicit LayerHolder(FusedLinear held) : layer(std::move(held)) {}
  FusedLinear layer;
};

struct FusedLinearFunction : torch::autograd::Function<FusedLinearFunction> {
  // `tensors`: all weights, then the biases of the parts that have one, as autograd's inputs.
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, torch::TensorList tensors,
                               const FusedLinear* layer) {
    variable_list saved = {x};
    for (const LinearWeights& part : layer->parts_) saved.push_back(part.weight);
    context->save_for_backward(saved);
    context->saved_data["layer"] = torch::IValue::make_capsule(c10::make_intrusive<LayerHolder>(*layer));
    return layer->Forward(x);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const torch::Tensor& x = saved[0];
    const torch::Tensor grad = gradients[0].contiguous();
    const auto holder =
        c10::static_intrusive_pointer_cast<LayerHolder>(context->saved_data["layer"].toCapsule());
    const std::vector<LinearWeights>& parts = holder->layer.parts_;
    variable_list result = {torch::Tensor()}, biases;
    if (context->needs_input_grad(0)) {
      if (const auto packed = holder->layer.Pack(true); packed != nullptr) result[0] = packed->Multiply(grad);
    }
    const bool by_torch = context->needs_input_grad(0) && !result[0].defined();
    int64_t begin = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      const auto& [weight, bias] = parts[i];
      const torch::Tensor own = grad.narrow(1, begin, weight.size(0));
      begin += weight.size(0);
      if (by_torch) {
        const torch::Tensor part = torch::mm(own, weight);
        result[0] = i == 0 ? part : result[0].add_(part);
      }
      result.push_back(context->needs_input_grad(1 + i) ? torch::mm(own.t(), x) : torch::Tensor());
      if (!bias.defined()) continue;
      const size_t input = 1 + parts.size() + biases.size();
      biases.push_back(context->needs_input_grad(input) ? own.sum(0) : torch::Tensor());
    }
    result.insert(result.end(), biases.begin(), biases.end());
    result.emplace_back();  // the layer
    return result;
  }
};

torch::Tensor FusedLinear::operator()(const torch::Tensor& x) const {
  std::vector<int64_t> sizes = x.sizes().vec();
  const torch::Tensor& first = parts_[0].weight;
  if (!x.is_cpu() || x.scalar_type() != torch::kFloat32 || first.scalar_type() != torch::kFloat32) {
    std::vector<torch::Tensor> outs;
    for (const auto& [weight, bias] : parts_) outs.push_back(torch::linear(x, weight, bias));
    return outs.size() == 1 ? outs[0] : torch::cat(outs, -1);
  }
  const torch::Tensor rows = x.reshape({-1, x.size(-1)}).contiguous();
  torch::Tensor out;
  if (NeedsGrad(rows)) {
    variable_list tensors;
    for (const LinearWeights& part : parts_) tensors.push_back(part.weight);
    for (const LinearWeights& part : parts_) {
      if (part.bias.defined()) tensors.push_back(part.bias);
    }
    out = FusedLinearFunction::apply(rows, torch::TensorList(tensors), this);
  } else {
    out = Forward(rows);
  }
  sizes.back() = out.size(1);
  return out.view(sizes);
}

bool FusedLinear::NeedsGrad(const torch::Tensor& x) const {
  if (!torch::GradMode::is_enabled()) return false;
  bool needs = x.requires_grad();
  for (const auto& [weight, bias] : parts_)
    needs = needs || weight.requires_grad() || (bias.defined() && bias.requires_grad());
  return needs;
}

torch::Tensor FusedLinear::Mlp(const FusedLinear& first_layer, Activation activation,
                               const FusedLinear& second_layer, const torch::Tensor& x) {
  const int64_t rows = x.numel() / x.size(-1);
  const bool unblocked = !UsesCpuKernels(x) || !HasCpuKernel(activation) || !UseRowBlocks(rows) ||
                         first_layer.NeedsGrad(x) || second_layer.NeedsGrad(x);
  const auto first = unblocked ? nullptr : first_layer.Pack(false),
             second = unblocked ? nullptr : second_layer.Pack(false);
  if (first == nullptr || second == nullptr) return second_layer(Activate(activation, first_layer(x)));
  const torch::Tensor in = x.contiguous();
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = second->columns;
  const torch::Tensor out = torch::empty(sizes, x.options());
  const float *from = in.const_data_ptr<float>(), *first_weight = first->weight.const_data_ptr<float>(),
              *second_weight = second->weight.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  const CpuKernels& kernels = BestCpuKernels();
  const auto activate = activation == Activation::kSwiGlu ? kernels.swiglu : kernels.gelu;
  ParallelFor(0, rows, kBlockRows, [&](int64_t begin, int64_t end) {
    std::vector<float> wide(static_cast<size_t>(kBlockRows * first->columns)),
        narrow(static_cast<size_t>(kBlockRows * second->depth));
    for (int64_t row = begin; row < end; row += kBlockRows) {
      const int64_t count = std::min(kBlockRows, end - row);
      kernels.multiply(from + row * first->depth, first->depth, 0, count, first_weight, first->bias_data(),
                       first->columns, 0, first->panels(), wide.data(), first->columns);
      activate(wide.data(), second->depth, 0, count, narrow.data());
      kernels.multiply(narrow.data(), second->depth, 0, count, second_weight, second->bias_data(),
                       second->columns, 0, second->panels(), to + row * second->columns, second->columns);
    }
  });
  return out;
}

}  // namespace lvrpo
