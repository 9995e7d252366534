#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "common/utf8.h"

// The Unicode that tokenizers need: UTF-8, character classes, lower-casing and normalisation, exactly as the
// Python package `tokenizers` has them (tools/make_unicode_tables.py says which versions). Pure functions.
namespace lvrpo::unicode {

bool IsLetter(char32_t c);         // \p{L}
bool IsNumber(char32_t c);         // \p{N}
bool IsSpace(char32_t c);          // \s: the property White_Space
bool IsWordCharacter(char32_t c);  // \w

// The functions below need well-formed UTF-8.

// The code point at text[*at]; moves *at past it. Needs *at < text.size().
char32_t NextCodePoint(absl::string_view text, size_t* at);
// The one that ends before text[end]. Needs end > 0.
char32_t LastCodePoint(absl::string_view text, size_t end);

// Normalisation forms C and D.
std::string ToNfc(absl::string_view text);
std::string ToNfd(absl::string_view text);

// Character by character: a capital sigma at the end of a word becomes the plain small sigma, and a capital I
// with a dot becomes i and U+0307.
std::string ToLower(absl::string_view text);

}  // namespace lvrpo::unicode
