#include "cli/local/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Process, ReportsHowItEnded) {
  const auto run = [](const std::string& script) {
    auto process = Process::Start(
        {.command = {"/bin/sh", "-c", script}, .log = "", .environment = {{"WORD", "7"}}, .nice = 0});
    EXPECT_TRUE(process.ok());
    return process->Wait(absl::Seconds(20)).value_or(-1);
  };
  EXPECT_EQ(run("exit $WORD"), 7);
  EXPECT_EQ(run("kill -9 $$"), 137);
  EXPECT_TRUE(absl::IsNotFound(
      Process::Start({.command = {"/no/such/binary"}, .log = "", .environment = {}, .nice = 0}).status()));
  EXPECT_EQ(*Capture({"/bin/echo", "hello"}), "hello\n");
  EXPECT_THAT(std::string(Capture({"/bin/sh", "-c", "echo broken; exit 3"}).status().message()),
              HasSubstr("broken"));
}

TEST(Process, CapturesWholeOutputsAndKeepsComplaintsApart) {
  // More than a pipe holds, on both at once.
  const auto both = Capture({"/bin/sh", "-c",
                             "i=0; while [ $i -lt 3000 ]; do echo out-$i-0123456789012345678901234567890; "
                             "echo err-$i-0123456789012345678901234567890 >&2; i=$((i+1)); done"});
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_THAT(*both, HasSubstr("out-2999"));
  EXPECT_THAT(*both, Not(HasSubstr("err")));
  const absl::Status failed = Capture({"/bin/sh", "-c", "echo a; echo b; echo why >&2; exit 3"}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(failed));
  EXPECT_THAT(std::string(failed.message()), AllOf(HasSubstr("exit code 3"), HasSubstr("why")));
  EXPECT_TRUE(absl::IsDeadlineExceeded(Capture({"/bin/sleep", "100"}, absl::Milliseconds(50)).status()));
  EXPECT_EQ(LastLinesOf("a\nb\nc\n\n", 2), "b\nc\n\n");
  EXPECT_EQ(LastLinesOf("a", 2), "a");
}

TEST(Process, ALogsEndHoldsAllOfTheLastMessage) {
  const TemporaryFolder folder;
  const std::string log = folder / "log";
  const auto end = [&](const std::string& text) {
    EXPECT_TRUE(WriteFileAtomic(log, text).ok());
    return LastMessage(log, 2);
  };
  const std::string before = "lvrpo-evaluate: 60 of 200 images\n12:00 info\n";
  EXPECT_EQ(end(before + "lvrpo-evaluate: p:3: one\np:4: two\np:9: three\n"),
            "lvrpo-evaluate: p:3: one\np:4: two\np:9: three\n");
  EXPECT_EQ(end("lvrpo-evaluate: p:3: one\np:4: two\np:9: three"),
            "lvrpo-evaluate: p:3: one\np:4: two\np:9: three");
  EXPECT_EQ(end(before + "lvrpo-evaluate: one\n"), "12:00 info\nlvrpo-evaluate: one\n");
  EXPECT_EQ(end("a\nb\nc\n"), "b\nc\n");
  std::string many = "lvrpo-evaluate: first";
  for (int i = 0; i < 40; ++i) absl::StrAppend(&many, "\nline ", i);
  EXPECT_EQ(LastLinesOf(many, 25), end(many));
  EXPECT_EQ(end(""), "");
  RemoveFile(log).IgnoreError();
  EXPECT_EQ(LastMessage(log, 2), "");
}

// A pipe, to hear of a child without waiting for time to pass.
class Ears {
 public:
  Ears() { EXPECT_EQ(pipe2(ends_, O_CLOEXEC), 0); }
  ~Ears() {
    for (const int end : ends_) close(end);
  }
  int mouth() const { return ends_[1]; }
  // Blocks until the child has said something.
  std::string Hear() const {
    char buffer[256];
    const ssize_t got = read(ends_[0], buffer, sizeof(buffer));
    return std::string(buffer, static_cast<size_t>(std::max<ssize_t>(got, 0)));
  }

 private:
  int ends_[2];
};

Process Shell(const std::string& script, const Ears& ears) {
  return *Process::Start({.command = {"/bin/sh", "-c", script}, .output = ears.mouth()});
}

TEST(Process, OneThatIgnoresSigtermIsStillThereAndCanBeKilled) {
  const Ears ears;
  Process process = Shell("trap '' TERM; echo ready; exec sleep 1000", ears);
  EXPECT_EQ(ears.Hear(), "ready\n");
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(absl::Milliseconds(1)), std::nullopt);
  EXPECT_EQ(process.Poll(), std::nullopt);
  process.Signal(SIGKILL);
  EXPECT_EQ(process.Wait(absl::Seconds(20)), 137);
}

TEST(Process, KeepsHowItEnded) {
  const Ears ears;
  Process process = Shell("exit 3", ears);
  EXPECT_EQ(process.Wait(absl::InfiniteDuration()), 3);
  EXPECT_EQ(process.Poll(), 3);
  process.Signal(SIGKILL);  // its number may be another process's by now
  EXPECT_EQ(process.Wait(absl::ZeroDuration()), 3);
}

TEST(Process, CanBeWaitedForWhereChildrenAreIgnored) {
  const auto before = signal(SIGCHLD, SIG_IGN);  // as some launchers leave it
  const Ears ears;
  Process process = Shell("exit 3", ears);
  EXPECT_EQ(process.Wait(absl::Seconds(20)), 3);
  signal(SIGCHLD, before);
}

TEST(Process, WhatIsNoProgramEndsWith127) {
  const TemporaryFolder folder;
  const std::string text = folder.Write("text", "no program\n");
  ASSERT_EQ(chmod(text.c_str(), 0755), 0);
  for (const std::string& path : {text, folder.path()}) {
    absl::StatusOr<Process> process = Process::Start({.command = {path}});
    ASSERT_TRUE(process.ok()) << process.status();
    EXPECT_EQ(process->Wait(absl::Seconds(20)), 127) << path;
  }
  ASSERT_EQ(chmod(text.c_str(), 0644), 0);
  const absl::Status status = Process::Start({.command = {text}}).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(text), HasSubstr("ermission denied")));
}

TEST(Process, AppendsToItsLogAndSaysWhenThereIsNone) {
  const TemporaryFolder folder;
  const std::string log = folder.Write("a.log", "earlier\n");
  for (int i = 0; i < 2; ++i) {
    absl::StatusOr<Process> process =
        Process::Start({.command = {"/bin/sh", "-c", "echo out; echo err >&2"}, .log = log});
    ASSERT_TRUE(process.ok()) << process.status();
    EXPECT_EQ(process->Wait(absl::Seconds(20)), 0);
  }
  EXPECT_EQ(*ReadFile(log), "earlier\nout\nerr\nout\nerr\n");
  const std::string nowhere = folder / "none/a.log";
  const absl::Status status = Process::Start({.command = {"/bin/true"}, .log = nowhere}).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot write " + nowhere));
}

TEST(Process, DoesNotSeeTheTerminal) {
  // Standard input is empty, and Ctrl-C goes to another process group.
  EXPECT_EQ(*Capture({"/bin/cat"}), "");
  EXPECT_EQ(*Capture({"/bin/sh", "-c", "set -- $$ $(cat /proc/$$/stat); echo $(($1 - $6))"}), "0\n");
}

TEST(Process, CapturesBytesAndSaysWhatKilledACommand) {
  EXPECT_EQ(*Capture({"/bin/sh", "-c", "printf 'a\\377b\\000c'"}), std::string("a\xff"
                                                                               "b\0c",
                                                                               5));
  EXPECT_EQ(*Capture({"/bin/true"}), "");
  const absl::Status killed = Capture({"/bin/sh", "-c", "echo last words >&2; kill -9 $$"}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(killed));
  EXPECT_THAT(std::string(killed.message()), AllOf(HasSubstr("exit code 137"), HasSubstr("last words")));
  EXPECT_TRUE(absl::IsNotFound(Capture({"/no/such/binary"}).status()));
  // It closed its output, but goes on.
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      Capture({"/bin/sh", "-c", "exec >/dev/null 2>&1; exec sleep 1000"}, absl::Milliseconds(50)).status()));
}

}  // namespace
}  // namespace lvrpo
