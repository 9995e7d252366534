#include "model/kernels/fused_ops.h"

#include <algorithm>
#include <array>

#include "model/kernels/cpu_kernels.h"
#include "model/kernels/parallel.h"

namespace lvrpo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

const float* Data(const torch::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
}
float* MutableData(const torch::Tensor& tensor) {
  return tensor.defined() ? tensor.mutable_data_ptr<float>() : nullptr;
}
torch::Tensor Contiguous(const torch::Tensor& tensor) {
  return tensor.defined() ? tensor.contiguous() : tensor;
}

// An undefined tensor as autograd's functions take it: nullopt.
std::optional<torch::Tensor> Optional(const torch::Tensor& tensor) {
  return tensor.defined() ? std::optional<torch::Tensor>(tensor) : std::nullopt;
}

bool NeedsGrad(std::initializer_list<torch::Tensor> tensors) {
  return torch::GradMode::is_enabled() &&
         std::any_of(tensors.begin(), tensors.end(),
                     [](const torch::Tensor& t) { return t.defined() && t.requires_grad(); });
}

// Splits rows between the threads, at least about 16,000 elements each.
template <typename Work>
void ForRows(int64_t rows, int64_t width, const Work& work) {
  ParallelFor(0, rows, std::max<int64_t>(1, 16384 / std::max<int64_t>(width, 1)), work);
}

// The same where each row accumulates into a common sum [width]: a fixed number of blocks with an accumulator
// each, so that the result does not depend on the number of threads. work(begin, end, accumulator).
template <typename Work>
torch::Tensor SumOverRows(int64_t rows, int64_t width, bool wanted, const Work& work) {
  constexpr int64_t kBlocks = 16;
  const torch::Tensor sums = wanted ? torch::zeros({kBlocks, width}) : torch::Tensor();
  float* out = MutableData(sums);
  ParallelFor(0, kBlocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block)
      work(rows * block / kBlocks, rows * (block + 1) / kBlocks, wanted ? out + block * width : nullptr);
  });
  return wanted ? sums.sum(0) : torch::Tensor();
}

// --- AddRmsNorm

struct NormResult {
  torch::Tensor sum, norm, inverse;
};

NormResult RunAddRmsNorm(const torch::Tensor& x, const torch::Tensor& delta, const torch::Tensor& weight,
                         double eps) {
  const int64_t n = x.size(-1), rows = x.numel() / n;
  NormResult r = {delta.defined() ? torch::empty_like(x) : x, torch::empty_like(x), torch::empty({rows})};
  const float *from = Data(x), *added = Data(delta), *scale = Data(weight);
  float *sum = delta.defined() ? MutableData(r.sum) : nullptr, *norm = MutableData(r.norm),
        *inverse = MutableData(r.inverse);
  ForRows(rows, n, [&](int64_t begin, int64_t end) {
    BestCpuKernels().add_rms_norm(from, added, scale, static_cast<float>(eps), n, begin, end, sum, norm,
                                  inverse);
  });
  return r;
}

struct AddRmsNormFunction : torch::autograd::Function<AddRmsNormFunction> {
  static variable_list forward(AutogradContext* context, const torch::Tensor& x,
                               const std::optional<torch::Tensor>& delta, const torch::Tensor& weight,
                               double eps) {
    const NormResult r = RunAddRmsNorm(x, delta.value_or(torch::Tensor()), weight, eps);
    context->save_for_backward({r.sum, weight, r.inverse});
    context->saved_data["delta"] = delta.has_value();
    context->set_materialize_grads(false);
    if (delta.has_value()) return {r.norm, r.sum};
    return {r.norm};
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const torch::Tensor &sum = saved[0], &weight = saved[1], &inverse = saved[2];
    const bool has_delta = context->saved_data["delta"].toBool();
    const int64_t n = sum.size(-1), rows = sum.numel() / n;
    const torch::Tensor grad_norm =
        gradients[0].defined() ? gradients[0].contiguous() : torch::zeros_like(sum);
    const torch::Tensor grad_sum = has_delta ? Contiguous(gradients[1]) : torch::Tensor();
    const torch::Tensor grad_x = torch::empty_like(sum);
    const float *g = Data(grad_norm), *direct = Data(grad_sum), *s = Data(sum), *w = Data(weight),
                *r = Data(inverse);
    float* out = MutableData(grad_x);
    const torch::Tensor grad_weight = SumOverRows(
        rows, n, context->needs_input_grad(has_delta ? 2 : 1), [&](int64_t begin, int64_t end, float* into) {
          BestCpuKernels().add_rms_norm_backward(g, direct, s, w, r, n, begin, end, out, into);
        });
    return {grad_x, has_delta ? grad_x : torch::Tensor(), grad_weight, {}};
  }
};

// --- SwiGlu and Gelu

int64_t OutputsOf(Activation activation, int64_t inputs) {
  return activation == Activation::kSwiGlu ? inputs / 2 : inputs;
}

auto ActivationKernel(Activation activation) {
  return activation == Activation::kSwiGlu ? BestCpuKernels().swiglu : BestCpuKernels().gelu;
}

torch::Tensor RunActivation(const torch::Tensor& x, Activation activation) {
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = OutputsOf(activation, sizes.back());
  const torch::Tensor out = torch::empty(sizes, x.options().requires_grad(false));
  const int64_t n = sizes.back(), rows = out.numel() / n;
  const float* from = Data(x);
  float* to = MutableData(out);
  ForRows(rows, 4 * n,
          [&](int64_t begin, int64_t end) { ActivationKernel(activation)(from, n, begin, end, to); });
  return out;
}

struct ActivationFunction : torch::autograd::Function<ActivationFunction> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, Activation activation) {
    context->save_for_backward({x});
    context->saved_data["activation"] = static_cast<int64_t>(activation);
    return RunActivation(x, activation);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const torch::Tensor x = context->get_saved_variables()[0];
    const auto activation = static_cast<Activation>(context->saved_data["activation"].toInt());
    const torch::Tensor grad = gradients[0].contiguous(), grad_x = torch::empty_like(x);
    const int64_t n = grad.size(-1), rows = grad.numel() / n;
    const float *g = Data(grad), *from = Data(x);
    float* to = MutableData(grad_x);
    const auto kernel =
        activation == Activation::kSwiGlu ? BestCpuKernels().swiglu_backward : BestCpuKernels().gelu_backward;
    ForRows(rows, 4 * n, [&](int64_t begin, int64_t end) { kernel(g, from, n, begin, end, to); });
    return {grad_x, {}};
  }
};

// --- SplitRotateHeads

// Where each token's heads are read and written.
struct HeadLayout {
  int64_t batch, tokens, first_tokens, heads, kv_heads, d;
  int64_t tables_batch;

  int64_t width() const { return (heads + 2 * kv_heads) * d; }
  // Offsets of token `t` of sample `b` in its input's qkv, in q, in k and v, and in the tables.
  int64_t in(int64_t b, int64_t t) const {
    return t < first_tokens ? (b * first_tokens + t) * width()
                            : (b * (tokens - first_tokens) + t - first_tokens) * width();
  }
  int64_t q(int64_t b, int64_t t) const { return (b * heads * tokens + t) * d; }
  int64_t kv(int64_t b, int64_t t) const { return (b * kv_heads * tokens + t) * d; }
  int64_t table(int64_t b, int64_t t) const { return ((tables_batch == 1 ? 0 : b) * tokens + t) * (d / 2); }
};

HeadLayout LayoutOf(const torch::Tensor& first, const torch::Tensor& second, const torch::Tensor& cosine,
                    int64_t heads, int64_t kv_heads) {
  const torch::Tensor& any = first.defined() ? first : second;
  const int64_t first_tokens = first.defined() ? first.size(1) : 0;
  return {.batch = any.size(0),
          .tokens = first_tokens + (second.defined() ? second.size(1) : 0),
          .first_tokens = first_tokens,
          .heads = heads,
          .kv_heads = kv_heads,
          .d = any.size(2) / (heads + 2 * kv_heads),
          .tables_batch = cosine.size(0)};
}

Heads RunSplitRotateHeads(const std::array<QkvInput, 2>& sources, const torch::Tensor& cosine,
                          const torch::Tensor& sine, int64_t heads, int64_t kv_heads, double eps) {
  const HeadLayout at = LayoutOf(sources[0].qkv, sources[1].qkv, cosine, heads, kv_heads);
  const torch::TensorOptions options = cosine.options();
  const Heads out = {torch::empty({at.batch, heads, at.tokens, at.d}, options),
                     torch::empty({at.batch, kv_heads, at.tokens, at.d}, options),
                     torch::empty({at.batch, kv_heads, at.tokens, at.d}, options)};
  const float *c = Data(cosine), *s = Data(sine);
  const std::array<const float*, 2> in = {Data(sources[0].qkv), Data(sources[1].qkv)},
                                    q_norm = {Data(sources[0].q_norm), Data(sources[1].q_norm)},
                                    k_norm = {Data(sources[0].k_norm), Data(sources[1].k_norm)};
  float *q = MutableData(out.q), *k = MutableData(out.k), *v = MutableData(out.v);
  const auto e = static_cast<float>(eps);
  const CpuKernels& kernels = BestCpuKernels();
  ForRows(at.batch * at.tokens, at.width(), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t b = row / at.tokens, t = row % at.tokens, stride = at.tokens * at.d;
      const int source = t < at.first_tokens ? 0 : 1;
      const float *from = in[source] + at.in(b, t), *cos_row = c + at.table(b, t),
                  *sin_row = s + at.table(b, t);
      kernels.rotate_heads(from, q_norm[source], e, cos_row, sin_row, heads, at.d, q + at.q(b, t), stride);
      from += heads * at.d;
      kernels.rotate_heads(from, k_norm[source], e, cos_row, sin_row, kv_heads, at.d, k + at.kv(b, t),
                           stride);
      from += kv_heads * at.d;
      kernels.rotate_heads(from, nullptr, e, nullptr, nullptr, kv_heads, at.d, v + at.kv(b, t), stride);
    }
  });
  return out;
}

struct SplitRotateHeadsFunction : torch::autograd::Function<SplitRotateHeadsFunction> {
  using Maybe = std::optional<torch::Tensor>;
  static variable_list forward(AutogradContext* context, const Maybe& first, const Maybe& first_q_norm,
                               const Maybe& first_k_norm, const Maybe& second, const Maybe& second_q_norm,
                               const Maybe& second_k_norm, const torch::Tensor& cosine,
                               const torch::Tensor& sine, int64_t heads, int64_t kv_heads, double eps) {
    const torch::Tensor none;
    const std::array<QkvInput, 2> sources = {
        {{first.value_or(none), first_q_norm.value_or(none), first_k_norm.value_or(none)},
         {second.value_or(none), second_q_norm.value_or(none), second_k_norm.value_or(none)}}};
    variable_list saved;
    for (const auto& [qkv, q_norm, k_norm] : sources) saved.insert(saved.end(), {qkv, q_norm, k_norm});
    saved.insert(saved.end(), {cosine, sine});
    context->save_for_backward(saved);
    context->saved_data["heads"] = heads;
    context->saved_data["kv_heads"] = kv_heads;
    context->saved_data["eps"] = eps;
    context->set_materialize_grads(false);
    const Heads out = RunSplitRotateHeads(sources, cosine, sine, heads, kv_heads, eps);
    return {out.q, out.k, out.v};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const torch::Tensor &cosine = saved[6], &sine = saved[7];
    const int64_t heads = context->saved_data["heads"].toInt(),
                  kv_heads = context->saved_data["kv_heads"].toInt();
    const auto eps = static_cast<float>(context->saved_data["eps"].toDouble());
    const HeadLayout at = LayoutOf(saved[0], saved[3], cosine, heads, kv_heads);
    const auto gradient = [&](int index, int64_t count) {
      return gradients[index].defined() ? gradients[index].contiguous()
                                        : torch::zeros({at.batch, count, at.tokens, at.d}, cosine.options());
    };
    const torch::Tensor grad_q = gradient(0, heads), grad_k = gradient(1, kv_heads),
                        grad_v = gradient(2, kv_heads);
    const float *gq = Data(grad_q), *gk = Data(grad_k), *gv = Data(grad_v), *c = Data(cosine),
                *s = Data(sine);
    const CpuKernels& kernels = BestCpuKernels();
    const int64_t stride = at.tokens * at.d;
    variable_list result(11);
    size_t input = 0;  // index among the defined inputs
    for (int source = 0; source < 2; ++source) {
      const torch::Tensor &qkv = saved[source * 3], &q_norm = saved[source * 3 + 1],
                          &k_norm = saved[source * 3 + 2];
      if (!qkv.defined()) continue;
      const bool norms_need_grad =
          q_norm.defined() && (context->needs_input_grad(input + 1) || context->needs_input_grad(input + 2));
      input += q_norm.defined() ? 3 : 1;
      const torch::Tensor grad_qkv = torch::empty_like(qkv);
      const int64_t begin_token = source == 0 ? 0 : at.first_tokens, own = qkv.size(1);
      const float *in = Data(qkv), *qn = Data(q_norm), *kn = Data(k_norm);
      float* out = MutableData(grad_qkv);
      // [2 d]: q_norm's gradient, then k_norm's.
      const torch::Tensor grad_norms = SumOverRows(
          at.batch * own, 2 * at.d, norms_need_grad, [&](int64_t begin, int64_t end, float* into) {
            for (int64_t row = begin; row < end; ++row) {
              const int64_t b = row / own, t = begin_token + row % own;
              const float *from = in + row * at.width(), *cos_row = c + at.table(b, t),
                          *sin_row = s + at.table(b, t);
              float* to = out + row * at.width();
              kernels.rotate_heads_backward(gq + at.q(b, t), stride, from, qn, eps, cos_row, sin_row, heads,
                                            at.d, to, into);
              from += heads * at.d;
              to += heads * at.d;
              kernels.rotate_heads_backward(gk + at.kv(b, t), stride, from, kn, eps, cos_row, sin_row,
                                            kv_heads, at.d, to, into == nullptr ? nullptr : into + at.d);
              from += kv_heads * at.d;
              to += kv_heads * at.d;
              kernels.rotate_heads_backward(gv + at.kv(b, t), stride, from, nullptr, eps, nullptr, nullptr,
                                            kv_heads, at.d, to, nullptr);
            }
          });
      result[source * 3] = grad_qkv;
      if (grad_norms.defined()) {
        result[source * 3 + 1] = grad_norms.narrow(0, 0, at.d);
        result[source * 3 + 2] = grad_norms.narrow(0, at.d, at.d);
      }
    }
    return result;
  }
};

// --- The same composed of torch's operations.

torch::Tensor RmsNorm(const torch::Tensor& x, const torch::Tensor& weight, double eps) {
  const torch::Tensor wide = x.to(at::promote_types(torch::kFloat32, x.scalar_type()));
  return (wide * torch::rsqrt(wide.square().mean(-1, true) + eps)).to(x.scalar_type()) * weight;
}

torch::Tensor Concat(const torch::Tensor& a, const torch::Tensor& b, int64_t dim) {
  if (!a.defined()) return b;
  if (!b.defined()) return a;
  return torch::cat({a, b}, dim);
}

torch::Tensor ActivateByTorch(Activation activation, const torch::Tensor& x) {
  switch (activation) {
    case Activation::kGelu:
      return at::gelu(x, "tanh");
    case Activation::kExactGelu:
      return at::gelu(x, "none");
    case Activation::kQuickGelu:
      return x * torch::sigmoid(1.702 * x);
    case Activation::kSwiGlu:
    case Activation::kGeGlu:
      break;
  }
  const std::vector<torch::Tensor> halves = x.chunk(2, -1);  // gate, up
  return (activation == Activation::kSwiGlu ? torch::silu(halves[0]) : at::gelu(halves[0], "tanh")) *
         halves[1];
}

Heads SplitRotateHeadsByTorch(const std::array<QkvInput, 2>& sources, const RotaryTables& rotary,
                              int64_t heads, int64_t kv_heads, double eps) {
  const torch::Tensor cosine = rotary.cosine.unsqueeze(1), sine = rotary.sine.unsqueeze(1);
  const auto rotated = [&](const torch::Tensor& x) {
    const torch::Tensor a = x.narrow(-1, 0, x.size(-1) / 2), b = x.narrow(-1, x.size(-1) / 2, x.size(-1) / 2);
    return torch::cat({a * cosine - b * sine, b * cosine + a * sine}, -1).to(x.scalar_type());
  };
  std::array<Heads, 2> parts;
  for (size_t i = 0; i < 2; ++i) {
    const auto& [qkv, q_norm, k_norm] = sources[i];
    if (!qkv.defined()) continue;
    const torch::Tensor split =
        qkv.view({qkv.size(0), qkv.size(1), heads + 2 * kv_heads, qkv.size(2) / (heads + 2 * kv_heads)});
    const auto part = [&](int64_t first, int64_t count, const torch::Tensor& norm) {
      const torch::Tensor x = split.narrow(2, first, count);
      return (norm.defined() ? RmsNorm(x, norm, eps) : x).transpose(1, 2);
    };
    parts[i] = {part(0, heads, q_norm), part(heads, kv_heads, k_norm), part(heads + kv_heads, kv_heads, {})};
  }
  return {rotated(Concat(parts[0].q, parts[1].q, 2)), rotated(Concat(parts[0].k, parts[1].k, 2)),
          Concat(parts[0].v, parts[1].v, 2)};
}

}  // namespace

bool UsesCpuKernels(const torch::Tensor& x) { return x.is_cpu() && x.scalar_type() == torch::kFloat32; }

SumAndNorm AddRmsNorm(const torch::Tensor& x, const torch::Tensor& delta, const torch::Tensor& weight,
                      double eps) {
  if (!UsesCpuKernels(x) || weight.scalar_type() != torch::kFloat32) {
    const torch::Tensor sum = delta.defined() ? x + delta : x;
    return {sum, RmsNorm(sum, weight, eps)};
  }
  const torch::Tensor from = x.contiguous(), added = Contiguous(delta), scale = weight.contiguous();
  if (!NeedsGrad({from, added, scale})) {
    const NormResult r = RunAddRmsNorm(from, added, scale, eps);
    return {r.sum, r.norm};
  }
  const variable_list out = AddRmsNormFunction::apply(from, Optional(added), scale, eps);
  return {added.defined() ? out[1] : from, out[0]};
}

torch::Tensor Activate(Activation activation, const torch::Tensor& x) {
  if (!UsesCpuKernels(x) || !HasCpuKernel(activation)) return ActivateByTorch(activation, x);
  const torch::Tensor from = x.contiguous();
  return NeedsGrad({from}) ? ActivationFunction::apply(from, activation) : RunActivation(from, activation);
}

Heads SplitRotateHeads(const QkvInput& first, const QkvInput& second, const RotaryTables& rotary,
                       int64_t heads, int64_t kv_heads, double eps) {
  const std::array<QkvInput, 2> sources = {{first, second}};
  if (!UsesCpuKernels(first.qkv.defined() ? first.qkv : second.qkv))
    return SplitRotateHeadsByTorch(sources, rotary, heads, kv_heads, eps);
  const torch::Tensor a = Contiguous(first.qkv), b = Contiguous(second.qkv);
  const torch::Tensor cosine = rotary.cosine.contiguous(), sine = rotary.sine.contiguous();
  if (!NeedsGrad({a, first.q_norm, first.k_norm, b, second.q_norm, second.k_norm}))
    return RunSplitRotateHeads({{{a, first.q_norm, first.k_norm}, {b, second.q_norm, second.k_norm}}}, cosine,
                               sine, heads, kv_heads, eps);
  const variable_list out = SplitRotateHeadsFunction::apply(
      Optional(a), Optional(first.q_norm), Optional(first.k_norm), Optional(b), Optional(second.q_norm),
      Optional(second.k_norm), cosine, sine, heads, kv_heads, eps);
  return {out[0], out[1], out[2]};
}

}  // namespace lvrpo
