// Families flow_sde, schedule, philox and grpo.
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "algorithm/advantages.h"
#include "algorithm/image_loss.h"
#include "algorithm/philox.h"
#include "algorithm/schedule.h"
#include "algorithm/sde.h"
#include "algorithm/text_loss.h"
#include "model/bagel.h"
#include "tests/parity/parity.h"

namespace lvrpo::parity {
namespace {

using nlohmann::json;

std::optional<double> Optional(const json& params, const char* key) {
  if (!params.contains(key) || params[key].is_null()) return std::nullopt;
  return params[key].get<double>();
}

// A string parameter; absent and null give `fallback`.
std::string Text(const json& params, const char* key, const std::string& fallback) {
  return params.contains(key) && params[key].is_string() ? params[key].get<std::string>() : fallback;
}

torch::Tensor Find(const Case& c, const char* name) {  // undefined when absent
  const auto found = c.inputs.find(name);
  return found == c.inputs.end() ? torch::Tensor() : found->second;
}

torch::Tensor Scalar(double value) { return torch::full({}, value, torch::kFloat64); }

absl::Status SdeStepOp(const Case& c, Report& report) {
  auto kernel = Choose(kSdeKernels, "kernel", Text(c.params, "kernel", "flow_sde"));
  if (!kernel.ok()) return kernel.status();
  const double noise_level = c.params.at("noise_level");
  const torch::Tensor t = c.inputs.at("timesteps"), x = c.inputs.at("x"), v = c.inputs.at("v");
  std::map<std::string, std::vector<torch::Tensor>> got;
  for (int64_t i = 0; i + 1 < t.size(0); ++i) {
    const SdeStep step =
        MakeSdeStep(*kernel, noise_level, t[i].item<double>(), t[i + 1].item<double>(), t[1].item<double>());
    const torch::Tensor mean = SdeMean(step, x[i], v[i]);
    got["mean"].push_back(mean);
    got["sigma"].push_back(Scalar(step.sigma));
    got["std"].push_back(Scalar(step.std));
    if (c.inputs.contains("noise")) {
      const torch::Tensor x_next = SdeSample(step, mean, c.inputs.at("noise")[i]);
      got["x_next"].push_back(x_next);
      got["logp"].push_back(SdeLogProb(step, x_next, mean));
      got["logp_no_const"].push_back(SdeLogProb(step, x_next, mean, false));
    }
    if (c.inputs.contains("x_next_given")) {
      const torch::Tensor given = c.inputs.at("x_next_given")[i];
      got["logp_given"].push_back(SdeLogProb(step, given, mean));
      got["logp_given_no_const"].push_back(SdeLogProb(step, given, mean, false));
    }
  }
  for (const auto& [name, steps] : got) {
    if (report.Expects(name)) report.Compare(name, torch::stack(steps));
  }
  return absl::OkStatus();
}

absl::Status ImageLossOp(const Case& c, Report& report) {
  auto kernel = Choose(kSdeKernels, "kernel", Text(c.params, "kernel", "flow_sde"));
  auto form = Choose(kImageLossForms, "form", Text(c.params, "form", "ppo"));
  auto kl_form = Choose(kImageKlForms, "kl_form", Text(c.params, "kl_form", "flow_grpo"));
  auto bias = Choose(kGuardBiases, "bias", Text(c.params, "bias", "per_sample"));
  for (const absl::Status& status : {kernel.status(), form.status(), kl_form.status(), bias.status()}) {
    if (!status.ok()) return status;
  }
  ImageLossOptions options;
  options.form = *form;
  options.kl_form = *kl_form;
  options.guard_bias = *bias;
  options.clip_low = c.params.value("clip_lo", 0.0);
  options.clip_high = c.params.value("clip_hi", 0.0);
  options.advantage_clamp = Optional(c.params, "adv_clip");
  options.kl_beta = Optional(c.params, "beta").value_or(0);
  options.dppo_threshold = Optional(c.params, "thr").value_or(0);

  ImageLossInput input;
  const double t = c.params.at("t"), t_next = c.params.at("t_next");
  input.step = MakeSdeStep(*kernel, c.params.at("noise_level"), t, t_next, c.params.value("t_1", t_next));
  const torch::Tensor x = c.inputs.at("x"), v = c.inputs.at("v").clone().requires_grad_();
  input.x_next = c.inputs.at("x_next");
  input.velocity = v;
  input.mean = SdeMean(input.step, x, v);
  input.log_prob_old = c.inputs.at("logp_old");
  input.advantages = c.inputs.at("advantage");
  input.mean_old = Find(c, "mean_old");
  input.velocity_ref = Find(c, "v_ref");
  if (input.velocity_ref.defined()) input.mean_ref = SdeMean(input.step, x, input.velocity_ref);
  // The KL of a term with beta 0 is not computed in training; here it may be asked for.
  const double beta = options.kl_beta;
  const bool kl_only_shown = beta == 0 && report.Expects("kl");
  const ImageLossTerms terms = ImageLoss(input, options);
  terms.loss.backward();
  report.Compare("loss", terms.loss);
  report.Compare("grad_v", v.grad());
  report.Compare("ratio_minus_1", terms.ratio_minus_1);
  report.Compare("logp", terms.log_prob);
  report.Compare("mean", input.mean);
  if (report.Expects("policy_loss")) report.Compare("policy_loss", terms.policy_loss);
  if (report.Expects("clipfrac_low")) report.Compare("clipfrac_low", Scalar(terms.clip_low_fraction));
  if (report.Expects("clipfrac_high")) report.Compare("clipfrac_high", Scalar(terms.clip_high_fraction));
  if (report.Expects("kl_new_old")) report.Compare("kl_new_old", terms.kl_new_old);
  if (kl_only_shown) {
    options.kl_beta = 1;
    report.Compare("kl", ImageLoss(input, options).kl);
  } else if (report.Expects("kl")) {
    report.Compare("kl", terms.kl);
  }
  return absl::OkStatus();
}

absl::Status TimestepsOp(const Case& c, Report& report) {
  const torch::Tensor t = torch::tensor(Timesteps(c.params.at("n"), c.params.at("shift")));
  report.Compare("timesteps", t);
  report.Compare("dt", t.diff());
  return absl::OkStatus();
}

absl::Status TimestepEmbeddingOp(const Case& c, Report& report) {
  report.Compare("embedding", TimestepEmbedding(c.inputs.at("t")));
  return absl::OkStatus();
}

absl::Status SinCosOp(const Case& c, Report& report) {
  report.Compare("table", SinCosTable(c.params.at("dim"), c.params.at("grid")));
  return absl::OkStatus();
}

absl::Status SdeWindowOp(const Case& c, Report& report) {
  const int n = c.params.at("n"), size = c.params.at("window_size");
  const int lo = c.params.at("range").at(0), hi = c.params.at("range").at(1);
  const double noise_level = c.params.value("noise_level", 0.0);
  const std::vector<float> timesteps = Timesteps(n, c.params.at("shift"));
  std::set<int> begins;  // of enough groups to meet every window
  for (uint32_t group = 0; group < 4000; ++group) begins.insert(DrawWindow(1, group, size, lo, hi).begin);
  json windows = json::array();
  for (int begin : begins) {
    const Window window{.begin = begin, .size = size};
    json entry = {{"begin", begin},
                  {"sde_steps", json::array()},
                  {"ode_steps", json::array()},
                  {"noise_level_per_step", json::array()},
                  {"stored_latent_indexes", json::array()},
                  {"t", json::array()},
                  {"t_next", json::array()}};
    for (int step = 0; step + 1 < n; ++step) {
      entry[window.Contains(step) ? "sde_steps" : "ode_steps"].push_back(step);
      entry["noise_level_per_step"].push_back(window.Contains(step) ? noise_level : 0.0);
      if (!window.Contains(step)) continue;
      entry["t"].push_back(timesteps[step]);
      entry["t_next"].push_back(timesteps[step + 1]);
    }
    for (int index = begin; index <= window.end(); ++index) entry["stored_latent_indexes"].push_back(index);
    windows.push_back(entry);
  }
  report.CompareJson("windows", windows);
  report.CompareJson("begin_min", *begins.begin());
  report.CompareJson("begin_max", *begins.rbegin());
  return absl::OkStatus();
}

absl::Status PhiloxOp(const Case& c, Report& report) {
  const torch::Tensor counter = c.inputs.at("counter"), key = c.inputs.at("key");
  torch::Tensor output = torch::empty_like(counter);
  const auto word = [](const torch::Tensor& words, int64_t i, int64_t j) {
    return static_cast<uint32_t>(words[i][j].item<int64_t>());
  };
  for (int64_t i = 0; i < counter.size(0); ++i) {
    const PhiloxCounter four =
        Philox4x32({word(counter, i, 0), word(counter, i, 1), word(counter, i, 2), word(counter, i, 3)},
                   {word(key, i, 0), word(key, i, 1)});
    for (int64_t j = 0; j < 4; ++j) output[i][j] = static_cast<int64_t>(four[j]);
  }
  report.Compare("output", output);
  return absl::OkStatus();
}

absl::Status PhiloxNormalOp(const Case& c, Report& report) {
  PhiloxStream stream;
  const json& seed = c.params.at("run_seed");
  if (!absl::SimpleAtoi(seed.is_string() ? seed.get<std::string>() : seed.dump(), &stream.seed)) {
    return absl::InvalidArgumentError(
        absl::StrCat("run_seed ", seed.dump(), " is not an unsigned 64-bit number"));
  }
  stream.group = c.params.at("group");
  stream.slot = c.params.at("slot");
  stream.step = c.params.at("step");
  const int64_t count = c.params.at("count");
  const std::vector<uint32_t> words = PhiloxWords(stream, count);
  report.Compare("words", torch::tensor(std::vector<int64_t>(words.begin(), words.end())));
  report.Compare("normal_f64", torch::tensor(PhiloxNormals(stream, count), torch::kFloat64));
  report.Compare("normal", PhiloxNormal(stream, {count}));
  return absl::OkStatus();
}

absl::Status AdvantagesOp(const Case& c, Report& report) {
  auto scale = Choose(kAdvantageScales, "scale", Text(c.params, "scale", "group"));
  std::string name = Text(c.params, "aggregation", "sum_then_normalize");
  if (name == "normalize_then_sum") name = "gdpo";  // the cases' word
  auto aggregation = Choose(kRewardAggregations, "aggregation", name);
  if (!scale.ok()) return scale.status();
  if (!aggregation.ok()) return aggregation.status();
  const AdvantageOptions options{.scale = *scale,
                                 .ddof = c.params.value("ddof", 1),
                                 .eps = c.params.value("eps", 1e-4),
                                 .clamp = Optional(c.params, "clamp"),
                                 .aggregation = *aggregation};
  const Advantages got = GroupAdvantages(c.inputs.at("rewards"), Find(c, "weights"), options);
  report.Compare("advantages", got.advantages);
  if (report.Expects("group_mean")) report.Compare("group_mean", got.group_mean);
  if (report.Expects("zero_variance")) report.Compare("zero_variance", got.zero_variance);
  if (report.Expects("component_advantages"))
    report.Compare("component_advantages", got.component_advantages);
  return absl::OkStatus();
}

absl::Status PolicyLossOp(const Case& c, Report& report) {
  auto level = Choose(kRatioLevels, "level", Text(c.params, "level", "token"));
  auto kl = Choose(kTextKlForms, "kl", Text(c.params, "kl", "none"));
  auto aggregation = Choose(kAggregations, "aggregation", Text(c.params, "aggregation", "token_mean"));
  for (const absl::Status& status : {level.status(), kl.status(), aggregation.status()}) {
    if (!status.ok()) return status;
  }
  const TextLossOptions options{.level = *level,
                                .eps_low = c.params.at("eps_low"),
                                .eps_high = c.params.at("eps_high"),
                                .dual_clip = Optional(c.params, "dual_clip"),
                                .delta = Optional(c.params, "delta"),
                                .kl = *kl,
                                .beta = Optional(c.params, "beta").value_or(0),
                                .aggregation = *aggregation,
                                .log_ratio_clamp = Optional(c.params, "log_ratio_clamp"),
                                .log_ratio_max = Optional(c.params, "log_ratio_max"),
                                .kl_log_clamp = Optional(c.params, "kl_log_clamp"),
                                .kl_clamp = Optional(c.params, "kl_clamp"),
                                .global_tokens = Optional(c.params, "global_tokens"),
                                .global_sequences = Optional(c.params, "global_sequences"),
                                .max_length = Optional(c.params, "max_length")};
  torch::Tensor log_probs = c.inputs.at("logps").to(torch::kFloat64).requires_grad_();
  const TextLossTerms terms = TextLoss({.log_probs = log_probs,
                                        .old_log_probs = c.inputs.at("old_logps"),
                                        .mask = c.inputs.at("mask"),
                                        .advantages = c.inputs.at("advantages"),
                                        .ref_log_probs = Find(c, "ref_logps"),
                                        .is_weights = Find(c, "is_weights")},
                                       options);
  terms.loss.backward();
  report.Compare("loss", terms.loss.view({1}));
  report.Compare("grad_logps", log_probs.grad());
  report.Compare("ratio", terms.ratio);
  report.Compare("per_token_loss", terms.per_token_loss);
  report.Compare("clip_low_fraction", Scalar(terms.clip_low_fraction).view({1}));
  report.Compare("clip_high_fraction", Scalar(terms.clip_high_fraction).view({1}));
  if (report.Expects("kl")) report.Compare("kl", terms.kl);
  return absl::OkStatus();
}

absl::Status IsWeightsOp(const Case& c, Report& report) {
  auto mode = Choose(kCorrectionModes, "mode", Text(c.params, "mode", ""));
  if (!mode.ok()) return mode.status();
  report.Compare("weights", CorrectionWeights(c.inputs.at("old_logps"), c.inputs.at("sampler_logps"),
                                              c.inputs.at("mask"),
                                              {.mode = *mode,
                                               .clip_min = Optional(c.params, "clip_min"),
                                               .clip_max = Optional(c.params, "clip_max")}));
  return absl::OkStatus();
}

}  // namespace

void RegisterAlgorithmOps(Registry& registry) {
  registry["flow_sde/sde_step"] = SdeStepOp;
  registry["flow_sde/image_loss"] = ImageLossOp;
  registry["schedule/timesteps"] = TimestepsOp;
  registry["schedule/timestep_embedding"] = TimestepEmbeddingOp;
  registry["schedule/sincos_pos_embed"] = SinCosOp;
  registry["schedule/sde_window"] = SdeWindowOp;
  registry["philox/philox4x32_10"] = PhiloxOp;
  registry["philox/philox_normal"] = PhiloxNormalOp;
  registry["grpo/advantages"] = AdvantagesOp;
  registry["grpo/policy_loss"] = PolicyLossOp;
  registry["grpo/is_weights"] = IsWeightsOp;
}

}  // namespace lvrpo::parity
