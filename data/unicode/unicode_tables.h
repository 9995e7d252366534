#pragma once

#include <array>
#include <cstdint>
#include <span>

// Tables of data/unicode/unicode.h; include that instead. Each is sorted by its first member.
namespace lvrpo::unicode {

// Code points first .. last.
struct Range {
  char32_t first, last;
};
// Code points of one canonical combining class; all others have class 0.
struct ClassRange {
  char32_t first, last;
  uint8_t combining_class;
};
// What a code point becomes; unused places are 0.
struct Decomposition {
  char32_t from;
  std::array<char32_t, 4> to;
};
// Sorted by (first, second).
struct Composition {
  char32_t first, second, composed;
};
// first, first + step, ... last become themselves plus delta.
struct CaseRange {
  char32_t first, last;
  int32_t step, delta;
};

std::span<const Range> Letters();         // \p{L}
std::span<const Range> Numbers();         // \p{N}
std::span<const Range> Spaces();          // \s
std::span<const Range> WordCharacters();  // \w
std::span<const ClassRange> CombiningClasses();
std::span<const Decomposition> Decompositions();  // full and canonical, without Hangul
std::span<const Composition> Compositions();      // primary composites, without Hangul
std::span<const CaseRange> Lowercase();
std::span<const Decomposition> LowercaseLonger();  // what becomes more than one code point

}  // namespace lvrpo::unicode
