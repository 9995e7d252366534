#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/local/process.h"

namespace lvrpo {

// A reward server process without a run; ends with the object.
class RewardServerProcess {
 public:
  struct Options {
    std::string config;                 // file
    std::vector<std::string> settings;  // a.b=c
    std::string address_file;           // where it writes its address; removed at the end
    std::string log;
  };
  // Blocks until it serves. Unavailable when it ends before that, DeadlineExceeded after two minutes.
  static absl::StatusOr<std::unique_ptr<RewardServerProcess>> Start(const Options& options);
  ~RewardServerProcess();

  const std::string& address() const { return address_; }
  pid_t pid() const { return process_.pid(); }

 private:
  RewardServerProcess(Process process, std::string address_file)
      : process_(std::move(process)), address_file_(std::move(address_file)) {}
  absl::Status AwaitAddress(const std::string& log);

  Process process_;
  const std::string address_file_;
  std::string address_;
};

}  // namespace lvrpo
