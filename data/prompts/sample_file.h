#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

// File names of the images that evaluations write. They are made of numbers: a record's id, which may contain
// anything, is displayed but never part of a path.
namespace lvrpo {

// "sample-0007.png" for the picture written after seven others; no two numbers have the same name.
std::string SampleFileName(size_t number);

// Whether a name that was read from a file stays within its folder (no slash, not "..").
bool IsPlainFileName(absl::string_view name);

}  // namespace lvrpo
