#pragma once

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/files/filesystem.h"
#include "common/hash.h"
#include "learner/checkpoints/checkpoint_folder.h"
#include "learner/checkpoints/checkpoint_store.h"
#include "nlohmann/json.hpp"
#include "proto/lvrpo/v1/common.pb.h"
#include "tests/object_store/store_test.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {

// A run folder with checkpoints, and a store for them.
class CheckpointStoreTest : public StoreTest {
 protected:
  // One learner's store of the run "run-1"; files above 1000 bytes go in parts.
  std::unique_ptr<CheckpointStore> MakeStore() {
    auto store = std::make_unique<CheckpointStore>(Options(), "runs/",
                                                   TransferOptions{.part_bytes = 1000, .at_once = 2});
    store->NameRun("run-1");
    return store;
  }
  // A checkpoint folder of the run as a learner writes it; `content` makes its bytes.
  v1::CheckpointRecord Write(int64_t step, const std::string& content) const {
    v1::CheckpointRecord record;
    record.set_step(step);
    record.set_path(CheckpointPath(step));
    const std::string weights = Repeated(content, 5000), optimizer = Repeated(content + "/o", 300);
    run_.Write(record.path() + "/policy.safetensors", weights);
    run_.Write(record.path() + "/optimizer.safetensors", optimizer);
    run_.Write(record.path() + "/adapter/adapter_config.json", content);
    const std::string manifest = nlohmann::json{
        {"step", step},
        {"files",
         {{"policy.safetensors", Sha256Hex(weights)},
          {"optimizer.safetensors", Sha256Hex(optimizer)},
          {"adapter/adapter_config.json",
           Sha256Hex(content)}}}}.dump();
    run_.Write(record.path() + "/manifest.json", manifest);
    record.set_digest(Sha256Hex(manifest));
    return record;
  }
  absl::StatusOr<std::string> Upload(CheckpointStore& store, const v1::CheckpointRecord& record) const {
    int64_t sent = 0;
    return store.Upload(run_ / record.path(), record.step(), record.digest(), &sent);
  }
  static std::string Repeated(const std::string& text, size_t size) {
    std::string bytes;
    while (bytes.size() < size) bytes += absl::StrCat(text, bytes.size(), ";");
    return bytes;
  }
  bool InStore(const std::string& key) const { return fake_.objects().contains("runs/run-1/" + key); }

  const TemporaryFolder run_;
};

}  // namespace lvrpo
