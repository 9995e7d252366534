#include "model/folders/inspect.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/bagel_folder.h"
#include "model/weights/tensor_dtypes.h"

namespace lvrpo {
namespace {

constexpr const char* kParts[] = {
    "embeddings and head", "understanding half", "generation half", "vision tower", "connector",
    "latent in and out",   "time embedder",      "position tables", "autoencoder",  "experts and routers"};

void Add(Inspection::Size& size, const SafetensorsPlace& place) {
  ++size.tensors;
  size.parameters += static_cast<int64_t>(place.elements());
  size.bytes += static_cast<int64_t>(place.bytes());
}

std::string Gigabytes(int64_t bytes) { return absl::StrFormat("%.3f GB", static_cast<double>(bytes) / 1e9); }

std::string SizeRow(const std::string& name, const Inspection::Size& size) {
  return absl::StrFormat("  %-22s %8d %18d %14s\n", name, size.tensors, size.parameters,
                         Gigabytes(size.bytes));
}

std::string MemoryRow(const std::string& what, int64_t bytes, const std::string& how) {
  return absl::StrFormat("  %-34s %14s   %s\n", what, Gigabytes(bytes), how);
}

nlohmann::json SizeJson(const Inspection::Size& size) {
  return {{"tensors", size.tensors}, {"parameters", size.parameters}, {"bytes", size.bytes}};
}

nlohmann::json LinesJson(const std::vector<MemoryLine>& lines) {
  nlohmann::json list = nlohmann::json::array();
  for (const MemoryLine& line : lines)
    list.push_back({{"what", line.what}, {"bytes", line.bytes}, {"how", line.how}});
  return list;
}

}  // namespace

std::string PartOf(const std::string& tensor) {
  if (absl::StrContains(tensor, "embed_tokens") || absl::StrContains(tensor, "lm_head")) return kParts[0];
  if (absl::StrContains(tensor, ".mlp.experts.") || absl::StrContains(tensor, ".mlp.gate.")) return kParts[9];
  if (absl::StartsWith(tensor, "language_model."))
    return absl::StrContains(tensor, "_moe_gen") ? kParts[2] : kParts[1];
  if (absl::StartsWith(tensor, "vit_model.")) return kParts[3];
  if (absl::StartsWith(tensor, "connector.")) return kParts[4];
  if (absl::StartsWith(tensor, "vae2llm.") || absl::StartsWith(tensor, "llm2vae.")) return kParts[5];
  if (absl::StartsWith(tensor, "time_embedder.")) return kParts[6];
  return kParts[7];
}

absl::StatusOr<Inspection> InspectBagel(const std::string& folder, const MemoryOptions& options) {
  const absl::StatusOr<BagelFolder> policy = OpenBagelFolder(folder);
  if (!policy.ok()) return policy.status();
  const absl::StatusOr<StoredWeights> autoencoder = OpenAutoencoder(folder, policy->config.autoencoder);
  if (!autoencoder.ok()) return autoencoder.status();
  absl::StatusOr<MemoryPlan> memory = PlanMemory(policy->config, options);
  if (!memory.ok()) return memory.status();
  Inspection inspection;
  inspection.folder = folder;
  inspection.config = policy->config;
  inspection.memory = *std::move(memory);
  std::map<std::string, Inspection::Size> parts;
  const auto count = [&](const StoredWeights& weights, bool is_policy) {
    for (const auto& [name, tensor] : weights.index().tensors) {
      Add(parts[is_policy ? PartOf(name) : kParts[8]], tensor);
      Add(inspection.dtypes[tensor.dtype], tensor);
      Add(inspection.total, tensor);
    }
  };
  count(policy->weights, true);
  count(*autoencoder, false);
  for (const char* part : kParts) {
    if (part != kParts[9] || policy->config.router.top_k) inspection.parts.emplace_back(part, parts[part]);
  }
  return inspection;
}

std::string InspectionTable(const Inspection& inspection) {
  const MemoryPlan& memory = inspection.memory;
  std::string text = absl::StrCat(inspection.folder, ": BAGEL, ", inspection.config.layers,
                                  " layers of width ", inspection.config.hidden, "\n\n");
  absl::StrAppendFormat(&text, "  %-22s %8s %18s %14s\n", "part", "tensors", "parameters", "stored");
  for (const auto& [part, size] : inspection.parts) text += SizeRow(part, size);
  text += SizeRow("all", inspection.total);
  absl::StrAppendFormat(&text, "\n  %-22s %8s %18s %14s\n", "dtype", "tensors", "parameters", "stored");
  for (const auto& [dtype, size] : inspection.dtypes) text += SizeRow(dtype, size);

  const MemoryOptions& o = memory.options;
  absl::StrAppendFormat(&text,
                        "\nMemory as %s, images of %d x %d (%d latent tokens), %d guidance branches, groups "
                        "of %d, contexts of %d "
                        "tokens,\ntrained: %s%s, %d parameters\n\n",
                        SafetensorsDtype(o.dtype), o.image_size, o.image_size, memory.image_tokens,
                        o.guidance_branches, o.group_size, o.context_tokens, absl::StrJoin(o.trainable, " "),
                        o.lora_rank > 0 ? absl::StrCat(" (LoRA of rank ", o.lora_rank, ")") : "",
                        memory.trained_parameters);
  for (const MemoryLine& line : memory.units) text += MemoryRow(line.what, line.bytes, line.how);
  for (const RoleMemory& role : memory.roles) {
    absl::StrAppend(&text, "\n", role.role, "\n");
    for (const MemoryLine& line : role.lines) text += MemoryRow(line.what, line.bytes, line.how);
    text += MemoryRow("together", role.total(), "");
  }
  return text;
}

nlohmann::json InspectionJson(const Inspection& inspection) {
  const MemoryPlan& memory = inspection.memory;
  nlohmann::json parts = nlohmann::json::array(), dtypes = nlohmann::json::object(),
                 roles = nlohmann::json::object();
  for (const auto& [part, size] : inspection.parts) {
    parts.push_back(SizeJson(size));
    parts.back()["part"] = part;
  }
  for (const auto& [dtype, size] : inspection.dtypes) dtypes[dtype] = SizeJson(size);
  for (const RoleMemory& role : memory.roles)
    roles[role.role] = {{"bytes", role.total()}, {"lines", LinesJson(role.lines)}};
  const MemoryOptions& o = memory.options;
  return {{"folder", inspection.folder},
          {"layers", inspection.config.layers},
          {"hidden_size", inspection.config.hidden},
          {"parts", parts},
          {"dtypes", dtypes},
          {"total", SizeJson(inspection.total)},
          {"memory",
           {{"options",
             {{"dtype", SafetensorsDtype(o.dtype)},
              {"image_size", o.image_size},
              {"guidance_branches", o.guidance_branches},
              {"group_size", o.group_size},
              {"context_tokens", o.context_tokens},
              {"trainable", o.trainable},
              {"lora_rank", o.lora_rank}}},
            {"image_tokens", memory.image_tokens},
            {"trained_parameters", memory.trained_parameters},
            {"units", LinesJson(memory.units)},
            {"roles", roles}}}};
}

}  // namespace lvrpo
