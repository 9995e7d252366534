#include "common/net/rights.h"

#include <filesystem>
#include <regex>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

// Every method of every service in proto/, as gRPC names them.
std::set<std::string> AllMethods() {
  const std::regex word("^\\s*(package|service|rpc)\\s+([\\w.]+)");
  std::set<std::string> methods;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(LVRPO_SOURCE_DIR "/proto")) {
    if (entry.path().extension() != ".proto") continue;
    std::string package, service;
    const std::vector<std::string> lines = absl::StrSplit(*ReadFile(entry.path().string()), '\n');
    for (const std::string& line : lines) {
      std::smatch match;
      if (!std::regex_search(line, match, word)) continue;
      if (match[1] == "package") package = match[2];
      if (match[1] == "service") service = match[2];
      if (match[1] == "rpc") methods.insert(absl::StrCat("/", package, ".", service, "/", match[2].str()));
    }
  }
  return methods;
}

TEST(Rights, EveryMethodHasARow) {
  const std::set<std::string> methods = AllMethods();
  EXPECT_GE(methods.size(), 20u);
  for (const std::string& method : methods)
    EXPECT_NE(FindRight(method), nullptr)
        << method << " needs a row in common/net/rights.cc, and in docs/security.md";
  std::set<std::string> rows;
  for (const MethodRight& right : MethodRights()) {
    EXPECT_TRUE(rows.insert(right.method).second) << right.method << " has two rows";
  }
}

TEST(Rights, WhoseRowIsMissingMayNotBeCalled) {
  for (const PeerRole role : AllPeerRoles()) {
    EXPECT_FALSE(MayCall(role, "/lvrpo.v1.Coordinator/Nothing"));
    EXPECT_FALSE(MayCall(role, ""));
  }
}

// The table that people read is the one that is enforced: each row and nothing else.
TEST(Rights, DocumentsShowTheTable) {
  const absl::StatusOr<std::string> text = ReadFile(LVRPO_SOURCE_DIR "/docs/security.md");
  ASSERT_TRUE(text.ok()) << text.status();
  std::set<std::string> documented, enforced;
  const std::vector<std::string> lines = absl::StrSplit(*text, '\n');
  for (const std::string& line : lines) {
    if (line.rfind("| `", 0) == 0 && line.find("/") != std::string::npos) documented.insert(line);
  }
  for (const MethodRight& right : MethodRights()) {
    const std::string method = std::string(right.method).substr(std::string(right.method).find('.') + 1);
    const bool all = right.roles.size() == AllPeerRoles().size();
    enforced.insert(absl::StrCat(
        "| `", method.substr(method.rfind("v1.", 0) == 0 ? 3 : 0), "` | ", all ? "all" : InWords(right.roles),
        " | ", right.most_bytes == 0 ? "`rpc.max_message_mib`" : absl::StrCat(right.most_bytes >> 20, " MiB"),
        " |"));
  }
  EXPECT_EQ(documented, enforced);
}

}  // namespace
}  // namespace lvrpo
