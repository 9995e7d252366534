#include "verifiers/number_tokens/latex_commands.h"

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_split.h"
#include "verifiers/number_tokens/number_characters.h"

namespace lvrpo::numbers {
namespace {

template <typename Value>
using Table = absl::flat_hash_map<absl::string_view, Value>;

template <typename Value>
struct Row {
  Value value;
  absl::string_view names;  // divided by blanks
};

template <typename Value, size_t kCount>
const Table<Value>* MakeTable(const Row<Value> (&rows)[kCount]) {
  auto* const table = new Table<Value>;
  for (const Row<Value>& row : rows) {
    for (const absl::string_view name : absl::StrSplit(row.names, ' ')) (*table)[name] = row.value;
  }
  return table;
}

constexpr Row<Command> kCommands[] = {
    {Command::kFraction, "frac dfrac tfrac cfrac nicefrac sfrac"},
    {Command::kWords,
     "text textnormal textrm textsf textup texttt textit textbf mbox hbox mathrm operatorname "
     "unit emph"},
    {Command::kTransparent,
     "mathbf mathit mathsf mathtt mathnormal boldsymbol bm bold underline num ang boxed fbox "
     "framebox ensuremath mathord"},
    {Command::kIgnored,
     "left right big bigl bigr Big Bigl Bigr bigg Bigg displaystyle textstyle rm bf it large "
     "Large LARGE huge Huge small normalsize prime"},
    {Command::kCurrency, "pounds euro texteuro textdollar yen textsterling"},
    {Command::kQuantity, "SI qty"},
    {Command::kArrow, "rightarrow longrightarrow leftarrow longleftarrow"},
    {Command::kBlank, "quad qquad thinspace enspace space nobreakspace"},
    {Command::kBreak,
     "implies Rightarrow Longrightarrow Leftrightarrow iff therefore "
     "because item newline hline par blacksquare Box qed qedhere checkmark hfill noindent nonumber notag "
     "centering smallskip medskip bigskip vfill newpage"},
    {Command::kSkipped, "begin end color textcolor label tag hspace vspace phantom"},
};

constexpr Row<char32_t> kSymbols[] = {
    {symbol::kTimes, "times cdot ast bullet"},
    {symbol::kDivide, "div"},
    {U'/', "over slash"},
    {symbol::kPlusMinus, "pm mp"},
    {symbol::kMinus, "minus textminus"},
    {symbol::kRoot, "sqrt surd"},
    {symbol::kConstant, "pi infty"},
    {symbol::kDegree, "circ degree textdegree"},
    {symbol::kAlmost, "approx sim simeq cong thickapprox approxeq"},
    {U'=', "coloneqq eq"},
    {U':', "colon"},
    {symbol::kRelation,
     "lt gt le ge leq geq leqslant geqslant ll gg ne neq in notin equiv propto to "
     "mapsto longmapsto subset supset perp parallel prec succ lesssim gtrsim nless ngtr nleq ngeq lneq gneq"},
    {symbol::kEllipsis, "ldots dots cdots"},
    {U'%', "percent"},
    {U'[', "lbrace lbrack"},
    {U']', "rbrace rbrack"},
    {U'|', "vert mid lvert rvert"},
};

}  // namespace

Command CommandOf(absl::string_view name) {
  static const auto* const commands = MakeTable(kCommands);
  const auto found = commands->find(name);
  if (found != commands->end()) return found->second;
  return CommandSymbol(name) != 0 ? Command::kSymbol : Command::kLetter;
}

char32_t CommandSymbol(absl::string_view name) {
  static const auto* const symbols = MakeTable(kSymbols);
  const auto found = symbols->find(name);
  return found == symbols->end() ? 0 : found->second;
}

bool IsNameCommand(absl::string_view name) {
  static const auto* const names = new absl::flat_hash_set<absl::string_view>(
      absl::StrSplit("alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu "
                     "nu xi rho varrho "
                     "sigma tau phi varphi chi psi omega Delta Theta Lambda Xi Pi Sigma Upsilon Phi "
                     "Psi Omega ell hbar "
                     "angle measuredangle triangle square odot overline overrightarrow overleftrightarrow "
                     "vec hat widehat bar "
                     "tilde widetilde dot mathcal mathbb mathfrak mathscr Pr max min gcd lcm dim deg",
                     ' '));
  return names->contains(name);
}

}  // namespace lvrpo::numbers
