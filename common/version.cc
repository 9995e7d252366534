#include "common/version.h"

namespace lvrpo {

const char* const kVersion = "0.1.0";

}  // namespace lvrpo
