#include "shapes_world/prompt_files.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/file.h"
#include "data/image/png.h"
#include "data/prompts/prompts.h"
#include "shapes_world/captions.h"
#include "shapes_world/composition.h"

namespace lvrpo::shapes {
namespace {

std::vector<v1::PromptRecord> ImageRecords(bool held_out, int per_kind, Random& random) {
  std::vector<v1::PromptRecord> records;
  for (int kind = 0; kind < kKindCount; ++kind) {
    std::vector<Composition> compositions;
    for (const Composition& composition : AllCompositions(static_cast<Composition::Kind>(kind))) {
      if (IsHeldOut(composition) == held_out) compositions.push_back(composition);
    }
    for (size_t i = compositions.size(); i > 1; --i) {
      std::swap(compositions[i - 1], compositions[static_cast<size_t>(random.Below(static_cast<int>(i)))]);
    }
    for (int i = 0; i < per_kind; ++i) {
      const std::string id = absl::StrFormat("%s-%s-%03d", held_out ? "heldout" : "train",
                                             kKindNames[static_cast<size_t>(kind)], i);
      records.push_back(MakeRecord(compositions[static_cast<size_t>(i) % compositions.size()], id, random));
    }
  }
  return records;
}

absl::StatusOr<std::vector<v1::PromptRecord>> QuestionRecords(const std::string& folder,
                                                              const std::string& name, int count,
                                                              Random& random) {
  std::vector<v1::PromptRecord> records;
  for (int i = 0; i < count; ++i) {
    Scene scene = RandomScene(random);
    scene.noise = 0;  // plain backgrounds make small files
    QuestionAnswer question = AskAbout(scene, random);
    v1::PromptRecord record;
    record.set_id(absl::StrFormat("%s-question-%03d", name, i));
    record.set_task(v1::TASK_KIND_TEXT);
    record.set_kind(question.kind);
    record.set_text(question.question);
    record.set_answer(question.answer);
    record.set_source_image(absl::StrCat("images/", record.id(), ".png"));
    if (absl::Status status = WritePng(JoinPath(folder, record.source_image()), Render(scene));
        !status.ok()) {
      return status;
    }
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace

absl::Status WritePromptFiles(const std::string& folder, const PromptFileOptions& options) {
  if (absl::Status status = MakeFolder(JoinPath(folder, "images")); !status.ok()) return status;
  // Each file has its own random stream: a longer one changes none of the others.
  uint64_t stream = 0;
  const auto next_random = [&] { return Random(StreamSeed(options.seed, stream++)); };
  struct File {
    const char* name;
    std::vector<v1::PromptRecord> records;
  };
  std::vector<File> files;
  for (const auto& [file, held_out, per_kind] :
       {std::tuple{"train_image.jsonl", false, options.train_images_per_kind},
        {"heldout_image.jsonl", true, options.heldout_images_per_kind}}) {
    Random random = next_random();
    files.push_back({file, ImageRecords(held_out, per_kind, random)});
  }
  for (const auto& [file, name, count] : {std::tuple{"train_text.jsonl", "train", options.train_questions},
                                          {"heldout_text.jsonl", "heldout", options.heldout_questions}}) {
    Random random = next_random();
    auto records = QuestionRecords(folder, name, count, random);
    if (!records.ok()) return records.status();
    files.push_back({file, *std::move(records)});
  }
  for (const File& file : files) {
    if (absl::Status status = WritePromptFile(JoinPath(folder, file.name), file.records); !status.ok())
      return status;
  }
  return absl::OkStatus();
}

}  // namespace lvrpo::shapes
