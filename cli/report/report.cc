#include "cli/report/report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/local/progress.h"
#include "cli/local/records.h"
#include "cli/report/chart.h"
#include "cli/report/report_guards.h"
#include "cli/report/run_summary.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "data/prompts/sample_file.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

constexpr char kStyle[] = R"(
body{font:15px/1.45 system-ui,sans-serif;color:#1b1f24;max-width:1120px;margin:24px auto;padding:0 16px}
h1{font-size:24px;margin:0 0 4px}h2{font-size:19px;margin:34px 0 10px;border-bottom:1px solid #d8dee4;padding-bottom:4px}
.muted{color:#5a6470}.result{font-size:20px;margin:14px 0}.good{color:#0a6b3d}.open{color:#5a6470}.bad{color:#b42318}
table{border-collapse:collapse;margin:8px 0}td,th{padding:4px 12px;border-bottom:1px solid #e6eaee;text-align:right}
td:first-child,th:first-child{text-align:left}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(430px,1fr));gap:14px}
svg{width:100%;height:auto;background:#fff}svg .title{font:600 14px system-ui}svg .tick{font:11px system-ui;fill:#5a6470}
svg .end{text-anchor:end}svg .mid{text-anchor:middle}svg .grid{stroke:#e6eaee}
.samples{display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:12px}
.card{border:1px solid #d8dee4;border-radius:6px;padding:8px}.card p{margin:2px 0 6px;font-weight:600}
.pair{display:flex;gap:8px}.shot{flex:1}.shot img{width:100%;image-rendering:pixelated;display:block}
.shot small{display:block;font-size:12px;line-height:1.35}.maps{display:flex;flex-wrap:wrap;gap:4px;margin-top:4px}
.maps figure{margin:0;width:64px}.maps figcaption{font-size:10px;line-height:1.2;color:#5a6470}
pre{background:#f6f8fa;padding:12px;overflow:auto;font-size:12.5px;border-radius:6px;max-height:420px}
.events td{text-align:left;font-size:13px;white-space:nowrap}.events td:last-child{white-space:normal}
)";

nlohmann::json ReadJson(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  return text.ok() ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
}

std::string ImageTag(const std::string& path) {
  const absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return "";
  return absl::StrCat("<img alt=\"\" src=\"data:image/png;base64,", absl::Base64Escape(*bytes), "\">");
}

// How a gain is shown: as a success or a loss only when its interval says so.
const char* ClassOf(double gain, double interval) {
  if (std::abs(gain) <= interval) return "open";
  return gain > 0 ? "good" : "bad";
}

// One value of every step as a line.
Series OfSteps(const std::vector<nlohmann::json>& steps, const std::string& key, const std::string& name) {
  Series series;
  series.name = name;
  for (const nlohmann::json& step : steps) {
    if (step.contains(key) && step[key].is_number())
      series.points.emplace_back(step.value("step", 0) + 1, step[key].get<double>());
  }
  return series;
}

// Moving average over the last `window` points.
Series Smoothed(Series series, size_t window) {
  std::vector<std::pair<double, double>> smooth;
  double sum = 0;
  for (size_t i = 0; i < series.points.size(); ++i) {
    sum += series.points[i].second;
    if (i >= window) sum -= series.points[i - window].second;
    smooth.emplace_back(series.points[i].first, sum / static_cast<double>(std::min(i + 1, window)));
  }
  series.points = std::move(smooth);
  return series;
}

class Report {
 public:
  explicit Report(std::string run_dir) : dir_(std::move(run_dir)) {}

  absl::StatusOr<std::string> Write() {
    summary_ = ReadJson(dir_ + "/summary.json");
    steps_ = ReadJsonLines(dir_ + "/metrics.jsonl");
    if (absl::StatusOr<nlohmann::json> records = ReadRecords(dir_); records.ok())
      records_ = *std::move(records);
    Head();
    Part("Its result", &Report::Result);
    Part("Its curves", &Report::Curves);
    html_ += GuardsHtml(steps_);
    Part("Its images", &Report::Samples);
    Part("Its timeline", &Report::Timeline);
    Configuration();
    html_ += "</body></html>\n";
    const std::string path = dir_ + "/report.html";
    if (absl::Status status = WriteFileAtomic(path, html_); !status.ok()) return status;
    return path;
  }

 private:
  // Writes one part of the page, or that a file of another shape than ours is in its way.
  void Part(const char* name, void (Report::*write)()) {
    const size_t before = html_.size();
    try {
      (this->*write)();
    } catch (const nlohmann::json::exception& thrown) {
      html_.resize(before);
      absl::StrAppend(&html_, "<p class=\"bad\">", name,
                      " cannot be shown, because a file of the run is damaged: ", EscapeHtml(thrown.what()),
                      "</p>");
    }
  }

  void Head() {
    const nlohmann::json run = ReadJson(dir_ + "/run.json");
    const bool named = run.is_object() && run.contains("run_id") && run["run_id"].is_string();
    const std::string id = named ? run["run_id"].get<std::string>() : dir_;
    absl::StrAppend(&html_, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>",
                    EscapeHtml(id), "</title><style>", kStyle, "</style></head><body><h1>LVRPO run ",
                    EscapeHtml(id), "</h1>");
    Part("What it took", &Report::Facts);
  }

  void Facts() {
    absl::StrAppendFormat(&html_, "<div class=\"muted\">%d steps", steps_.size());
    if (summary_.is_object()) {
      absl::StrAppendFormat(&html_, " in %s, seed %d, weights %s%s",
                            FormatSeconds(summary_.value("wall_seconds", 0.0)), summary_.value("seed", 0),
                            EscapeHtml(summary_.value("weights_digest", std::string()).substr(0, 12)),
                            summary_.value("resumed", false) ? ", resumed" : "");
    } else {
      html_ += "; not finished";
    }
    html_ += "</div>";
  }

  void Result() {
    if (!summary_.is_object()) return;
    html_ += "<h2>Result</h2>";
    if (summary_["heldout_score_before"].is_number() && summary_["heldout_score_after"].is_number()) {
      const double gain = summary_.value("heldout_gain", 0.0);
      const double interval = summary_.value("heldout_gain_confidence_95", 0.0);
      absl::StrAppendFormat(&html_,
                            "<div class=\"result\">held-out score %.3f &rarr; <b>%.3f</b> <span "
                            "class=\"%s\">(%+.3f &plusmn; %.3f)</span></div>"
                            "<p class=\"muted\">Share of %d images, of prompts that training never saw, in "
                            "which an independent checker finds "
                            "everything that was asked and nothing else. The same prompts and noise before "
                            "and after; the interval is 95 %% of "
                            "the paired difference%s.</p>",
                            summary_["heldout_score_before"].get<double>(),
                            summary_["heldout_score_after"].get<double>(), ClassOf(gain, interval), gain,
                            interval, summary_.value("heldout_images", 0),
                            std::abs(gain) > interval ? "" : ", and it includes 0: no change is shown");
    }
    if (summary_.contains("by_kind")) {
      html_ +=
          "<table><tr><th>kind</th><th>images</th><th>before</th><th>after</th><th>standard error</th>"
          "<th>presence only before</th><th>after</th></tr>";
      for (const auto& [kind, values] : summary_["by_kind"].items()) {
        if (!values.contains("before") || !values.contains("after")) continue;
        absl::StrAppendFormat(
            &html_,
            "<tr><td>%s</td><td>%d</td><td>%.3f</td><td>%.3f</td><td>%.3f</td><td>%.3f</td><td>%.3f</td></"
            "tr>",
            EscapeHtml(kind), values["after"].value("images", 0), values["before"].value("score", 0.0),
            values["after"].value("score", 0.0), values["after"].value("standard_error", 0.0),
            values["before"].value("presence_only", 0.0), values["after"].value("presence_only", 0.0));
      }
      html_ += "</table>";
      absl::StrAppendFormat(
          &html_,
          "<p class=\"muted\">Objects per image %.2f &rarr; %.2f where %.2f were asked; shapes nobody can "
          "name %.1f %% &rarr; %.1f %% of "
          "objects; entropy of colours %.2f &rarr; %.2f bits.</p>",
          summary_.value("objects_per_image_before", 0.0), summary_.value("objects_per_image_after", 0.0),
          summary_.value("objects_asked_per_image", 0.0), 100 * summary_.value("unknown_share_before", 0.0),
          100 * summary_.value("unknown_share_after", 0.0), summary_.value("color_entropy_bits_before", 0.0),
          summary_.value("color_entropy_bits_after", 0.0));
    }
    if (summary_.contains("text_exact_match_before") && summary_.contains("text_exact_match_after")) {
      absl::StrAppendFormat(
          &html_,
          "<p>Held-out questions answered exactly: %.3f &rarr; %.3f of %d (gain %+.3f &plusmn; %.3f, 95 %%); "
          "probability of the right answer %.3f &rarr; %.3f.</p>",
          summary_["text_exact_match_before"].get<double>(), summary_["text_exact_match_after"].get<double>(),
          summary_.value("text_questions", 0), summary_.value("text_gain", 0.0),
          summary_.value("text_gain_confidence_95", 0.0),
          summary_.value("text_answer_probability_before", 0.0),
          summary_.value("text_answer_probability_after", 0.0));
    }
    html_ += "<table><tr><th>reward</th><th>first 10 steps</th><th>last 10 steps</th></tr>";
    for (const auto& [name, value] : summary_["reward_means_first_10_steps"].items()) {
      absl::StrAppendFormat(&html_, "<tr><td>%s</td><td>%.3f</td><td>%.3f</td></tr>", EscapeHtml(name),
                            value.get<double>(), summary_["reward_means_last_10_steps"].value(name, 0.0));
    }
    html_ += "</table><table><tr><th>phase</th><th>seconds</th></tr>";
    for (const auto& [phase, value] : summary_["seconds_by_phase"].items()) {
      absl::StrAppendFormat(&html_, "<tr><td>%s</td><td>%.1f</td></tr>", EscapeHtml(phase),
                            value.get<double>());
    }
    html_ += "</table>";
  }

  // Evaluations in between have fewer images, so a point is the score before training plus the gain on the
  // images that both have.
  Series HeldOut() const {
    Series series;
    series.name = "held-out score";
    const std::string images = dir_ + "/images/";
    const nlohmann::json before = ReadJson(images + "before/scores.json");
    if (!before.is_object() || !before.contains("score")) return series;
    const double start = before.value("score", 0.0);
    series.points.emplace_back(0, start);
    series.errors.push_back(before.value("standard_error", 0.0));
    std::map<double, std::string> by_step;
    const absl::StatusOr<std::vector<std::string>> names = ListFolder(images);
    for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
      if (name == "after") by_step[static_cast<double>(steps_.size())] = name;
      if (name.rfind("step_", 0) == 0) by_step[std::atof(name.substr(5).c_str())] = name;
    }
    const std::vector<nlohmann::json> first = ReadJsonLines(images + "before/all.jsonl");
    for (const auto& [step, name] : by_step) {
      const PairedDifference gain =
          ComparePairs(PairOutcomes(first, ReadJsonLines(images + name + "/all.jsonl"), "image"));
      if (gain.count == 0) continue;
      series.points.emplace_back(step, start + gain.mean);
      series.errors.push_back(gain.half_width / 1.96);
    }
    return series;
  }

  // "reward" and "reward_<component>" of the steps.
  std::set<std::string> RewardNames() const {
    std::set<std::string> names;
    for (const nlohmann::json& step : steps_) {
      for (const auto& [key, value] : step.items()) {
        if (key.rfind("reward", 0) == 0 && key != "reward_std_in_group") names.insert(key);
      }
    }
    return names;
  }

  void Curves() {
    html_ +=
        "<h2>Curves</h2><p class=\"muted\">Rewards are means over the last 10 steps. The held-out score is "
        "the "
        "base's plus the gain on the same images; bars are standard errors.</p><div class=\"charts\">";
    html_ += DrawChart({"Held-out score", "step", {HeldOut()}, false});
    Chart rewards{"Reward by component", "step", {}, false};
    for (const std::string& name : RewardNames()) {
      Series series = Smoothed(OfSteps(steps_, name, name == "reward" ? "combined" : name.substr(7)), 10);
      if (!series.points.empty()) rewards.series.push_back(std::move(series));
    }
    html_ += DrawChart(rewards);
    const auto chart = [&](const std::string& title,
                           const std::vector<std::pair<std::string, std::string>>& keys, bool zero) {
      Chart drawn{title, "step", {}, zero};
      for (const auto& [key, name] : keys) {
        Series series = OfSteps(steps_, key, name);
        if (!series.points.empty()) drawn.series.push_back(std::move(series));
      }
      if (!drawn.series.empty()) html_ += DrawChart(drawn);
    };
    chart("KL to the base policy", {{"image_kl", "image"}, {"text_kl", "text"}}, true);
    chart("Largest |ratio - 1| in the first update", {{"ratio_deviation_first_update", "ratio"}}, true);
    chart("|log-prob at the sampler - at the learner|",
          {{"sampler_log_prob_difference", "all"},
           {"sampler_log_prob_difference_same_version", "same weights"}},
          true);
    chart("Share of clipped ratios",
          {{"image_clip_low", "image low"},
           {"image_clip_high", "image high"},
           {"text_clip_low", "text low"},
           {"text_clip_high", "text high"}},
          true);
    chart("Gradient norm", {{"image_gradient_norm", "image"}, {"text_gradient_norm", "text"}}, true);
    chart("Reward spread inside groups", {{"reward_std_in_group", "standard deviation"}}, true);
    chart("Age of the groups, in steps", {{"staleness", "age"}}, true);
    chart("Seconds per step",
          {{"seconds_wait", "wait"}, {"seconds_update", "update"}, {"seconds_publish", "publish"}}, true);
    html_ += "</div>";
  }

  // A patch map as small squares over nothing: bright where the phrase is found.
  static std::string MapTag(const nlohmann::json& map) {
    const int rows = map.value("rows", 0), columns = map.value("columns", 0);
    std::string svg =
        absl::StrFormat("<figure><svg viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\">", columns, rows);
    for (int row = 0; row < rows; ++row) {
      for (int column = 0; column < columns; ++column) {
        const double value = std::clamp(
            map.at("values").at(static_cast<size_t>(row * columns + column)).get<double>(), 0.0, 1.0);
        absl::StrAppendFormat(
            &svg, "<rect x=\"%d\" y=\"%d\" width=\"1\" height=\"1\" fill=\"rgb(%d,%d,%d)\"/>", column, row,
            static_cast<int>(20 + 235 * value), static_cast<int>(20 + 180 * value * value),
            static_cast<int>(60 + 20 * (1 - value)));
      }
    }
    return absl::StrCat(svg, "</svg><figcaption>", EscapeHtml(map.value("phrase", "")),
                        "</figcaption></figure>");
  }

  std::string Shot(const std::string& name, const nlohmann::json& sample,
                   const nlohmann::json& rewards) const {
    const std::string image = sample.value("image", "");
    std::string html =
        absl::StrCat("<div class=\"shot\">",
                     IsPlainFileName(image) ? ImageTag(dir_ + "/images/" + name + "/" + image) : "");
    absl::StrAppendFormat(&html, "<small><b class=\"%s\">%s, %s</b><br>",
                          sample.value("correct", false) ? "good" : "bad", name,
                          sample.value("correct", false) ? "right" : "wrong");
    for (const nlohmann::json& reward : rewards) {
      if (reward.value("id", "") != sample.value("id", "")) continue;
      absl::StrAppendFormat(&html, "reward %.2f", reward.value("reward", 0.0));
      for (const auto& [component, score] : reward.at("scores").items()) {
        const std::string detail = score.value("detail", "");
        absl::StrAppendFormat(
            &html, "<br>%s %.2f%s", EscapeHtml(component), score.value("score", 0.0),
            detail.empty() ? "" : absl::StrCat(" <span class=\"muted\">", EscapeHtml(detail), "</span>"));
      }
      html += "</small><div class=\"maps\">";
      for (const nlohmann::json& map : reward.at("maps")) html += MapTag(map);
      return html + "</div></div>";
    }
    return html + "</small></div>";
  }

  void Samples() {
    const nlohmann::json before = ReadJson(dir_ + "/images/before/samples.json");
    const nlohmann::json after = ReadJson(dir_ + "/images/after/samples.json");
    if (!before.is_array()) return;
    const nlohmann::json before_rewards = ReadJson(dir_ + "/images/before/rewards.json");
    const nlohmann::json after_rewards = ReadJson(dir_ + "/images/after/rewards.json");
    html_ +=
        "<h2>Images of held-out prompts</h2><p class=\"muted\">The first prompts of each kind, not chosen. "
        "Below each image: the "
        "checker's verdict, the reward by component, and for each key phrase where the referee grounds it "
        "(bright = found).</p>";
    html_ += "<div class=\"samples\">";
    for (const nlohmann::json& sample : before) {
      absl::StrAppend(
          &html_, "<div class=\"card\"><p>", EscapeHtml(sample.value("prompt", "")),
          "</p><div class=\"pair\">",
          Shot("before", sample, before_rewards.is_array() ? before_rewards : nlohmann::json::array()));
      if (after.is_array()) {
        for (const nlohmann::json& other : after) {
          if (other.value("id", "") == sample.value("id", "")) {
            html_ += Shot("after", other, after_rewards.is_array() ? after_rewards : nlohmann::json::array());
          }
        }
      }
      html_ += "</div></div>";
    }
    html_ += "</div>";
  }

  void Timeline() {
    if (!records_.is_object()) return;
    html_ += "<h2>Groups and events</h2><table><tr><th>groups</th><th>count</th></tr>";
    absl::StrAppendFormat(&html_, "<tr><td>consumed</td><td>%d</td></tr>",
                          records_.value("groups_consumed", 0));
    for (const auto& [reason, count] : records_["groups_retired_by_reason"].items()) {
      absl::StrAppendFormat(&html_, "<tr><td>retired: %s</td><td>%d</td></tr>", EscapeHtml(reason),
                            count.get<int>());
    }
    html_ += "</table><table class=\"events\">";
    double begin = -1;
    for (const nlohmann::json& event : records_["events"]) {
      const double at = event.value("unix_seconds", 0.0);
      if (begin < 0) begin = at;
      absl::StrAppendFormat(&html_, "<tr><td>+%s</td><td>%s</td><td>%s</td></tr>", FormatSeconds(at - begin),
                            EscapeHtml(event.value("kind", "")), EscapeHtml(event.value("text", "")));
    }
    html_ += "</table>";
  }

  void Configuration() {
    const absl::StatusOr<std::string> config = ReadFile(dir_ + "/config.yaml");
    if (config.ok()) absl::StrAppend(&html_, "<h2>Configuration</h2><pre>", EscapeHtml(*config), "</pre>");
  }

  const std::string dir_;
  nlohmann::json summary_, records_;
  std::vector<nlohmann::json> steps_;
  std::string html_;
};

}  // namespace

absl::StatusOr<std::string> WriteReport(const std::string& run_dir) {
  const absl::StatusOr<PathKind> kind = KindOf(JoinPath(run_dir, "run.json"));
  if (!kind.ok()) return kind.status();
  if (*kind == PathKind::kMissing && !Exists(JoinPath(run_dir, "coordinator.sqlite")))
    return absl::NotFoundError(absl::StrCat(run_dir, " is not a run folder: it has no run.json"));
  return Report(run_dir).Write();
}

}  // namespace lvrpo
