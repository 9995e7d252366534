#pragma once

#include <span>
#include <string>
#include <vector>

namespace lvrpo {

// Subcommands of `lvrpo` that another binary of the same folder carries out, because they need LibTorch and
// the command line does not.
struct ForwardedCommand {
  const char* name;
  const char* binary;
  const char* what;  // for `lvrpo --help`
};
std::span<const ForwardedCommand> ForwardedCommands();

// The forwarded command that these arguments (of the program, without its name) ask for; nullptr: none. It
// must come first: what follows it is not looked at, --help included.
const ForwardedCommand* FindForwarded(const std::vector<std::string>& arguments);

// Becomes the binary in `folder`, with the same arguments: its output and its exit code are the command's.
// Returns only when it cannot be started: explains why and gives the exit code.
int Forward(const ForwardedCommand& command, const std::string& folder,
            const std::vector<std::string>& arguments);

}  // namespace lvrpo
