#include "common/flags/run_main.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>

#include "absl/strings/str_cat.h"
#include "common/exit_code.h"
#include "common/files/filesystem.h"
#include "common/flags/descriptor_limit.h"
#include "common/flags/role_flags.h"
#include "common/thrown.h"

namespace lvrpo {
namespace {

const char* g_program = "lvrpo";

// The sentence and the exit code for what is being thrown.
int ExplainThrown() {
  const absl::Status thrown = ThrownStatus();
  if (!absl::IsInternal(thrown)) return Explain(g_program, thrown);
  return Explain(g_program, absl::InternalError(absl::StrCat("unexpected error: ", thrown.message(),
                                                             " (a bug: please report it)")));
}

[[noreturn]] void OnTerminate() { _exit(ExplainThrown()); }

// `code`, or another one if what was printed did not arrive.
int CloseOutput(int code) {
  const bool failed_before = std::ferror(stdout) != 0;
  errno = 0;
  if (std::fflush(stdout) == 0 && !failed_before) return code;
  const int error = errno == 0 ? EIO : errno;
  if (error == EPIPE) return code == kExitDone ? kExitRetry : code;  // the reader has seen enough
  const int own = Explain(g_program, FileError("write", "standard output", error));
  if (code != kExitDone) return code;
  return own == kExitData ? kExitData : kExitRetry;
}

// Ends a program whose working folder was removed: LibTorch's initialiser would, in words about MKL. Runs
// before the initialisers of shared libraries, so it uses system calls only.
void RefuseGoneFolder(int argc, char** argv, char**) {
  if (!WorkingFolderIsGone()) return;
  const char* program = argc > 0 ? argv[0] : g_program;
  if (const char* slash = std::strrchr(program, '/'); slash != nullptr) program = slash + 1;
  dprintf(STDERR_FILENO, "%s: the working folder is gone: change to one that is there\n", program);
  _exit(kExitData);
}

__attribute__((section(".preinit_array"), used)) void (*const g_before_libraries)(int, char**,
                                                                                  char**) = RefuseGoneFolder;

}  // namespace

int RunMain(const char* program, int argc, char** argv, int (*body)(int argc, char** argv)) {
  g_program = program;
  std::set_terminate(OnTerminate);
  RaiseDescriptorLimit();
  int code = kExitBug;
  try {
    code = body(argc, argv);
  } catch (...) {
    code = ExplainThrown();
  }
  return CloseOutput(code);
}

}  // namespace lvrpo
