// Ids of records and of runs: whatever they hold, they are refused in a sentence, or shown and never used as
// paths.
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/report/chart.h"
#include "common/files/file_kind.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"
#include "common/run_folder/run_folder.h"
#include "common/utf8.h"
#include "data/prompts/prompts.h"
#include "data/prompts/sample_file.h"
#include "nlohmann/json.hpp"
#include "tests/fuzz/fuzz.h"

namespace {

constexpr size_t kMostIds = 16;

void Require(bool holds) {
  if (!holds) std::abort();
}

bool HoldsControls(absl::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  }
  return false;
}

void RequireShowable(const std::string& id) {
  const std::string line = lvrpo::OneLine(id, 100);
  Require(lvrpo::unicode::IsValidUtf8(line) && !HoldsControls(line) && line.size() <= 4 * 100 + 3);
  Require(lvrpo::EscapeHtml(id).find_first_of("<>\"'") == std::string::npos);
}

// A file of records with these ids: read, and each gets a separate picture in the folder.
void ReadRecords(const std::vector<std::string>& lines) {
  const lvrpo::fuzz::MemoryFile file(absl::StrJoin(lines, "\n"));
  const auto records = lvrpo::ReadPromptFile(file.path());
  if (!records.ok()) {
    Require(lvrpo::unicode::IsValidUtf8(records.status().message()));
    for (const absl::string_view line : absl::StrSplit(records.status().message(), '\n'))
      Require(!HoldsControls(line));
    return;
  }
  std::set<std::string> ids, files;
  for (size_t i = 0; i < records->size(); ++i) {
    const std::string& id = (*records)[i].id();
    const std::string name = lvrpo::SampleFileName(i);
    Require(ids.insert(id).second && files.insert(name).second);
    Require(lvrpo::IsPlainFileName(name) && lvrpo::ParentFolder(lvrpo::JoinPath("out", name)) == "out");
    const nlohmann::json sample = {{"id", id}, {"image", name}};
    Require(nlohmann::json::parse(lvrpo::JsonText(sample), nullptr, false) == sample);
    RequireShowable(id);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes = lvrpo::fuzz::Bytes(data, size);
  std::vector<std::string> raw, escaped;
  for (const absl::string_view part : absl::StrSplit(bytes, absl::MaxSplits('\n', kMostIds))) {
    const std::string id(part);
    constexpr char kRest[] = R"("task":"TASK_KIND_IMAGE","text":"a circle"})";
    raw.push_back(absl::StrCat("{\"id\":\"", id, "\",", kRest));
    escaped.push_back(absl::StrCat("{\"id\":", lvrpo::JsonText(id), ",", kRest));
    RequireShowable(id);
  }
  ReadRecords(raw);
  ReadRecords(escaped);
  const std::string run_id(bytes);
  if (lvrpo::CheckRunId(run_id).ok())
    Require(lvrpo::IsPlainFileName(run_id) && lvrpo::ParentFolder(lvrpo::JoinPath("out", run_id)) == "out");
  return 0;
}
