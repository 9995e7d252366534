#include "data/safetensors/checkpoint_index.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/files/filesystem.h"
#include "common/json/parse_json.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

constexpr uint64_t kMaxIndexBytes = 100000000;
constexpr size_t kMaxShards = 1000;  // each is an open file

using WeightMap = std::map<std::string, std::string>;  // tensor -> file

// {"metadata": {...}, "weight_map": {tensor: file}}. The JSON library keeps the last of two equal keys, so
// duplicates are detected while parsing.
absl::StatusOr<WeightMap> ReadWeightMap(const std::string& path) {
  const auto bad = [&](const auto&... words) {
    return absl::DataLossError(absl::StrCat(path, ": ", words...));
  };
  absl::StatusOr<std::shared_ptr<const RandomAccessFile>> file = RandomAccessFile::Open(path);
  if (!file.ok()) return file.status();
  if ((*file)->size() > kMaxIndexBytes) return bad("an index of more than ", kMaxIndexBytes, " bytes");
  std::string text((*file)->size(), '\0');
  if (absl::Status status = (*file)->Read(0, text.data(), text.size()); !status.ok()) return status;
  std::string section, twice;
  std::set<std::string> seen;
  const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    if (event != nlohmann::json::parse_event_t::key) return true;
    const std::string& key = parsed.get_ref<const std::string&>();
    if (depth == 1) {
      if (key == "weight_map" && section == key) twice = key;
      section = key;
    }
    if (depth == 2 && section == "weight_map" && !seen.insert(key).second) twice = key;
    return true;
  };
  const nlohmann::json json = nlohmann::json::parse(text, watch, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    const std::string kind = KnownFileKind(absl::string_view(text).substr(0, kFileKindBytes));
    return bad("not an index but ", kind.empty() ? std::string(ParseJson(text).status().message()) : kind);
  }
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
    return bad("not an index: want {\"weight_map\": {tensor: file}}");
  if (!twice.empty()) return bad("'", twice, "' is listed twice");
  WeightMap map;
  for (const auto& [tensor, name] : json["weight_map"].items()) {
    if (!name.is_string()) return bad("the file of '", tensor, "' is not a name");
    const std::string& shard = name.get_ref<const std::string&>();
    if (shard.find_first_of(std::string("/\\\0", 3)) != std::string::npos || shard == ".." || shard == "." ||
        !absl::EndsWith(shard, ".safetensors")) {
      return bad("the file '", shard, "' of '", tensor,
                 "' is not the plain name of a .safetensors file in the same folder");
    }
    map[tensor] = shard;
  }
  if (map.empty()) return bad("its weight_map is empty");
  return map;
}

absl::Status AddFile(CheckpointIndex& index, const std::string& path) {
  absl::StatusOr<std::shared_ptr<const RandomAccessFile>> file = RandomAccessFile::Open(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<SafetensorsLayout> layout = ReadSafetensorsLayout(**file);
  if (!layout.ok()) return layout.status();
  index.files.push_back(*std::move(file));
  for (auto& [name, place] : layout->tensors) {
    const auto [there, added] = index.tensors.try_emplace(name);
    if (!added) {
      return absl::DataLossError(absl::StrCat(
          "the tensor '", name, "' is in two shards: ", index.file_of(there->second).path(), " and ", path));
    }
    static_cast<SafetensorsPlace&>(there->second) = std::move(place);
    there->second.file = index.files.size() - 1;
  }
  return absl::OkStatus();
}

absl::StatusOr<CheckpointIndex> OpenShards(const std::string& folder, const std::string& index_path) {
  const absl::StatusOr<WeightMap> map = ReadWeightMap(index_path);
  if (!map.ok()) return map.status();
  std::set<std::string> names;
  for (const auto& [tensor, shard] : *map) names.insert(shard);
  if (names.size() > kMaxShards) {
    return absl::DataLossError(
        absl::StrCat(index_path, " lists ", names.size(), " files; the limit is ", kMaxShards));
  }
  CheckpointIndex index;
  index.source = index_path;
  for (const std::string& name : names) {
    if (absl::Status status = AddFile(index, JoinPath(folder, name)); !status.ok()) {
      return absl::DataLossError(absl::StrCat(index_path, " lists ", name, ": ", status.message()));
    }
  }
  for (const auto& [tensor, shard] : *map) {
    const auto there = index.tensors.find(tensor);
    if (there == index.tensors.end()) {
      return absl::DataLossError(absl::StrCat(index_path, " lists the tensor '", tensor, "' in ", shard,
                                              ", which does not hold it; no shard does"));
    }
    const std::string& path = index.file_of(there->second).path();
    if (path != JoinPath(folder, shard)) {
      return absl::DataLossError(absl::StrCat(index_path, " lists the tensor '", tensor, "' in ", shard,
                                              ", which does not hold it; ", path, " does"));
    }
  }
  for (const auto& [name, tensor] : index.tensors) {
    if (!map->contains(name)) {
      return absl::DataLossError(absl::StrCat(index_path, " does not list the tensor '", name, "', which ",
                                              index.file_of(tensor).path(), " holds"));
    }
  }
  return index;
}

// What a folder without weights may be, or "".
std::string WhatIsThereInstead(const std::string& folder) {
  const absl::StatusOr<std::vector<std::string>> names = ListFolder(folder);
  if (!names.ok()) return absl::StrCat("; ", names.status().message());
  for (const std::string& name : *names) {
    const std::string shown = OneLine(name);
    if (absl::StrContains(name, "-of-") && absl::EndsWith(name, ".safetensors"))
      return absl::StrCat("; ", shown, " is a shard, and the index that lists the shards is missing");
    for (const char* ending : {".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack"}) {
      if (absl::EndsWith(name, ending))
        return absl::StrCat("; ", shown, " is there: only safetensors are read, save its tensors as such");
    }
    for (const char* ending : {".incomplete", ".part", ".aria2", ".crdownload"}) {
      if (absl::EndsWith(name, ending))
        return absl::StrCat("; ", shown, " is a download that is not finished");
    }
    if (name == "snapshots") return "; it is a cache of the Hugging Face Hub: name a folder in its snapshots";
  }
  return "";
}

}  // namespace

absl::StatusOr<CheckpointIndex> OpenCheckpointFile(const std::string& path) {
  CheckpointIndex index;
  index.source = path;
  if (absl::Status status = AddFile(index, path); !status.ok()) return status;
  return index;
}

absl::StatusOr<CheckpointIndex> OpenCheckpoint(const std::string& folder,
                                               const std::vector<std::string>& stems) {
  std::vector<std::string> names;
  for (const std::string& stem : stems) {
    const std::string single = JoinPath(folder, stem + ".safetensors");
    const std::string index = single + ".index.json";
    if (const auto kind = KindOf(single); !kind.ok()) return kind.status();  // no permission
    if (Exists(index)) return OpenShards(folder, index);
    if (Exists(single)) return OpenCheckpointFile(single);
    for (const std::string& path : {index, single}) {
      if (const std::string what = WhatIsAt(path); !what.empty())
        return absl::NotFoundError(absl::StrCat(path, " is ", what));
    }
    names.push_back(stem + ".safetensors");
  }
  return absl::NotFoundError(absl::StrCat(folder, " holds no weights: neither ",
                                          absl::StrJoin(names, " nor "), " is there, whole or in shards",
                                          WhatIsThereInstead(folder)));
}

}  // namespace lvrpo
