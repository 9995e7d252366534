#include "learner/copies/step_copies.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/files/folder_token.h"
#include "common/files/reused_file.h"
#include "common/hash.h"
#include "common/json/json_text.h"
#include "common/names.h"
#include "common/version.h"
#include "learner/copies/state_slices.h"
#include "verifiers/rules/bounded_json.h"

namespace lvrpo {
namespace {

constexpr char kTensors[] = ".safetensors", kManifest[] = ".json";
constexpr size_t kMostManifest = 1 << 16;

// The next step's copy takes the place of the one before this.
std::string StemOf(int64_t step, int part, int parts) {
  return absl::StrCat("step-", step % 2, ".part-", part, "-of-", parts);
}

absl::string_view BytesOf(const torch::Tensor& tensor) {
  return {static_cast<const char*>(tensor.data_ptr()), tensor.nbytes()};
}

void AddToChecksum(const std::string& name, const torch::Tensor& tensor, std::string& text) {
  absl::StrAppend(&text, name, " ", tensor.numel(), " ", Crc32(BytesOf(tensor)), "\n");
}

std::string ChecksumOf(const TensorMap& tensors) {
  std::string text;
  for (const auto& [name, tensor] : tensors) AddToChecksum(name, tensor, text);
  return Sha256Hex(text);
}

// What a manifest says but the checksum.
nlohmann::json Claim(const StepCopies::Options& options, const CopiedStep& step, const CopyOffer& copy) {
  return {{"format", kRunFormat},  {"program", kVersion},
          {"run", options.run_id}, {"config_digest", options.config_digest},
          {"step", step.step},     {"weights_digest", step.digest},
          {"epoch", copy.epoch},   {"part", copy.part},
          {"parts", copy.parts}};
}

absl::StatusOr<nlohmann::json> ReadManifest(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMostManifest);
  if (!text.ok()) return text.status();
  absl::StatusOr<nlohmann::json> manifest =
      ParseBoundedJson(*text, {.bytes = kMostManifest, .values = 100, .depth = 2, .unique_keys = true});
  if (!manifest.ok() || !manifest->is_object()) return absl::DataLossError(path + " is damaged");
  return manifest;
}

// Writes the tensors over the file that is there; returns their checksum.
absl::StatusOr<std::string> Overwrite(const std::string& path, const TensorMap& tensors) {
  std::vector<SafetensorsDescription> descriptions = DescriptionsOf(tensors);
  const std::string header = SafetensorsHeader(descriptions, {});
  const absl::StatusOr<std::unique_ptr<ReusedFile>> file = ReusedFile::Open(path);
  if (!file.ok()) return file.status();
  if (absl::Status status = (*file)->Append(header); !status.ok()) return status;
  std::map<std::string, std::string> sums;
  for (const SafetensorsDescription& description : descriptions) {
    const torch::Tensor plain = tensors.at(description.name).detach().cpu().contiguous();
    AddToChecksum(description.name, plain, sums[description.name]);
    if (absl::Status status = (*file)->Append(BytesOf(plain)); !status.ok()) return status;
  }
  if (absl::Status status = (*file)->Finish(); !status.ok()) return status;
  std::string text;
  for (const auto& [name, sum] : sums) text += sum;
  return Sha256Hex(text);
}

// Others on this machine may write to its parent, such as /dev/shm.
absl::Status CheckIsOwn(const std::string& folder) {
  struct stat about = {};
  if (lstat(folder.c_str(), &about) != 0) return FileError("read", folder, errno);
  if (S_ISDIR(about.st_mode) && about.st_uid == geteuid() && (about.st_mode & (S_IWGRP | S_IWOTH)) == 0)
    return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat(folder, " is not a folder that only this user may write to: remove it"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<StepCopies>> StepCopies::Open(Options options) {
  if (!IsName(options.run_id, kMostRunId))
    return absl::InvalidArgumentError(
        absl::StrCat("the run's id ", options.run_id, " is no name for a folder"));
  if (absl::Status status = MakeFolder(options.folder); !status.ok()) return status;
  std::string folder = JoinPath(options.folder, options.run_id);
  if (mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) return FileError("make", folder, errno);
  if (absl::Status status = CheckIsOwn(folder); !status.ok()) return status;
  absl::StatusOr<std::string> token = FolderToken(folder);
  if (!token.ok()) return token.status();
  return std::unique_ptr<StepCopies>(
      new StepCopies(std::move(options), std::move(folder), *std::move(token)));
}

std::vector<CopyOffer> StepCopies::Find(const CopiedStep& step) const {
  std::vector<CopyOffer> found;
  for (const std::string& name : ListFolder(folder_).value_or(std::vector<std::string>())) {
    if (!absl::EndsWith(name, kManifest)) continue;
    const absl::StatusOr<nlohmann::json> manifest = ReadManifest(JoinPath(folder_, name));
    if (!manifest.ok()) continue;
    CopyOffer copy;
    for (const auto& [key, value] :
         {std::pair<const char*, int*>{"part", &copy.part}, {"parts", &copy.parts}}) {
      const auto number = manifest->find(key);
      if (number != manifest->end() && number->is_number_integer()) *value = number->get<int>();
    }
    if (const auto epoch = manifest->find("epoch"); epoch != manifest->end() && epoch->is_string())
      copy.epoch = epoch->get<std::string>();
    nlohmann::json claim = *manifest;
    claim.erase("checksum");
    if (claim == Claim(options_, step, copy) &&
        name == absl::StrCat(StemOf(step.step, copy.part, copy.parts), kManifest))
      found.push_back(std::move(copy));
  }
  return found;
}

absl::StatusOr<TensorMap> StepCopies::Read(const CopiedStep& step, const CopyOffer& copy) const {
  const std::string path = JoinPath(folder_, StemOf(step.step, copy.part, copy.parts));
  const absl::StatusOr<nlohmann::json> manifest = ReadManifest(path + kManifest);
  if (!manifest.ok()) return manifest.status();
  nlohmann::json claim = *manifest;
  claim.erase("checksum");
  if (claim != Claim(options_, step, copy)) return absl::NotFoundError(path + " is of another step");
  absl::StatusOr<TensorMap> tensors = LoadTensors(path + kTensors, std::nullopt);
  if (!tensors.ok()) return tensors.status();
  if (manifest->value("checksum", "") != ChecksumOf(*tensors))
    return absl::DataLossError(absl::StrCat(path, kTensors, " is damaged"));
  return tensors;
}

absl::Status StepCopies::Write(const CopiedStep& step, const CopyOffer& copy, const TensorMap& tensors) {
  const std::string path = JoinPath(folder_, StemOf(step.step, copy.part, copy.parts));
  if (absl::Status status = RemoveFile(path + kManifest); !status.ok()) return status;
  const absl::StatusOr<std::string> checksum = Overwrite(path + kTensors, tensors);
  if (!checksum.ok()) {
    (void)RemoveFile(path + kTensors);  // its memory is needed
    return checksum.status();
  }
  nlohmann::json manifest = Claim(options_, step, copy);
  manifest["checksum"] = *checksum;
  return WriteFileAtomic(path + kManifest, JsonText(manifest) + "\n");
}

void StepCopies::RemoveOthers(int64_t step, const std::vector<int>& kept, int parts) {
  for (const std::string& name : ListFolder(folder_).value_or(std::vector<std::string>())) {
    const bool stays = !absl::StartsWith(name, absl::StrCat("step-", step % 2, ".")) ||
                       std::any_of(kept.begin(), kept.end(), [&](int part) {
                         return absl::StartsWith(name, StemOf(step, part, parts) + ".");
                       });
    if (!stays) (void)RemoveFile(JoinPath(folder_, name));
  }
}

void StepCopies::Remove() { (void)RemoveTree(folder_); }

}  // namespace lvrpo
