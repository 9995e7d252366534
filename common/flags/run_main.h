#pragma once

namespace lvrpo {

// What every main() does: runs `body` and ends with its exit code. Whatever is thrown, here or on another
// thread, becomes one sentence on stderr and an exit code: kExitRetry for memory that is not there, kExitBug
// for the rest. A program that is done but whose standard output could not be written whole (a full disk)
// says so and ends with kExitRetry.
int RunMain(const char* program, int argc, char** argv, int (*body)(int argc, char** argv));

}  // namespace lvrpo
