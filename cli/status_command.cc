#include "cli/status_command.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "cli/local/address_file.h"
#include "cli/local/records.h"
#include "cli/local/stall.h"
#include "cli/report/run_summary.h"
#include "common/clock.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"
#include "common/words/words.h"
#include "coordinator/client.h"
#include "data/heldout/evaluation.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(5);

std::vector<std::string> StateNames() {
  std::vector<std::string> names;
  for (const v1::GroupState state : kOpenStates) names.push_back(Word(state));
  names.push_back(Word(v1::CONSUMED));
  return names;
}

// Status from the coordinator that serves this folder's run; an error when none does.
absl::StatusOr<v1::GetStatusResponse> Ask(const std::string& run_dir, const std::string& given) {
  const absl::StatusOr<std::string> address = CoordinatorAddress(run_dir, given);
  if (!address.ok()) return address.status();
  absl::StatusOr<v1::GetStatusResponse> status = CoordinatorClient(*address, 64).GetStatus(kPatience);
  if (!status.ok() || run_dir.empty()) return status;
  const absl::StatusOr<std::string> absolute = AbsolutePath(run_dir);
  if (absolute.ok() && FileName(*absolute) != status->run_id())
    return absl::UnavailableError(
        absl::StrCat("another run, ", status->run_id(), ", is served at ", *address));
  return status;
}

}  // namespace

absl::StatusOr<std::string> CoordinatorAddress(const std::string& run_dir, const std::string& address) {
  if (!address.empty()) return address;
  absl::StatusOr<std::string> found = ReadAddressFile(JoinPath(run_dir, "coordinator.json"));
  if (found.ok() || absl::IsPermissionDenied(found.status()) || absl::IsDataLoss(found.status()))
    return found;
  return absl::NotFoundError(
      absl::StrCat(run_dir, " has no coordinator.json: is it a run folder, and was it started?"));
}

std::vector<StepTime> StepTimes(const std::vector<nlohmann::json>& lines) {
  std::vector<StepTime> times;
  for (const nlohmann::json& line : lines) {
    if (!line.is_object() || !line.contains("step") || !line["step"].is_number_integer() ||
        !line.contains("unix_seconds") || !line["unix_seconds"].is_number())
      continue;
    times.push_back(
        {.steps = line["step"].get<int64_t>() + 1, .seconds = line["unix_seconds"].get<double>()});
  }
  return times;
}

nlohmann::json RunningStatus(const v1::GetStatusResponse& status, std::optional<double> seconds_left) {
  nlohmann::json result = {
      {"run_id", status.run_id()},
      {"run_epoch", status.run_epoch()},
      {"state", status.finished() ? "finished" : (status.draining() ? "draining" : "running")},
      {"step", status.step()},
      {"total_steps", status.total_steps()},
      {"seconds_left", nullptr},
      {"waiting_for", status.waiting_for()},
      {"blocked_on", status.blocked_on()},
      {"program", status.build().version()},
      {"commit", status.build().commit()},
      {"seconds_since_progress", status.seconds_since_progress()},
      {"version", status.current_version().number()},
      {"digest", status.current_version().digest()},
      {"groups_by_state",
       std::map<std::string, int64_t>(status.groups_by_state().begin(), status.groups_by_state().end())},
      {"groups_retired_by_reason", std::map<std::string, int64_t>(status.groups_retired_by_reason().begin(),
                                                                  status.groups_retired_by_reason().end())},
      {"reward_means", std::map<std::string, double>(status.recent_reward_means().begin(),
                                                     status.recent_reward_means().end())},
      {"heldout", nullptr},
      {"members", nlohmann::json::array()}};
  if (status.has_heldout()) result["heldout"] = EvaluationJson(status.heldout());
  if (seconds_left.has_value() && !status.finished()) result["seconds_left"] = *seconds_left;
  for (const v1::Member& member : status.members()) {
    result["members"].push_back({{"member_id", member.member_id()},
                                 {"role", RoleName(member.role())},
                                 {"state", member.state()},
                                 {"version", member.version().number()},
                                 {"load", member.load()},
                                 {"program", member.build().version()},
                                 {"commit", member.build().commit()},
                                 {"seconds_since_heartbeat", member.seconds_since_heartbeat()},
                                 {"address", member.address()}});
  }
  return result;
}

nlohmann::json StoppedStatus(const std::string& run_dir, const nlohmann::json& records) {
  const int64_t step = records.value("steps", int64_t{0}), total = records.value("total_steps", int64_t{0});
  nlohmann::json result = {
      {"run_id", FileName(run_dir)},
      {"run_epoch", records.value("run_epochs", 0)},
      {"state", records.value("trained", false) ? "finished" : "stopped"},
      {"step", step},
      {"total_steps", total},
      {"seconds_left", nullptr},
      {"waiting_for", ""},
      {"version", step},
      {"digest", records.value("weights_digest", "")},
      {"groups_by_state", {{Word(v1::CONSUMED), records.value("groups_consumed", 0)}}},
      {"groups_retired_by_reason", records.value("groups_retired_by_reason", nlohmann::json::object())},
      {"checkpoint", records.value("checkpoint", "")},
      {"last_event", nullptr},
      {"heldout", nullptr},
      {"members", nlohmann::json::array()}};
  if (const auto events = records.find("events"); events != records.end() && !events->empty())
    result["last_event"] = events->back();
  if (const auto evaluations = records.find("evaluations");
      evaluations != records.end() && !evaluations->empty())
    result["heldout"] = evaluations->back();
  return result;
}

namespace {

// Members that run another version than the coordinator, a line each: while a run is upgraded.
std::string OtherPrograms(const nlohmann::json& status) {
  const auto program = [](const nlohmann::json& process) {
    const std::string commit = process.value("commit", "");
    return absl::StrCat(process.value("program", ""), commit.empty() ? "" : absl::StrCat(" (", commit, ")"));
  };
  std::string text;
  for (const nlohmann::json& member : status["members"]) {
    if (program(member) == program(status)) continue;
    absl::StrAppend(&text, member.value("member_id", ""), " runs version ", program(member),
                    ", and the coordinator ", program(status), "\n");
  }
  return text;
}

// "held-out score after step 100: 0.412 +- 0.020, gain +0.069 +- 0.098 (95 %, 240 images)".
std::string FormatHeldOut(const nlohmann::json& heldout) {
  std::string text = absl::StrCat("held-out score after step ", heldout.value("step", int64_t{0}), ":");
  if (heldout["score"].is_number()) {
    absl::StrAppendFormat(&text, " %.3f +- %.3f", heldout["score"].get<double>(),
                          heldout.value("standard_error", 0.));
  }
  if (heldout["gain"].is_number()) {
    absl::StrAppendFormat(&text, ", gain %+.3f +- %.3f (95 %%, %d images)", heldout["gain"].get<double>(),
                          heldout.value("gain_confidence_95", 0.), heldout.value("pairs", 0));
  }
  if (heldout["text_accuracy"].is_number()) {
    absl::StrAppendFormat(&text, "  answers right %.3f of %d", heldout["text_accuracy"].get<double>(),
                          heldout.value("questions", 0));
  }
  return text + "\n";
}

}  // namespace

std::string FormatStatus(const nlohmann::json& status) {
  v1::GetStatusResponse progress;
  progress.set_step(status.value("step", int64_t{0}));
  progress.set_total_steps(status.value("total_steps", int64_t{0}));
  progress.set_waiting_for(status.value("waiting_for", ""));
  for (const auto& [name, mean] : status.value("reward_means", std::map<std::string, double>{}))
    (*progress.mutable_recent_reward_means())[name] = mean;
  if (const auto heldout = status.find("heldout"); heldout != status.end() && heldout->is_object()) {
    if ((*heldout)["score"].is_number())
      progress.mutable_heldout()->set_score((*heldout)["score"].get<double>());
    if ((*heldout)["gain"].is_number())
      progress.mutable_heldout()->set_gain((*heldout)["gain"].get<double>());
  }
  ProgressInput input;
  input.status = progress;
  if (status.contains("seconds_left") && status["seconds_left"].is_number())
    input.seconds_left = status["seconds_left"].get<double>();
  const std::string state = status.value("state", "");
  std::string text = absl::StrFormat("run %s, epoch %d: %s  %s\n", status.value("run_id", ""),
                                     status.value("run_epoch", 0), state, FormatProgress(input));
  absl::StrAppendFormat(&text, "version %d (%s)", status.value("version", int64_t{0}),
                        status.value("digest", "").substr(0, 12));
  if (status.contains("seconds_since_progress"))
    absl::StrAppend(&text, ", last progress ", FormatSeconds(status.value("seconds_since_progress", 0.)),
                    " ago");
  if (const std::string checkpoint = status.value("checkpoint", ""); !checkpoint.empty())
    absl::StrAppend(&text, ", newest checkpoint ", checkpoint);
  text += "\n";
  if (const auto heldout = status.find("heldout"); heldout != status.end() && heldout->is_object())
    text += FormatHeldOut(*heldout);
  if (!status["members"].empty()) {
    absl::StrAppendFormat(&text, "%-14s %-15s %-10s %-8s %-6s %-10s %s\n", "member", "role", "state",
                          "version", "load", "heard", "address");
  }
  for (const nlohmann::json& member : status["members"]) {
    absl::StrAppendFormat(&text, "%-14s %-15s %-10s %-8d %-6.0f %-10s %s\n", member.value("member_id", ""),
                          member.value("role", ""), member.value("state", ""),
                          member.value("version", int64_t{0}), member.value("load", 0.),
                          absl::StrFormat("%.1f s ago", member.value("seconds_since_heartbeat", 0.)),
                          member.value("address", ""));
  }
  text += OtherPrograms(status);
  text += "groups:";
  const nlohmann::json by_state = status.value("groups_by_state", nlohmann::json::object());
  for (const std::string& name : StateNames()) {
    if (by_state.contains(name)) absl::StrAppend(&text, " ", name, " ", by_state.value(name, int64_t{0}));
  }
  text += "\n";
  for (const auto& [reason, count] :
       status.value("groups_retired_by_reason", std::map<std::string, int64_t>{}))
    absl::StrAppend(&text, "retired ", count, " (", ReasonInWords(reason), ")\n");
  if (status.contains("last_event") && status["last_event"].is_object()) {
    absl::StrAppend(&text, "last event: ", status["last_event"].value("kind", ""), " ",
                    status["last_event"].value("text", ""), "\n");
  }
  return text;
}

absl::StatusOr<nlohmann::json> LookAtRun(const std::string& run_dir, const std::string& coordinator) {
  const absl::StatusOr<v1::GetStatusResponse> running = Ask(run_dir, coordinator);
  if (running.ok()) {
    std::optional<double> left;
    if (!run_dir.empty()) {
      left = SecondsLeft(StepTimes(ReadJsonLines(JoinPath(run_dir, "metrics.jsonl"))), running->total_steps(),
                         absl::ToDoubleSeconds(RealClock().Now() - absl::UnixEpoch()));
    }
    return RunningStatus(*running, left);
  }
  const std::string database = JoinPath(run_dir, "coordinator.sqlite");
  // A coordinator that is met without the right certificate may well work on the run.
  if (run_dir.empty() || absl::IsPermissionDenied(running.status()) ||
      TlsTroubleOf(running.status()) != TlsTrouble::kNone)
    return running.status();
  if (!Exists(database)) {
    if (!absl::IsUnavailable(running.status()) && !absl::IsDeadlineExceeded(running.status()))
      return running.status();
    return absl::NotFoundError(absl::StrCat("nobody works on ", run_dir,
                                            ", and its records are gone: there is no ", FileName(database)));
  }
  const absl::StatusOr<nlohmann::json> records = ReadRecords(run_dir);
  if (!records.ok()) return records.status();
  const absl::StatusOr<std::string> absolute = AbsolutePath(run_dir);
  return StoppedStatus(absolute.ok() ? *absolute : run_dir, *records);
}

absl::Status ShowStatus(const std::string& run_dir, const std::string& coordinator, bool json) {
  const absl::StatusOr<nlohmann::json> status = LookAtRun(run_dir, coordinator);
  if (!status.ok()) return status.status();
  std::printf("%s", json ? (JsonText(*status, 2) + "\n").c_str() : FormatStatus(*status).c_str());
  if (!json && status->value("state", "") == "stopped")
    std::printf("nobody works on it; go on with: lvrpo run --resume %s\n", run_dir.c_str());
  return absl::OkStatus();
}

}  // namespace lvrpo
