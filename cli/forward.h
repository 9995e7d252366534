#pragma once

#include <span>
#include <string>
#include <vector>

namespace lvrpo {

// Subcommands of `lvrpo` that another binary in the same folder runs, because they need LibTorch and the
// command line does not.
struct ForwardedCommand {
  const char* name;
  const char* binary;
  const char* what;  // for `lvrpo --help`
};
std::span<const ForwardedCommand> ForwardedCommands();

// The forwarded command in these arguments (without the program's name); nullptr: none. It must come first:
// what follows it is not parsed, --help included.
const ForwardedCommand* FindForwarded(const std::vector<std::string>& arguments);

// Executes the binary in `folder` in place of this process, with the same arguments. Returns only when it
// cannot be started: prints why and returns the exit code.
int Forward(const ForwardedCommand& command, const std::string& folder,
            const std::vector<std::string>& arguments);

}  // namespace lvrpo
