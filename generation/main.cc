// lvrpo-model: work on one model, without a run. `lvrpo NAME ...` starts it (cli/forward.h).
#include <new>
#include <optional>

#include "common/allocator.h"
#include "common/exit_code.h"
#include "common/role_flags.h"
#include "common/run_main.h"
#include "common/version.h"
#include "generation/commands.h"
#include "torch/torch.h"

namespace lvrpo {
namespace {

// Memory that is not there, and what LibTorch throws, as a sentence.
int RunOrExplain(const Command& command) {
  try {
    return command.run();
  } catch (const std::bad_alloc&) {
    return Explain(kModelProgram,
                   absl::ResourceExhaustedError("no memory left: lvrpo inspect says what is needed"));
  } catch (const c10::Error& error) {
    return Explain(kModelProgram, absl::InternalError(error.what_without_backtrace()));
  }
}

int Main(int argc, char** argv) {
  CLI::App app("Looks at, makes and converts models.", kModelProgram);
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  const Command commands[] = {AddInspectCommand(app),  AddSynthesizeCommand(app), AddExportCommand(app),
                              AddGenerateCommand(app), AddAskCommand(app),        AddEditCommand(app),
                              AddWatermarkCommand(app)};
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
