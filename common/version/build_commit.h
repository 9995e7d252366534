#pragma once

#include <string>

namespace lvrpo {

// The commit that this program was built from ("75db2d610b21", with "-dirty" after it when files were
// changed); empty where that is not known, and in tests.
std::string BuildCommit();

// "0.1.0 (75db2d610b21)": what --version prints.
std::string VersionWithCommit();

}  // namespace lvrpo
