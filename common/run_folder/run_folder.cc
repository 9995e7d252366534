#include "common/run_folder/run_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"
#include "common/names.h"
#include "common/utf8.h"
#include "common/version.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

std::string FreshRunId(const std::string& name) {
  return absl::StrCat(name, "-", absl::FormatTime("%Y%m%d-%H%M%S", RealClock().Now(), absl::LocalTimeZone()));
}

absl::Status RunFolder::Save() const {
  const absl::StatusOr<std::string> working_folder = AbsolutePath(".");
  if (!working_folder.ok()) return working_folder.status();
  nlohmann::json json = {{"format", kRunFormat}, {"program", kVersion},
                         {"run_id", run_id},     {"working_folder", *working_folder},
                         {"resumed", resumed},   {"seconds", seconds}};
  // JSON cannot hold every path.
  if (!unicode::IsValidUtf8(*working_folder))
    json["working_folder_hex"] = absl::BytesToHexString(*working_folder);
  return WriteFileAtomic(Inside("run.json"), JsonText(json, 2) + "\n");
}

namespace {

constexpr int kMostOfOneSecond = 1000;

// Creates the folder; AlreadyExists when it exists.
absl::Status MakeNewFolder(const std::string& path) {
  if (absl::Status status = MakeFolder(ParentFolder(path)); !status.ok()) return status;
  if (mkdir(path.c_str(), 0777) == 0) return absl::OkStatus();
  if (errno != EEXIST) return FileError("make the folder", path, errno);
  return absl::AlreadyExistsError(
      absl::StrCat(path, " exists: go on with `lvrpo run --resume ", path, "`, or choose another --run-id"));
}

absl::Status MakeSubfolders(const RunFolder& folder) {
  for (const char* name : {"logs", "images", "checkpoints", "spool"}) {
    if (absl::Status status = MakeFolder(folder.Inside(name)); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckRunId(const std::string& run_id) {
  if (IsName(run_id, kMostRunId)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the run would have the id '", OneLine(run_id),
                   "', which is no folder's name here: give `name`, or --run-id, ", NameRule(kMostRunId)));
}

absl::StatusOr<RunFolder> MakeRunFolder(const LoadedConfig& config, const std::string& run_id) {
  RunFolder folder;
  folder.config = config;
  const std::string wanted = run_id.empty() ? FreshRunId(config.config.name()) : run_id;
  if (absl::Status status = CheckRunId(wanted); !status.ok()) return status;
  for (int number = 1;; ++number) {
    folder.run_id = number == 1 ? wanted : absl::StrCat(wanted, "-", number);
    absl::StatusOr<std::string> path = AbsolutePath(JoinPath(config.config.out(), folder.run_id));
    if (!path.ok()) return path.status();
    folder.path = *std::move(path);
    const absl::Status made = MakeNewFolder(folder.path);
    if (made.ok()) break;
    if (!absl::IsAlreadyExists(made) || !run_id.empty() || number >= kMostOfOneSecond) return made;
  }
  if (absl::Status status = MakeSubfolders(folder); !status.ok()) return status;
  if (absl::Status status = WriteFileAtomic(folder.Inside("config.yaml"), PrintConfig(config)); !status.ok())
    return status;
  if (absl::Status status = folder.Save(); !status.ok()) return status;
  return folder;
}

absl::Status CheckRunConfig(const std::string& path, const LoadedConfig& config) {
  const std::string file = JoinPath(path, "config.yaml");
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  if (!text.ok()) return text.status();
  v1::RunConfig there = DefaultRunConfig();
  const auto read = FillConfig(
      *text, file, {}, [] { return std::vector<std::string>(); }, there);
  if (!read.ok()) return read.status();
  if (ConfigDigest(there) == ConfigDigest(config.config)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      file, " has other settings than --config and --set: a run keeps its settings. Go on with --config ",
      file, ", or begin a new run in another folder"));
}

absl::Status CompleteRunFolder(const std::string& path, const LoadedConfig& config) {
  RunFolder folder;
  absl::StatusOr<std::string> absolute = AbsolutePath(path);
  if (!absolute.ok()) return absolute.status();
  folder.path = *std::move(absolute);
  folder.run_id = FileName(folder.path);
  if (absl::Status status = MakeSubfolders(folder); !status.ok()) return status;
  if (!Exists(folder.Inside("config.yaml"))) {
    if (absl::Status status = WriteFileAtomic(folder.Inside("config.yaml"), PrintConfig(config));
        !status.ok())
      return status;
  }
  return Exists(folder.Inside("run.json")) ? absl::OkStatus() : folder.Save();
}

absl::StatusOr<RunFolder> OpenRunFolder(const std::string& path, const std::string& working_folder) {
  RunFolder folder;
  absl::StatusOr<std::string> absolute = AbsolutePath(path);
  if (!absolute.ok()) return absolute.status();
  folder.path = *std::move(absolute);
  const absl::StatusOr<std::string> text = ReadFile(folder.Inside("run.json"));
  if (absl::IsNotFound(text.status()))
    return absl::NotFoundError(absl::StrCat(folder.path, " is not a run folder: it has no run.json"));
  if (!text.ok()) return text.status();
  const nlohmann::json json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object()) return absl::DataLossError(folder.Inside("run.json") + " is damaged");
  std::string working;
  try {
    if (const int format = json.value("format", 0); format != kRunFormat) {
      return absl::FailedPreconditionError(
          absl::StrCat(folder.path, " has run format ", format, "; this program reads format ", kRunFormat,
                       ": use the program that wrote it (version ", json.value("program", "unknown"), ")"));
    }
    folder.run_id = json.value("run_id", "");
    folder.resumed = json.value("resumed", false);
    folder.seconds = json.value("seconds", std::map<std::string, double>{});
    working = json.value("working_folder", "");
    if (json.contains("working_folder_hex"))
      working = absl::HexStringToBytes(json["working_folder_hex"].get<std::string>());
  } catch (const nlohmann::json::exception&) {
    return absl::DataLossError(folder.Inside("run.json") + " is damaged");
  }
  if (!working_folder.empty()) working = working_folder;
  if (!working.empty() && chdir(working.c_str()) != 0) {
    const absl::Status why = FileError("enter", working, errno);
    if (!working_folder.empty()) return why;
    return absl::Status(why.code(), absl::StrCat(why.message(),
                                                 ", where this run was started: --working-folder FOLDER says "
                                                 "where the files are now that its configuration names"));
  }
  absl::StatusOr<LoadedConfig> config = LoadRunConfig(folder.Inside("config.yaml"), {});
  if (!config.ok()) {
    if (!working_folder.empty() || !absl::StrContains(config.status().message(), "there is no "))
      return config.status();
    return absl::Status(
        config.status().code(),
        absl::StrCat(config.status().message(),
                     "\nWhere this run was started these files were there: --working-folder FOLDER "
                     "says where they are now"));
  }
  folder.config = *std::move(config);
  return folder;
}

}  // namespace lvrpo
