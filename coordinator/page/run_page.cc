#include "coordinator/page/run_page.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/json/json_text.h"
#include "common/words/words.h"
#include "coordinator/page/page_files.h"

namespace lvrpo {
namespace {

constexpr int kMostMembers = 512;
// Nothing from elsewhere is loaded, run or asked, and no other page may hold this one in a frame.
constexpr char kHeaders[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n";

PageAnswer Page(const char* type, std::string body) {
  return {.type = type, .body = std::move(body), .headers = kHeaders};
}

PageAnswer Refused(int code, const char* reason, const std::string& why) {
  return {.code = code, .reason = reason, .type = "text/plain", .body = why + "\n", .headers = kHeaders};
}

// "127.0.0.1", "[::1]", "localhost", with or without a port: names that nobody else can make resolve.
bool IsLocalName(absl::string_view host) {
  if (host.empty()) return true;
  if (host.front() == '[') return host == "[::1]" || absl::StartsWith(host, "[::1]:");
  const absl::string_view name = host.substr(0, host.find(':'));
  if (name == "localhost") return true;
  return name.find_first_not_of("0123456789.") == absl::string_view::npos;
}

}  // namespace

nlohmann::json StatusJson(const v1::GetStatusResponse& status) {
  nlohmann::json json = {
      {"run_id", status.run_id()},
      {"run_epoch", status.run_epoch()},
      {"state", status.finished() ? "finished" : (status.draining() ? "draining" : "running")},
      {"step", status.step()},
      {"total_steps", status.total_steps()},
      {"waiting_for", status.waiting_for()},
      {"seconds_since_progress", status.seconds_since_progress()},
      {"version", status.current_version().number()},
      {"digest", status.current_version().digest().substr(0, 12)},
      {"groups",
       std::map<std::string, int64_t>(status.groups_by_state().begin(), status.groups_by_state().end())},
      {"retired", std::map<std::string, int64_t>(status.groups_retired_by_reason().begin(),
                                                 status.groups_retired_by_reason().end())},
      {"reward_means", std::map<std::string, double>(status.recent_reward_means().begin(),
                                                     status.recent_reward_means().end())},
      {"members", nlohmann::json::array()},
      {"members_left_out", std::max(0, status.members_size() - kMostMembers)}};
  for (int i = 0; i < std::min(kMostMembers, status.members_size()); ++i) {
    const v1::Member& member = status.members(i);
    json["members"].push_back({{"id", member.member_id()},
                               {"role", Word(member.role())},
                               {"state", member.state()},
                               {"version", member.version().number()},
                               {"load", member.load()},
                               {"heard", member.seconds_since_heartbeat()},
                               {"address", member.address()},
                               {"rank", member.rank()}});
  }
  return json;
}

std::string WhyNoPage(const PageRequest& request, bool insecure) {
  if (insecure) return "";
  if (!request.from_loopback) {
    return "this page is plain text: open it on the coordinator's machine (kubectl port-forward, ssh -L), or "
           "start "
           "the coordinator with --insecure";
  }
  return IsLocalName(request.host) ? "" : "open this page as localhost or by its IP address";
}

PageAnswer RunPage::Answer(const PageRequest& request) const {
  const std::string why_not = WhyNoPage(request, sources_.insecure);
  if (!why_not.empty()) return Refused(403, "Forbidden", why_not);
  const std::string& path = request.path;
  if (path == "/") return Page("text/html; charset=utf-8", kPageHtml);
  if (path == "/page.css") return Page("text/css; charset=utf-8", kPageCss);
  if (path == "/page.js") return Page("text/javascript; charset=utf-8", kPageJs);
  if (path == "/api/status") return Page("application/json", JsonText(sources_.status()));
  if (path == "/api/curves") return Page("application/json", JsonText(sources_.curves()));
  if (path == "/api/samples") {
    const nlohmann::json curves = sources_.curves();
    return Page("application/json",
                JsonText(SamplesJson(sources_.run_dir, curves.value("steps", int64_t{0}))));
  }
  if (absl::string_view name = path; absl::ConsumePrefix(&name, "/images/")) {
    absl::StatusOr<std::string> image = ReadSample(sources_.run_dir, name);
    if (image.ok()) return Page("image/png", *std::move(image));
  }
  return Refused(404, "Not Found",
                 "there is /, /metrics, /healthz, /readyz, /api/status, /api/curves, /api/samples");
}

}  // namespace lvrpo
