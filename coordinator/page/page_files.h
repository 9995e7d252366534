#pragma once

// The live page's files, which CMake makes constants of (page.html, page.css, page.js in this folder).
namespace lvrpo {

extern const char kPageHtml[];
extern const char kPageCss[];
extern const char kPageJs[];

}  // namespace lvrpo
