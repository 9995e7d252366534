#include "common/net/introduction.h"

#include "common/version.h"
#include "common/version/build_commit.h"

namespace lvrpo {

v1::Build OwnBuild() {
  v1::Build build;
  build.set_version(kVersion);
  build.set_commit(BuildCommit());
  build.set_protocol(kProtocol);
  build.set_run_format(kRunFormat);
  return build;
}

}  // namespace lvrpo
