#pragma once

#include <cstddef>
#include <string>

namespace lvrpo {

// What moving and hashing weights can reach on this machine at best; each returns seconds. `bytes` are read
// as they lie there, `parts` times at once, by a thread each.

// SHA-256 of all bytes.
double HashSeconds(const std::string& bytes, int parts);
// memcpy into memory that has been written to before.
double CopySeconds(const std::string& bytes, int parts);
// Through a TCP connection of 127.0.0.1, from one thread to another that writes them to such memory.
double LoopbackSeconds(const std::string& bytes, int parts);
// The last and the first at the same time, without waiting for each other.
double LoopbackAndHashSeconds(const std::string& bytes, int parts);

}  // namespace lvrpo
