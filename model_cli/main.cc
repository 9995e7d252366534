// lvrpo-model: work on one model, without a run. `lvrpo NAME ...` starts it (cli/forward.h).
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/allocator.h"
#include "common/exit_code.h"
#include "common/flags/role_flags.h"
#include "common/flags/run_main.h"
#include "common/thrown.h"
#include "common/version/build_commit.h"
#include "model_cli/commands.h"

namespace lvrpo {
namespace {

// Runs it; prints an exception as one sentence, with advice when out of memory.
int RunOrExplain(const Command& command) {
  int code = kExitBug;
  const absl::Status thrown = TryToRun([&] { code = command.run(); });
  if (absl::IsResourceExhausted(thrown)) {
    return Explain(kModelProgram, absl::ResourceExhaustedError(absl::StrCat(
                                      thrown.message(), " (lvrpo inspect says what is needed)")));
  }
  return thrown.ok() ? code : Explain(kModelProgram, thrown);
}

int Main(int argc, char** argv) {
  CLI::App app("Looks at, makes and converts models.", kModelProgram);
  app.set_version_flag("--version", VersionWithCommit());
  app.require_subcommand(1);
  const Command commands[] = {AddInspectCommand(app),  AddSynthesizeCommand(app), AddExportCommand(app),
                              AddGenerateCommand(app), AddAskCommand(app),        AddEditCommand(app),
                              AddPlanCommand(app),     AddWatermarkCommand(app)};
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  KeepFreedMemory();
  for (const Command& command : commands) {
    if (command.app->parsed()) return RunOrExplain(command);
  }
  return kExitBug;  // a subcommand is required
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kModelProgram, argc, argv, lvrpo::Main); }
