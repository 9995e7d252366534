#include "evaluation/sample_writer.h"

#include "common/files/filesystem.h"
#include "data/image/png.h"
#include "data/prompts/sample_file.h"

namespace lvrpo {

nlohmann::json ImageLine(const ImageJudgement& judgement) {
  return {{"task", "image"},
          {"id", judgement.id},
          {"kind", judgement.kind},
          {"correct", judgement.correct},
          {"presence_only", judgement.presence_only},
          {"objects", judgement.objects}};
}

absl::Status SampleWriter::Add(const ImageJudgement& judgement, const RgbImage& image) {
  if (taken_[judgement.kind]++ >= per_kind_) return absl::OkStatus();
  const std::string file = SampleFileName(samples_.size());
  if (absl::Status status = WritePng(JoinPath(folder_, file), image); !status.ok()) return status;
  nlohmann::json sample = ImageLine(judgement);
  sample["prompt"] = judgement.prompt;
  sample["image"] = file;
  sample["detected"] = judgement.detected;
  samples_.push_back(std::move(sample));
  return absl::OkStatus();
}

}  // namespace lvrpo
