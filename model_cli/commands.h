#pragma once

#include <functional>

#include "CLI/CLI.hpp"

namespace lvrpo {

// Name of the program in its messages: people call it through `lvrpo` (cli/forward.h).
inline constexpr char kModelProgram[] = "lvrpo";

// Largest memory that a flag may give, in MiB: a pebibyte.
inline constexpr int kMostMib = 1 << 30;
// Help of the flag --as-stored of commands that read photographs.
inline constexpr char kAsStoredHelp[] = "do not turn images upright as their EXIF orientation says";

// A subcommand of lvrpo-model.
struct Command {
  CLI::App* app;             // knows whether it was given; owned by the app it was added to
  std::function<int()> run;  // runs it and returns the exit code; prints its own errors
};

// Each adds its subcommand with its flags; the work is in the file of the same name.
Command AddInspectCommand(CLI::App& app);     // inspect_command.cc
Command AddSynthesizeCommand(CLI::App& app);  // synthesize_command.cc
Command AddExportCommand(CLI::App& app);      // export_command.cc
Command AddGenerateCommand(CLI::App& app);    // generate_command.cc
Command AddAskCommand(CLI::App& app);         // ask_command.cc
Command AddEditCommand(CLI::App& app);        // edit_command.cc
Command AddPlanCommand(CLI::App& app);        // plan_command.cc
Command AddWatermarkCommand(CLI::App& app);   // watermark_command.cc

// `watermark check`: an image without a mark. In addition to the codes of common/exit_code.h, like grep's 1.
inline constexpr int kExitUnmarked = 1;

}  // namespace lvrpo
