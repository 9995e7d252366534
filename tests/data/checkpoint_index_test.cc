#include "data/safetensors/checkpoint_index.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "common/files/file.h"
#include "data/safetensors/safetensors.h"
#include "data/safetensors/safetensors_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/testing/safetensors_bytes.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class CheckpointFolder : public ::testing::Test {
 protected:
  CheckpointFolder() { EXPECT_TRUE(MakeFolder(folder()).ok()); }

  std::string folder() const { return here_ / "model"; }
  std::string file(const std::string& name) const { return folder() + "/" + name; }
  // A safetensors file of U8 vectors.
  void Save(const std::string& name, const std::map<std::string, std::string>& tensors) const {
    std::map<std::string, SafetensorsEntry> entries;
    for (const auto& [tensor, bytes] : tensors) entries[tensor] = {"U8", {bytes.size()}, bytes};
    ASSERT_TRUE(WriteSafetensors(file(name), entries, {}).ok());
  }
  void SaveIndex(const std::string& text) const {
    ASSERT_TRUE(WriteFileAtomic(file("model.safetensors.index.json"), text).ok());
  }
  void SaveShards() const {
    Save("a.safetensors", {{"x", "12"}, {"y", "345"}});
    Save("b.safetensors", {{"z", "6"}});
    SaveIndex(R"({"metadata": {"total_size": 6},
                  "weight_map": {"x": "a.safetensors", "y": "a.safetensors", "z": "b.safetensors"}})");
  }
  absl::StatusOr<CheckpointIndex> Open() const { return OpenCheckpoint(folder(), {"ema", "model"}); }
  // What the tensor's bytes are on disk.
  std::string Bytes(const CheckpointIndex& index, const std::string& name) const {
    const CheckpointIndex::Tensor& tensor = index.tensors.at(name);
    std::string bytes(tensor.bytes(), '\0');
    EXPECT_TRUE(index.file_of(tensor).Read(tensor.begin, bytes.data(), bytes.size()).ok());
    return bytes;
  }

  const TemporaryFolder here_;
};

TEST_F(CheckpointFolder, FindsTensorsOfOneFileAndOfShards) {
  SaveShards();
  absl::StatusOr<CheckpointIndex> index = Open();
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_EQ(index->files.size(), 2u);
  EXPECT_EQ(Bytes(*index, "x") + Bytes(*index, "y") + Bytes(*index, "z"), "123456");

  // The first existing one of several stems.
  Save("ema.safetensors", {{"x", "7"}});
  index = Open();
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_EQ(index->source, file("ema.safetensors"));
  EXPECT_EQ(Bytes(*index, "x"), "7");
}

TEST_F(CheckpointFolder, TakesTheSingleFileOnlyWithoutAnIndex) {
  SaveShards();
  Save("model.safetensors", {{"x", "7"}});
  EXPECT_EQ(Open()->tensors.size(), 3u);
  std::filesystem::remove(file("model.safetensors.index.json"));
  EXPECT_EQ(Open()->tensors.size(), 1u);
}

TEST_F(CheckpointFolder, FollowsLinksAsADownloadCacheHasThem) {
  SaveShards();
  std::filesystem::rename(file("b.safetensors"), here_ / "blob");
  std::filesystem::create_symlink("../blob", file("b.safetensors"));
  const absl::StatusOr<CheckpointIndex> index = Open();
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_EQ(Bytes(*index, "z"), "6");
}

TEST_F(CheckpointFolder, NamesWhatItLookedFor) {
  const absl::Status status = Open().status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(folder()), HasSubstr("ema.safetensors"), HasSubstr("model.safetensors")));
}

TEST_F(CheckpointFolder, RefusesAnIndexThatDoesNotFitItsShards) {
  struct Damage {
    const char* map;  // the weight_map
    std::vector<std::string> words;
  };
  const std::vector<Damage> damages = {
      {R"({"x": "../a.safetensors"})", {"'../a.safetensors'", "plain name"}},
      {R"({"x": "/etc/a.safetensors"})", {"'/etc/a.safetensors'", "plain name"}},
      {R"({"x": "sub/a.safetensors"})", {"'sub/a.safetensors'", "plain name"}},
      {R"({"x": ".."})", {"'..'", "plain name"}},
      {R"({"x": ""})", {"plain name"}},
      {R"({"x": "a.safetensors\u0000.safetensors"})", {"plain name"}},
      {R"({"x": "config.json"})", {"plain name"}},
      {R"({"x": 3})", {"the file of 'x' is not a name"}},
      {R"({})", {"weight_map is empty"}},
      {R"([])", {"not an index"}},
      {R"({"x": "a.safetensors", "y": "a.safetensors", "x": "b.safetensors", "z": "b.safetensors"})",
       {"'x' is listed twice"}},
      {R"({"x": "a.safetensors", "y": "a.safetensors", "z": "c.safetensors"})",
       {"c.safetensors", "cannot open"}},
      {R"({"x": "b.safetensors", "y": "a.safetensors", "z": "b.safetensors"})",
       {"'x' in b.safetensors, which does not hold it", "a.safetensors does"}},
      {R"({"x": "a.safetensors", "y": "a.safetensors", "z": "b.safetensors", "w": "b.safetensors"})",
       {"'w' in b.safetensors", "no shard does"}},
      {R"({"x": "a.safetensors", "z": "b.safetensors"})", {"does not list the tensor 'y'", "a.safetensors"}},
      {R"({"x": "a.safetensors", "y": "a.safetensors", "z": "twice.safetensors"})", {"'x' is in two shards"}},
      {R"({"x": "a.safetensors", "y": "a.safetensors", "z": "cut.safetensors"})",
       {"cut.safetensors", "not a sound safetensors file"}},
  };
  SaveShards();
  Save("twice.safetensors", {{"x", "12"}, {"z", "6"}});
  const std::string bytes = *ReadFile(file("b.safetensors"));
  ASSERT_TRUE(WriteFileAtomic(file("cut.safetensors"), bytes.substr(0, bytes.size() - 1)).ok());
  for (const Damage& damage : damages) {
    SaveIndex(std::string(R"({"weight_map": )") + damage.map + "}");
    const absl::Status status = Open().status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << damage.map << ": " << status;
    for (const std::string& words : damage.words)
      EXPECT_THAT(std::string(status.message()), HasSubstr(words)) << damage.map;
  }
  for (const char* text :
       {"", "3", "{", "{}", R"({"weight_map": {"x": "a.safetensors"}, "weight_map": {}})"}) {
    SaveIndex(text);
    EXPECT_TRUE(absl::IsDataLoss(Open().status())) << text;
  }
}

TEST_F(CheckpointFolder, SaysWhatIsThereInsteadOfTheWeights) {
  const auto message = [this] {
    const absl::Status status = Open().status();
    EXPECT_FALSE(status.ok());
    return std::string(status.message());
  };
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 14617000000\n";
  for (const auto& [bytes, says] : {std::pair<std::string, const char*>{pointer, "it is a Git LFS pointer"},
                                    {"<!DOCTYPE html><html>", "it is a web page"},
                                    {"{\"error\": \"not found\"}", "it is a text that begins \"{\"error\""},
                                    {"", "it is empty"},
                                    {std::string("PK\x03\x04\x14\0\0\0", 8), "torch.save"}}) {
    ASSERT_TRUE(WriteFileAtomic(file("ema.safetensors"), bytes).ok());
    EXPECT_THAT(message(), HasSubstr(file("ema.safetensors") + " is not a safetensors file; ")) << bytes;
    EXPECT_THAT(message(), HasSubstr(says)) << bytes;
    const absl::Status mapped = SafetensorsFile::Open(file("ema.safetensors")).status();
    EXPECT_THAT(std::string(mapped.message()), HasSubstr(says)) << bytes;
  }
  std::filesystem::remove(file("ema.safetensors"));

  ASSERT_EQ(symlink("../../blobs/3f2a", file("ema.safetensors").c_str()), 0);
  EXPECT_THAT(message(), HasSubstr("ema.safetensors is a link to ../../blobs/3f2a, which is not there"));
  std::filesystem::remove(file("ema.safetensors"));

  for (const auto& [name, says] :
       {std::pair{"ema.safetensors.incomplete", "a download that is not finished"},
        {"model-00001-of-00002.safetensors", "is a shard, and the index that lists the shards is missing"},
        {"pytorch_model.bin", "only safetensors are read"}}) {
    ASSERT_TRUE(WriteFileAtomic(file(name), "x").ok());
    EXPECT_THAT(message(), HasSubstr(says)) << name;
    std::filesystem::remove(file(name));
  }
  SaveIndex("{\"weight_map\": {\"x\": NaN}}");
  EXPECT_THAT(message(), HasSubstr("not an index but not JSON at column 22: NaN is no JSON value"));
  SaveIndex(pointer);
  EXPECT_THAT(message(), HasSubstr("not an index but a Git LFS pointer"));
}

TEST_F(CheckpointFolder, SaysThatAFileWasCutOff) {
  SaveShards();
  const std::string path = file("b.safetensors");
  const std::string bytes = *ReadFile(path);
  for (const auto& [size, says] :
       {std::pair{bytes.size() - 1, "the file was cut off, fetch it again"},
        {size_t{20}, "runs past the end of the file, which may have been cut off"}}) {
    ASSERT_TRUE(WriteFileAtomic(path, bytes.substr(0, size)).ok());
    EXPECT_THAT(std::string(SafetensorsFile::Open(path).status().message()), HasSubstr(says));
  }
}

TEST_F(CheckpointFolder, RefusesWhatIsNoFile) {
  std::filesystem::create_directory(file("ema.safetensors"));
  EXPECT_TRUE(absl::IsDataLoss(Open().status()));
  std::filesystem::remove(file("ema.safetensors"));
  ASSERT_EQ(mkfifo(file("ema.safetensors").c_str(), 0600), 0);  // must not wait for a writer
  EXPECT_TRUE(absl::IsDataLoss(Open().status()));
}

TEST_F(CheckpointFolder, NoticesAFileThatChangesAfterItWasOpened) {
  SaveShards();
  const absl::StatusOr<CheckpointIndex> index = Open();
  ASSERT_TRUE(index.ok());
  const CheckpointIndex::Tensor& z = index->tensors.at("z");
  EXPECT_TRUE(index->file_of(z).CheckUnchanged().ok());
  std::filesystem::resize_file(file("b.safetensors"), z.begin);
  char byte = 0;
  EXPECT_TRUE(absl::IsDataLoss(index->file_of(z).Read(z.begin, &byte, 1)));
  EXPECT_TRUE(absl::IsDataLoss(index->file_of(z).CheckUnchanged()));
}

// --- The streaming writer.

TEST_F(CheckpointFolder, AWriterInPiecesGivesTheBytesOfTheWriterAtOnce) {
  const std::map<std::string, SafetensorsEntry> entries = {
      {"b", {"U8", {3}, "abc"}}, {"a", {"U8", {2, 0}, ""}}, {"f", {"F32", {1}, "wxyz"}}};
  absl::StatusOr<std::unique_ptr<SafetensorsWriter>> writer = SafetensorsWriter::Create(
      file("s.safetensors"), {{"b", "U8", {3}}, {"a", "U8", {2, 0}}, {"f", "F32", {1}}}, {{"format", "pt"}});
  ASSERT_TRUE(writer.ok()) << writer.status();
  for (const SafetensorsDescription& tensor : (*writer)->order()) {
    for (const char byte : entries.at(tensor.name).bytes)
      ASSERT_TRUE((*writer)->Append(absl::string_view(&byte, 1)).ok());
  }
  EXPECT_FALSE(std::filesystem::exists(file("s.safetensors")));  // not before it is whole
  ASSERT_TRUE((*writer)->Finish().ok());
  EXPECT_EQ(*ReadFile(file("s.safetensors")), SerializeSafetensors(entries, {{"format", "pt"}}));
}

TEST_F(CheckpointFolder, AWriterThatIsLeftLeavesNothing) {
  {
    auto writer = SafetensorsWriter::Create(file("s.safetensors"), {{"b", "U8", {3}}}, {});
    ASSERT_TRUE((*writer)->Append("ab").ok());
    EXPECT_TRUE(absl::IsFailedPrecondition((*writer)->Finish()));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder()));
}

}  // namespace
}  // namespace lvrpo
