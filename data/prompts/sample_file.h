#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

// The names of the pictures that evaluations write. They are made of numbers: the id of a record, which may
// hold anything, is shown and never part of a path.
namespace lvrpo {

// "sample-0007.png" for the picture written after seven others; no two numbers have the same name.
std::string SampleFileName(size_t number);

// Whether a name, which was read from a file, names something in a folder and nothing elsewhere.
bool IsPlainFileName(absl::string_view name);

}  // namespace lvrpo
