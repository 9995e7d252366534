#include "common/config/config.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/config_fill.h"
#include "common/files/filesystem.h"
#include "common/files/text_file.h"
#include "common/hash.h"

namespace lvrpo {

absl::StatusOr<std::map<std::string, std::string>> FillConfig(
    const std::string& text, const std::string& source, const std::vector<ConfigOverride>& overrides,
    const std::function<std::vector<std::string>()>& validate, google::protobuf::Message& message) {
  ConfigFiller filler;
  const bool readable = filler.FillText(text, source, message);
  for (const ConfigOverride& given : overrides) filler.Override(given, message);
  // After the errors above, problems of unset fields are not reported: the misspelt key may be theirs.
  const bool all_read = filler.errors.empty();
  if (readable) {
    for (const std::string& problem : validate()) {
      if (all_read || filler.WasSet(problem)) filler.AddProblem(problem, source);
    }
  }
  if (!filler.errors.empty()) return absl::InvalidArgumentError(absl::StrJoin(filler.errors, "\n"));
  return std::move(filler.origins);
}

namespace {

// `status`, and once where relative paths begin when files that it misses are named by such.
absl::Status WithWorkingFolder(const absl::Status& status) {
  constexpr absl::string_view kMissing = ": there is no ";
  absl::string_view message = status.message();
  bool relative = false;
  for (size_t at = message.find(kMissing); at != absl::string_view::npos && !relative;
       at = message.find(kMissing, at + 1)) {
    relative = message.substr(at + kMissing.size(), 1) != "/";
  }
  if (!relative) return status;
  return absl::Status(status.code(), absl::StrCat(message, "\n(paths are relative to the working folder, ",
                                                  AbsolutePath(".").value_or("which is gone"), ")"));
}

}  // namespace

absl::StatusOr<LoadedConfig> LoadRunConfig(const std::string& path,
                                           const std::vector<std::string>& overrides) {
  constexpr int64_t kMostConfigBytes = int64_t{16} << 20;
  absl::StatusOr<std::string> text = ReadTextFile(path, kMostConfigBytes);
  if (!text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("no configuration: ", text.status().message()));
  }
  LoadedConfig loaded;
  loaded.config = DefaultRunConfig();
  std::vector<ConfigOverride> given;
  for (const std::string& override_text : overrides) given.push_back({.text = override_text});
  auto origins = FillConfig(
      *text, path, given, [&] { return ValidateRunConfig(loaded.config); }, loaded.config);
  if (!origins.ok()) return WithWorkingFolder(origins.status());
  loaded.origins = *std::move(origins);
  return loaded;
}

namespace {

// The first number of settings that are newer than the first runs, in every section.
constexpr int kNewerSettings = 40;

using google::protobuf::Message;

// Whether a field says the same in both.
bool IsAlike(const Message& one, const Message& other, const google::protobuf::FieldDescriptor& field) {
  const std::unique_ptr<Message> with(one.New()), given(one.New());
  with->CopyFrom(one);
  given->CopyFrom(other);
  one.GetReflection()->SwapFields(with.get(), given.get(), {&field});
  return with->SerializeAsString() == one.SerializeAsString();
}

// Clears newer settings that have their defaults: a run that is older than a setting had nothing else.
void ClearNewerDefaults(const Message& defaults, Message& section) {
  const google::protobuf::Reflection& reflection = *section.GetReflection();
  for (int i = 0; i < section.GetDescriptor()->field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *section.GetDescriptor()->field(i);
    if (field.number() >= kNewerSettings) {
      if (IsAlike(section, defaults, field)) reflection.ClearField(&section, &field);
    } else if (!field.is_repeated() && field.message_type() != nullptr &&
               reflection.HasField(section, &field)) {
      ClearNewerDefaults(reflection.GetMessage(defaults, &field),
                         *reflection.MutableMessage(&section, &field));
    }
  }
}

}  // namespace

std::string ConfigDigest(const v1::RunConfig& config) {
  v1::RunConfig relevant = config;
  relevant.clear_name();
  relevant.clear_out();
  relevant.clear_local();
  relevant.clear_rpc();
  relevant.clear_coordinator();
  relevant.clear_learner();
  if (config.learner().ordered_sums()) relevant.mutable_learner()->set_ordered_sums(true);
  ClearNewerDefaults(DefaultRunConfig(), relevant);
  relevant.clear_checkpoints();
  relevant.clear_weights();
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    relevant.SerializeToCodedStream(&coded);
  }
  return Sha256Hex(bytes);
}

}  // namespace lvrpo
