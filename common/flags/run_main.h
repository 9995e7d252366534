#pragma once

namespace lvrpo {

// Runs the `body` of a main() and returns its exit code. An exception on any thread becomes one sentence on
// stderr and an exit code: kExitRetry when out of memory, kExitBug for the rest. A program that finished but
// could not write all of its standard output (a full disk) says so and exits with kExitRetry.
//
// The program may open as many files and connections as its limits allow (common/flags/descriptor_limit.h).
//
// A program that links this and whose working folder was removed ends with kExitData before it begins.
int RunMain(const char* program, int argc, char** argv, int (*body)(int argc, char** argv));

}  // namespace lvrpo
