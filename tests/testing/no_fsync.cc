// Linked into a test that writes much: nothing is flushed to disk, neither by us nor by SQLite. A process
// that is killed loses nothing by that, only a machine that fails.

#include <unistd.h>

extern "C" int fsync(int) { return 0; }
extern "C" int fdatasync(int) { return 0; }
