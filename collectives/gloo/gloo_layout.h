#pragma once

#include "absl/status/status.h"

namespace lvrpo {

// Whether the Gloo in LibTorch has the classes that shim/ declares: calls each virtual function of its store
// by our declaration and looks at what the store underneath got. FailedPrecondition when LibTorch is another
// version than the one this program was built for. A few ms.
absl::Status CheckGlooLayout();

}  // namespace lvrpo
