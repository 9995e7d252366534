#include <algorithm>
#include <filesystem>

#include "common/files/file.h"
#include "common/hash.h"
#include "data/safetensors/safetensors.h"
#include "model/autoencoder.h"
#include "tests/parity/parity.h"
#include "tests/testing/safetensors_bytes.h"

namespace lvrpo::parity {
namespace {

std::vector<std::string> InputFiles(const Case& c) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(c.path("inputs"))) {
    if (entry.path().extension() == ".safetensors") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The verdict and what is inside; what a case says about the reference (why, its own verdict) is passed
// through.
absl::Status ReadFilesOp(const Case& c, Report& report) {
  for (const std::string& name : InputFiles(c)) {
    const nlohmann::json expected = c.expected_json.value(name, nlohmann::json::object());
    nlohmann::json got = expected;
    const auto file = SafetensorsFile::Open(c.path("inputs/" + name + ".safetensors"));
    got["ours"] = file.ok() ? "accept" : "reject";
    if (file.ok()) {
      got.erase("tensors");
      got.erase("metadata");
      got["tensors"] = nlohmann::json::object();
      for (const auto& [tensor, entry] : (*file)->entries()) {
        got["tensors"][tensor] = {{"dtype", entry.dtype},
                                  {"shape", entry.shape},
                                  {"nbytes", entry.bytes.size()},
                                  {"crc32", Crc32(entry.bytes)}};
      }
      if (!(*file)->metadata().empty()) {
        got["metadata"] = (*file)->metadata();
      } else if (expected.contains("metadata")) {
        got["metadata"] = expected["metadata"].is_object() ? nlohmann::json::object() : nlohmann::json();
      }
    }
    report.CompareJson(name, got);
  }
  return absl::OkStatus();
}

absl::Status RewriteFilesOp(const Case& c, Report& report) {
  for (const std::string& name : InputFiles(c)) {
    const std::string path = c.path("inputs/" + name + ".safetensors");
    const auto file = SafetensorsFile::Open(path);
    if (!file.ok()) return file.status();
    const auto original = ReadFile(path);
    if (!original.ok()) return original.status();
    const std::string written =
        SerializeSafetensors((*file)->entries(), (*file)->metadata(), (*file)->has_metadata());
    nlohmann::json got = c.expected_json.value(name, nlohmann::json::object());
    got["file_bytes"] = written.size();
    if (written != *original) got["header"] = "the bytes differ from the file's";
    report.CompareJson(name, got);
  }
  return absl::OkStatus();
}

absl::StatusOr<Autoencoder> LoadAutoencoder(const Case& c) {
  const auto text = ReadFile(c.model_dir + "/config.json");
  if (!text.ok()) return text.status();
  const auto config = AutoencoderConfig::FromJson(nlohmann::json::parse(*text), c.model_dir);
  if (!config.ok()) return config.status();
  for (const char* name : {"/ae.safetensors", "/model.safetensors"}) {
    if (!std::filesystem::exists(c.model_dir + name)) continue;
    auto tensors = LoadTensorsOf(c, name);
    if (!tensors.ok()) return tensors.status();
    return Autoencoder::Create(*config, *std::move(tensors), c.model_dir);
  }
  return absl::NotFoundError("no weights in " + c.model_dir);
}

absl::Status EncodeOp(const Case& c, Report& report, bool sample) {
  torch::NoGradGuard no_grad;
  const auto autoencoder = LoadAutoencoder(c);
  if (!autoencoder.ok()) return autoencoder.status();
  const Autoencoder::Moments moments = autoencoder->Encode(c.inputs.at("image"));
  torch::Tensor raw = moments.mean;
  if (sample) raw = raw + torch::exp(0.5 * moments.logvar) * c.inputs.at("noise");
  report.Compare("z", autoencoder->Normalize(raw));
  if (report.Expects("mean")) report.Compare("mean", moments.mean);
  if (report.Expects("logvar")) report.Compare("logvar", moments.logvar);
  return absl::OkStatus();
}

absl::Status DecodeOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto autoencoder = LoadAutoencoder(c);
  if (!autoencoder.ok()) return autoencoder.status();
  const torch::Tensor image = autoencoder->Decode(c.inputs.at("z"));
  report.Compare("image", image);
  report.Compare("image_u8", ToUint8(image));
  return absl::OkStatus();
}

absl::Status PatchifyOp(const Case& c, Report& report) {
  const int64_t p = c.params.at("p"), h = c.params.at("h"), w = c.params.at("w");
  const torch::Tensor tokens = Patchify(c.inputs.at("latent").unsqueeze(0), p);
  report.Compare("tokens", tokens.squeeze(0));
  report.Compare("latent_back", Unpatchify(tokens, p, h, w).squeeze(0));
  return absl::OkStatus();
}

}  // namespace

void RegisterFormatOps(Registry& registry) {
  registry["safetensors/read_files"] = ReadFilesOp;
  registry["safetensors/rewrite_files"] = RewriteFilesOp;
  registry["flux_ae/encode_mean"] = [](const Case& c, Report& report) { return EncodeOp(c, report, false); };
  registry["flux_ae/encode_sample"] = [](const Case& c, Report& report) { return EncodeOp(c, report, true); };
  registry["flux_ae/decode"] = DecodeOp;
  registry["flux_ae/patchify"] = PatchifyOp;
  RegisterImageOps(registry);
  RegisterQwen2Ops(registry);
  RegisterTokenizerOps(registry);
}

}  // namespace lvrpo::parity
