#include "model/folders/synthesize.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "data/tokenizer/byte_tokenizer_file.h"
#include "data/tokenizer/tokenizer.h"
#include "model/bagel.h"
#include "model/weights/checkpoint_writer.h"

namespace lvrpo {
namespace {

TensorSource ConstantSource(const std::string& name, std::vector<int64_t> shape, torch::Dtype dtype,
                            double value) {
  return {name, std::move(shape), dtype, [value](int64_t, torch::Tensor into) {
            into.fill_(value);
            return absl::OkStatus();
          }};
}

TensorSource NormalSource(const std::string& name, std::vector<int64_t> shape, torch::Dtype dtype,
                          double deviation, uint64_t seed) {
  return {name, std::move(shape), dtype, [name, deviation, seed](int64_t first, torch::Tensor into) {
            const uint64_t own_seed = StableHash64(absl::StrCat(seed, "|", name, "|", first));
            torch::Generator generator = torch::make_generator<torch::CPUGeneratorImpl>(own_seed);
            into.copy_(torch::empty({into.numel()}, torch::kFloat32).normal_(0, deviation, generator));
            return absl::OkStatus();
          }};
}

// The table is computed when its first element is read, and freed with the last.
TensorSource TableSource(const std::string& name, std::vector<int64_t> shape, torch::Dtype dtype,
                         int64_t side) {
  auto table = std::make_shared<torch::Tensor>();
  const int64_t width = shape[1];
  return {name, std::move(shape), dtype, [table, width, side](int64_t first, torch::Tensor into) {
            if (first == 0) *table = SinCosTable(width, side).flatten();
            into.copy_(table->narrow(0, first, into.numel()));
            if (first + into.numel() == table->numel()) *table = torch::Tensor();
            return absl::OkStatus();
          }};
}

TensorSource RandomSource(const std::string& name, const std::vector<int64_t>& shape, torch::Dtype dtype,
                          double residual, uint64_t seed) {
  if (shape.size() < 2) {
    const bool is_norm = absl::EndsWith(name, ".weight");
    return ConstantSource(name, shape, dtype, is_norm ? 1 : 0);
  }
  double fan_in = 1;
  for (size_t i = 1; i < shape.size(); ++i) fan_in *= static_cast<double>(shape[i]);
  const bool is_output = absl::StrContains(name, ".o_proj") || absl::StrContains(name, ".down_proj");
  return NormalSource(name, shape, dtype, (is_output ? residual : 1) / std::sqrt(fan_in), seed);
}

absl::Status WriteTokenizer(SynthesizeOptions& options, const std::string& folder) {
  int32_t count = ByteTokenizerIds::kCount;
  BagelConfig& c = options.config;
  if (options.tokenizer.empty()) {
    if (absl::Status status = WriteByteTokenizer(folder); !status.ok()) return status;
    c.bos = ByteTokenizerIds::kStart, c.eos = ByteTokenizerIds::kEnd;
    c.start_of_image = ByteTokenizerIds::kVisionStart, c.end_of_image = ByteTokenizerIds::kVisionEnd;
  } else if (options.config_has_tokens) {
    return CopyFiles(options.tokenizer, folder, TokenizerFiles());
  } else {
    const absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(options.tokenizer);
    if (!tokenizer.ok()) return tokenizer.status();
    if (absl::Status status = CopyFiles(options.tokenizer, folder, TokenizerFiles()); !status.ok())
      return status;
    count = (*tokenizer)->vocabulary_size();
    c.bos = (*tokenizer)->bos(), c.eos = (*tokenizer)->eos();
    c.start_of_image = (*tokenizer)->start_of_image(), c.end_of_image = (*tokenizer)->end_of_image();
  }
  if (count <= c.vocabulary) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a vocabulary of ", c.vocabulary, " is too small for the tokenizer's ", count, " tokens"));
}

}  // namespace

absl::Status SynthesizeBagel(SynthesizeOptions options, const std::string& folder) {
  const torch::NoGradGuard no_grad;
  return MakeWholeFolder(folder, [&](const std::string& unfinished) {
    if (absl::Status status = WriteTokenizer(options, unfinished); !status.ok()) return status;
    const BagelConfig& c = options.config;
    if (absl::Status status = ValidateBagelConfig(c, folder); !status.ok()) return status;
    if (c.hidden % 4 != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("hidden_size ", c.hidden, " is no multiple of 4, as the position tables need"));
    }
    if (absl::Status status = SaveBagelConfig(c, unfinished); !status.ok()) return status;
    std::vector<TensorSource> policy, autoencoder;
    const double residual = 1 / std::sqrt(2.0 * static_cast<double>(c.layers));
    for (const auto& [name, shape] : Bagel::ExpectedTensors(c)) {
      if (name == "latent_pos_embed.pos_embed") {
        policy.push_back(TableSource(name, shape, options.dtype, c.max_latent_side));
      } else if (name == "vit_pos_embed.pos_embed") {
        policy.push_back(TableSource(name, shape, options.dtype, c.vit_max_side));
      } else {
        policy.push_back(RandomSource(name, shape, options.dtype, residual, options.seed));
      }
    }
    for (const auto& [name, shape] : Autoencoder::ExpectedTensors(c.autoencoder))
      autoencoder.push_back(RandomSource(name, shape, torch::kFloat32, 1, options.seed));
    if (absl::Status status = WriteCheckpoint(unfinished, "ae", autoencoder); !status.ok()) return status;
    return WriteCheckpoint(unfinished, "ema", policy, options.max_shard_bytes);
  });
}

}  // namespace lvrpo
