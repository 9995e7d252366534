#include "verifiers/lexicon/choice_symbols.h"

#include <unordered_map>

namespace lvrpo {

Term SymbolTerm(char32_t c) {
  static const auto* const terms = new std::unordered_map<char32_t, Term>{
      {U'\n', Term::kLine},      {U'\r', Term::kLine},      {U'(', Term::kOpen},
      {U'[', Term::kOpen},       {U'{', Term::kOpen},       {U')', Term::kClose},
      {U']', Term::kClose},      {U'}', Term::kClose},      {U':', Term::kColon},
      {U',', Term::kComma},      {U'.', Term::kStop},       {U'!', Term::kStop},
      {U';', Term::kStop},       {U'?', Term::kQuestion},   {U'/', Term::kAnd},
      {U'&', Term::kAnd},        {U'\u3001', Term::kComma}, {U'\u3002', Term::kStop},
      {U'\u2192', Term::kColon}, {U'\u21D2', Term::kColon}, {U'\u27A1', Term::kColon},
      {U'\u2236', Term::kColon}, {U'\u2234', Term::kThus},  {U'\u2235', Term::kBecause},
      {U'\u3010', Term::kOpen},  {U'\u3011', Term::kClose}, {U'\u300C', Term::kOpen},
      {U'\u300D', Term::kClose}, {U'\u300E', Term::kOpen},  {U'\u300F', Term::kClose},
      {U'\u3014', Term::kOpen},  {U'\u3015', Term::kClose}, {U'\u3008', Term::kOpen},
      {U'\u3009', Term::kClose}, {U'\u300A', Term::kOpen},  {U'\u300B', Term::kClose},
      {U'\u3016', Term::kOpen},  {U'\u3017', Term::kClose}, {U'\u2022', Term::kDash},
      {U'\u00BF', Term::kQuote}, {U'\u00A1', Term::kQuote}, {U'\u2705', Term::kRight},
      {U'\u2713', Term::kRight}, {U'\u2714', Term::kRight}, {U'\u2611', Term::kRight},
      {U'\u274C', Term::kWrong}, {U'\u2717', Term::kWrong}, {U'\u2718', Term::kWrong},
      {U'\u274E', Term::kWrong},
  };
  const auto found = terms->find(c);
  return found == terms->end() ? Term::kMark : found->second;
}

}  // namespace lvrpo
