#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/string_view.h"
#include "common/net/host_port.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// Validators for CLI11's check() and transform(). Each error is a sentence that names the value.
CLI::Validator AtLeast(int64_t low);
CLI::Validator AboveZero();                   // a finite number
CLI::Validator HostPortText(AddressUse use);  // common/net/host_port.h
CLI::Validator NameText(size_t most);         // common/names.h
// Bytes, as "5GB", "512 MiB" or "1000": whole, powers of 1000 (kB, MB, GB, TB) or of 1024 (KiB, ...).
CLI::Validator ByteSize();

// Rules for every option of `app` and its subcommands, before it parses: an option that may be repeated takes
// one value each time (never the words after it), whole numbers are decimal and fit into their type,
// fractions are finite, and no value is empty.
void CheckAllOptions(CLI::App& app);

// What is wrong with the arguments that CLI11 does not check; empty: nothing. An option written "--name="
// with no value would take the next word.
std::string ProblemOfArguments(const CLI::App& app, const std::vector<std::string>& arguments);

// The option with which each of these programs prints its FlagTree as JSON and exits, for shell completion.
inline constexpr char kFlagTreeFlag[] = "--print-flag-tree";

// The commands and options of a program: {"name", "help", "options": [{"names": ["-n", "--n"], "takes_value",
// "help", "choices" (where it is one of some words)}], "commands": [the same of each]}.
nlohmann::json FlagTree(const CLI::App& app);

// "; did you mean 'run'?" for the nearest of `known` to `word` (at most two letters away, and less than half
// of them), else empty.
std::string Suggestion(absl::string_view word, const std::vector<std::string>& known);

}  // namespace lvrpo
