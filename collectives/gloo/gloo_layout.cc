#include "collectives/gloo/gloo_layout.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/thrown.h"
#include "torch/csrc/distributed/c10d/HashStore.hpp"
#include "torch/csrc/distributed/c10d/ProcessGroupGloo.hpp"

namespace lvrpo {
namespace {

using Bytes = std::vector<char>;

Bytes BytesOf(const std::string& text) { return {text.begin(), text.end()}; }

std::string TextIn(c10d::Store& store, const std::string& key) {
  const std::vector<uint8_t> bytes = store.get(key);
  return {bytes.begin(), bytes.end()};
}

// The name of the first function that does something else than it says; empty: none.
std::string FirstWrong(gloo::rendezvous::Store& gloo, c10d::Store& under) {
  gloo.set("a", BytesOf("1"));
  if (TextIn(under, "a") != "1") return "set";
  if (gloo.get("a") != BytesOf("1")) return "get";
  gloo.wait({"a"});
  gloo.wait({"a"}, std::chrono::milliseconds(1));
  if (gloo.has_v2_support() != under.hasExtendedApi()) return "has_v2_support";
  gloo.multi_set({"b", "c"}, {BytesOf("2"), BytesOf("3")});
  if (TextIn(under, "b") != "2" || TextIn(under, "c") != "3") return "multi_set";
  if (gloo.multi_get({"b", "c"}) != std::vector<Bytes>{BytesOf("2"), BytesOf("3")}) return "multi_get";
  gloo.append("a", BytesOf("4"));
  if (TextIn(under, "a") != "14") return "append";
  if (gloo.add("n", 5) != 5 || under.add("n", 2) != 7) return "add";
  return "";
}

}  // namespace

absl::Status CheckGlooLayout() {
  std::string wrong;
  const absl::Status thrown = TryToRun([&] {
    const auto store = c10::make_intrusive<c10d::HashStore>();
    const auto options = c10d::ProcessGroupGloo::Options::create();
    options->devices = {c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")};
    options->threads = 1;
    c10d::ProcessGroupGloo group(store, 0, 1, options);
    wrong = FirstWrong(*group._getStore(), *store);
  });
  if (thrown.ok() && wrong.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("this program was built for another LibTorch (2.11.0): its Gloo ",
                   wrong.empty() ? absl::StrCat("says ", thrown.message())
                                 : absl::StrCat("has another layout (", wrong, ")"),
                   "; build it again against the LibTorch that it runs with"));
}

}  // namespace lvrpo
