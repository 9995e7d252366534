#include "common/flags/run_main.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include "common/exit_code.h"
#include "common/json/json_text.h"
#include "common/thrown.h"
#include "common/utf8.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::ExitedWithCode;

// A suite whose name ends in DeathTest runs before those that start threads: what other threads hold is lost
// in a fork, and a leak to LeakSanitizer.

// Runs `body` as a separate program, whose standard output goes to `output` unless that is empty.
[[noreturn]] void RunAsProgram(int (*body)(int, char**), const char* output = "") {
  if (output[0] != '\0') {
    const int descriptor = open(output, O_WRONLY);
    if (descriptor < 0 || dup2(descriptor, STDOUT_FILENO) < 0) _exit(3);
  }
  std::exit(RunMain("lvrpo-test", 0, nullptr, body));
}

TEST(RunMainDeathTest, GivesTheCodeOfTheBody) {
  EXPECT_EXIT(RunAsProgram([](int, char**) -> int { return kExitData; }), ExitedWithCode(kExitData), "");
}

TEST(RunMainDeathTest, WhatIsThrownIsOneSentence) {
  EXPECT_EXIT(RunAsProgram([](int, char**) -> int { throw std::runtime_error("odd\nstack"); }),
              ExitedWithCode(kExitBug),
              "^lvrpo-test: unexpected error: odd \\(a bug: please report it\\)\n$");
  EXPECT_EXIT(RunAsProgram([](int, char**) -> int { throw 7; }), ExitedWithCode(kExitBug), "unknown");
  EXPECT_EXIT(RunAsProgram([](int, char**) -> int { throw std::bad_alloc(); }), ExitedWithCode(kExitRetry),
              "^lvrpo-test: no memory left\n$");
}

TEST(RunMainDeathTest, WhatLibTorchSaysOfMemoryIsNoBug) {
  EXPECT_EXIT(
      RunAsProgram([](int, char**) -> int {
        throw std::runtime_error("[alloc_cpu] DefaultCPUAllocator: can't allocate memory: 9 bytes\nframe #0");
      }),
      ExitedWithCode(kExitRetry), "^lvrpo-test: no memory left: .* 9 bytes\n$");
}

TEST(RunMainDeathTest, MayOpenAsManyFilesAsItsLimitsAllow) {
  EXPECT_EXIT(
      {
        rlimit limit = {};
        if (getrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(3);
        limit.rlim_cur = 64;
        limit.rlim_max = 200;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(4);
        RunAsProgram([](int, char**) -> int {
          rlimit raised = {};
          getrlimit(RLIMIT_NOFILE, &raised);
          return static_cast<int>(raised.rlim_cur);
        });
      },
      ExitedWithCode(200), "");
}

TEST(TryToRun, GivesWhatIsThrown) {
  EXPECT_TRUE(TryToRun([] {}).ok());
  EXPECT_EQ(TryToRun([] { throw std::runtime_error("odd\nstack"); }), absl::InternalError("odd"));
  EXPECT_EQ(TryToRun([] { throw std::bad_alloc(); }), absl::ResourceExhaustedError("no memory left"));
  EXPECT_EQ(TryToRun([] { throw 7; }), absl::InternalError("unknown"));
}

TEST(RunMainDeathTest, AlsoOnAnotherThread) {
  EXPECT_EXIT(RunAsProgram([](int, char**) -> int {
                std::thread([] { throw std::runtime_error("far away"); }).join();
                return kExitDone;
              }),
              ExitedWithCode(kExitBug), "unexpected error: far away");
}

TEST(RunMainDeathTest, AProgramWhoseWorkingFolderIsGoneEndsBeforeItBegins) {
  EXPECT_EXIT(
      {
        std::string gone = testing::TempDir() + "gone-XXXXXX";
        if (mkdtemp(gone.data()) == nullptr || chdir(gone.c_str()) != 0 || rmdir(gone.c_str()) != 0) _exit(3);
        execl("/proc/self/exe", "lvrpo-test", "--gtest_list_tests", nullptr);
        _exit(4);
      },
      ExitedWithCode(kExitData), "^lvrpo-test: the working folder is gone");
}

TEST(RunMainDeathTest, OutputThatDidNotArriveIsNotDone) {
  const auto print = [](int, char**) -> int {
    std::printf("result\n");
    return kExitDone;
  };
  EXPECT_EXIT(RunAsProgram(print), ExitedWithCode(kExitDone), "");
  EXPECT_EXIT(RunAsProgram(print, "/dev/full"), ExitedWithCode(kExitRetry),
              "cannot write standard output: No space left on device");
  EXPECT_EXIT(RunAsProgram([](int, char**) -> int { return kExitDone; }, "/dev/full"),
              ExitedWithCode(kExitDone), "")
      << "nothing was to be written";
  EXPECT_EXIT(RunAsProgram(
                  [](int, char**) -> int {
                    std::printf("result\n");
                    std::fflush(stdout);  // fails here already
                    return kExitDone;
                  },
                  "/dev/full"),
              ExitedWithCode(kExitRetry), "standard output");
  EXPECT_EXIT(RunAsProgram(
                  [](int, char**) -> int {
                    std::printf("result\n");
                    return kExitConfig;
                  },
                  "/dev/full"),
              ExitedWithCode(kExitConfig), "standard output");
}

TEST(JsonText, TakesAnyBytes) {
  EXPECT_EQ(JsonText({{"a\xff", "b\xc3"}}), "{\"a\xEF\xBF\xBD\":\"b\xEF\xBF\xBD\"}");
  EXPECT_EQ(JsonText(1.5), "1.5");
  EXPECT_EQ(JsonText(nlohmann::ordered_json{{"b", "\xff"}, {"a", 1}}), "{\"b\":\"\xEF\xBF\xBD\",\"a\":1}");
  EXPECT_EQ(JsonText({1, 2}, 0), "[\n1,\n2\n]");
  EXPECT_EQ(AsciiJsonText("\xC3\xA4\xff"), "\"\\u00e4\\ufffd\"");
}

}  // namespace
}  // namespace lvrpo
