#include "cli/forward.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "common/exit_code.h"
#include "common/files/file.h"

namespace lvrpo {
namespace {

constexpr char kModelBinary[] = "lvrpo-model";
constexpr ForwardedCommand kForwarded[] = {
    {"inspect", kModelBinary, "show what a model folder holds and what each role needs in memory"},
    {"plan", kModelBinary, "show what a learner rank of a run needs in memory, part by part"},
    {"synthesize", kModelBinary, "write a model folder with random weights of real widths"},
    {"export", kModelBinary, "write a trained policy as a model folder in the published layout"},
    {"generate", kModelBinary, "paint images from prompts"},
    {"ask", kModelBinary, "ask a question about an image"},
    {"edit", kModelBinary, "change an image as a text says"},
    {"score", "lvrpo-score", "score images or answers with a run's reward components, with all evidence"},
    {"watermark", kModelBinary, "look for the invisible mark of `generate --watermark`"},
};

}  // namespace

std::span<const ForwardedCommand> ForwardedCommands() { return kForwarded; }

const ForwardedCommand* FindForwarded(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return nullptr;
  for (const ForwardedCommand& command : kForwarded) {
    if (arguments[0] == command.name) return &command;
  }
  return nullptr;
}

int Forward(const ForwardedCommand& command, const std::string& folder,
            const std::vector<std::string>& arguments) {
  const std::string path = JoinPath(folder, command.binary);
  std::vector<char*> list = {const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) list.push_back(const_cast<char*>(argument.c_str()));
  list.push_back(nullptr);
  std::fflush(nullptr);
  execv(path.c_str(), list.data());
  std::fprintf(stderr, "lvrpo: cannot run %s, which does 'lvrpo %s': %s%s\n", path.c_str(), command.name,
               std::strerror(errno),
               errno == ENOENT ? " (programs built without LibTorch do not have it)" : "");
  return kExitUnavailable;
}

}  // namespace lvrpo
