// Ranks as processes that are killed and stopped (nccl_rank/nccl_rank.cc).
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>

#include "gmock/gmock.h"
#include "tests/testing/nccl_world.h"

namespace lvrpo {
namespace {

using testing::HasSubstr;

class RankProcess {
 public:
  RankProcess(int rank, int size, const nccl::UniqueId& id) {
    int in[2], out[2];
    EXPECT_EQ(pipe2(in, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    std::string program = LVRPO_NCCL_RANK,
                words[] = {std::to_string(rank), std::to_string(size), id.internal};
    char* argv[] = {program.data(), words[0].data(), words[1].data(), words[2].data(), nullptr};
    EXPECT_EQ(posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    to_ = fdopen(in[1], "w");
    from_ = fdopen(out[0], "r");
  }
  ~RankProcess() {
    fclose(to_);
    fclose(from_);
    if (pid_ > 0) {
      EXPECT_EQ(End(), 0);
    }
  }

  void Say(const char* line) {
    std::fprintf(to_, "%s\n", line);
    std::fflush(to_);
  }
  std::string Answer() {
    char line[1000] = "the process has ended";
    return std::fgets(line, sizeof(line), from_) != nullptr ? line : "no answer";
  }
  void Signal(int number) const { kill(pid_, number); }
  // Waits for its end; gives its exit code, or 128 + signal.
  int End() {
    int status = 0;
    EXPECT_EQ(waitpid(std::exchange(pid_, -1), &status, 0) > 0, true);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
  FILE* to_ = nullptr;
  FILE* from_ = nullptr;
};

class NcclProcesses : public testing::Test {
 protected:
  NcclProcesses() {
    const nccl::UniqueId id = NcclCommunicator::NewId(NcclDouble::Newest().library).value();
    for (int rank = 0; rank < 3; ++rank) ranks_.push_back(std::make_unique<RankProcess>(rank, 3, id));
  }
  // Says `line` to ranks 0 and 2, and expects each of their answers to have `answer` in it.
  void Both(const char* line, const char* answer_0, const char* answer_2) {
    for (int rank : {0, 2}) ranks_[rank]->Say(line);
    EXPECT_THAT(ranks_[0]->Answer(), HasSubstr(answer_0));
    EXPECT_THAT(ranks_[2]->Answer(), HasSubstr(answer_2));
  }

  std::vector<std::unique_ptr<RankProcess>> ranks_;
};

TEST_F(NcclProcesses, GoOnWithoutOneThatWasKilled) {
  ranks_[1]->Say("sum");
  Both("sum", "sum 6", "sum 6");
  EXPECT_EQ(ranks_[1]->Answer(), "sum 6\n");
  ranks_[1]->Signal(SIGKILL);
  EXPECT_EQ(ranks_[1]->End(), 128 + SIGKILL);
  Both("sum", "error UNAVAILABLE: all_reduce(sum, 1 fp32), operation 1: ", "error UNAVAILABLE: ");
  Both("shrink 1", "rank 0 of 2", "rank 1 of 2");
  Both("sum", "sum 3", "sum 3");
}

TEST_F(NcclProcesses, GoOnWithoutOneThatIsStopped) {
  ranks_[1]->Say("sum");
  Both("sum", "sum 6", "sum 6");
  EXPECT_EQ(ranks_[1]->Answer(), "sum 6\n");
  ranks_[1]->Signal(SIGSTOP);
  Both("fly", "ok", "ok");
  // The first of the two to lose patience hangs up, which the other may notice first.
  Both("sum", "error ", "error ");
  Both("stand", "ok", "ok");
  Both("shrink 1", "rank 0 of 2", "rank 1 of 2");
  Both("sum", "sum 3", "sum 3");
  ranks_[1]->Signal(SIGKILL);
  EXPECT_EQ(ranks_[1]->End(), 128 + SIGKILL);
}

}  // namespace
}  // namespace lvrpo
