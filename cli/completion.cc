#include "cli/completion.h"

#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cli/forward.h"
#include "common/files/filesystem.h"
#include "common/flags/flag_checks.h"

namespace lvrpo {
namespace {

std::vector<std::string> NamesOf(const nlohmann::json& command, const char* what) {
  std::vector<std::string> names;
  for (const nlohmann::json& entry : command.value(what, nlohmann::json::array())) {
    if (what == std::string("commands")) {
      names.push_back(entry.value("name", ""));
    } else {
      for (const nlohmann::json& name : entry["names"]) names.push_back(name.get<std::string>());
    }
  }
  return names;
}

// Quotes with single quotes for a shell.
std::string Quoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// The words that may follow a path of commands ("", "run", "watermark check"), and the values of options.
void BashCases(const nlohmann::json& command, const std::string& path, std::string& words,
               std::string& values) {
  std::vector<std::string> all = NamesOf(command, "commands");
  for (const std::string& name : NamesOf(command, "options")) all.push_back(name);
  absl::StrAppend(&words, "    ", Quoted(path), ") words=", Quoted(absl::StrJoin(all, " ")),
                  command.value("commands", nlohmann::json::array()).empty() ? "" : " commands=yes", " ;;\n");
  for (const nlohmann::json& option : command["options"]) {
    if (!option.contains("choices")) continue;
    for (const nlohmann::json& name : option["names"]) {
      absl::StrAppend(&values, "    ", Quoted(absl::StrCat(path, " ", name.get<std::string>())), ") words=",
                      Quoted(absl::StrJoin(option["choices"].get<std::vector<std::string>>(), " ")), " ;;\n");
    }
  }
  for (const nlohmann::json& sub : command.value("commands", nlohmann::json::array())) {
    BashCases(sub, path.empty() ? sub.value("name", "") : absl::StrCat(path, " ", sub.value("name", "")),
              words, values);
  }
}

void CommandPaths(const nlohmann::json& command, const std::string& path, std::vector<std::string>& paths) {
  for (const nlohmann::json& sub : command.value("commands", nlohmann::json::array())) {
    paths.push_back(absl::StrCat(path, path.empty() ? "" : " ", sub.value("name", "")));
    CommandPaths(sub, paths.back(), paths);
  }
}

// Escapes what is special to zsh's _arguments.
std::string ZshText(const std::string& text) {
  return absl::StrReplaceAll(text, {{"'", "'\\''"}, {"[", "\\["}, {"]", "\\]"}, {":", "\\:"}});
}

void ZshFunctions(const nlohmann::json& command, const std::string& function, std::string& script) {
  const nlohmann::json subs = command.value("commands", nlohmann::json::array());
  absl::StrAppend(&script, function, "() {\n  local curcontext=$curcontext state line\n  _arguments -C");
  for (const nlohmann::json& option : command["options"]) {
    std::string value;
    if (option.value("takes_value", false)) {
      value = option.contains("choices")
                  ? absl::StrCat(
                        ":value:(",
                        ZshText(absl::StrJoin(option["choices"].get<std::vector<std::string>>(), " ")), ")")
                  : ":value:_files";
    }
    for (const nlohmann::json& name : option["names"]) {
      absl::StrAppend(&script, " \\\n    '*", name.get<std::string>(), "[", ZshText(option.value("help", "")),
                      "]", value, "'");
    }
  }
  if (subs.empty()) {
    absl::StrAppend(&script, " \\\n    '*:file:_files'\n}\n");
    return;
  }
  absl::StrAppend(&script, " \\\n    '1:command:->command' \\\n    '*::argument:->argument'\n");
  absl::StrAppend(&script, "  case $state in\n    command)\n      local -a commands=(");
  for (const nlohmann::json& sub : subs) {
    absl::StrAppend(&script, "\n        '", sub.value("name", ""), ":", ZshText(sub.value("help", "")), "'");
  }
  absl::StrAppend(&script,
                  ")\n      _describe command commands ;;\n    argument)\n      case $words[1] in\n");
  for (const nlohmann::json& sub : subs) {
    absl::StrAppend(&script, "        ", sub.value("name", ""), ") ", function, "_", sub.value("name", ""),
                    " ;;\n");
  }
  absl::StrAppend(&script, "      esac ;;\n  esac\n}\n");
  for (const nlohmann::json& sub : subs)
    ZshFunctions(sub, absl::StrCat(function, "_", sub.value("name", "")), script);
}

}  // namespace

nlohmann::json WholeTree(const nlohmann::json& own, const std::string& folder) {
  std::map<std::string, nlohmann::json> trees;  // by binary
  nlohmann::json tree = own;
  for (const ForwardedCommand& command : ForwardedCommands()) {
    if (!trees.contains(command.binary)) {
      const absl::StatusOr<std::string> text = Capture({JoinPath(folder, command.binary), kFlagTreeFlag});
      trees[command.binary] = nlohmann::json::parse(text.ok() ? *text : std::string(), nullptr, false);
    }
    const nlohmann::json& other = trees[command.binary];
    if (!other.is_object()) continue;
    for (nlohmann::json& entry : tree["commands"]) {
      if (entry.value("name", "") != command.name) continue;
      const nlohmann::json subs = other.value("commands", nlohmann::json::array());
      if (subs.empty()) entry["options"] = other.value("options", nlohmann::json::array());
      for (const nlohmann::json& sub : subs) {
        if (sub.value("name", "") == command.name) entry = sub;
      }
    }
  }
  return tree;
}

std::string BashCompletion(const nlohmann::json& tree) {
  std::string words, values;
  BashCases(tree, "", words, values);
  std::vector<std::string> paths;
  CommandPaths(tree, "", paths);
  std::string known;
  for (const std::string& path : paths) absl::StrAppend(&known, known.empty() ? "" : "|", Quoted(path));
  return absl::StrCat(
      "# bash completion of lvrpo: source it, or put it into "
      "~/.local/share/bash-completion/completions/lvrpo\n"
      "_lvrpo() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} path='' words='' commands='' i longer\n"
      "  COMPREPLY=()\n"
      "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
      "    longer=\"${path:+$path }${COMP_WORDS[i]}\"\n"
      "    case $longer in\n    ",
      known,
      ") path=$longer ;;\n"
      "    esac\n"
      "  done\n"
      "  case $path in\n",
      words,
      "  esac\n"
      "  [[ $current == -* || -n $commands ]] || words=''\n"
      "  case \"$path ${COMP_WORDS[COMP_CWORD - 1]}\" in\n",
      values,
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "}\n"
      "complete -o default -F _lvrpo lvrpo\n");
}

std::string ZshCompletion(const nlohmann::json& tree) {
  std::string script =
      "#compdef lvrpo\n# zsh completion of lvrpo: put it into a folder of $fpath as _lvrpo\n";
  ZshFunctions(tree, "_lvrpo", script);
  return script + "compdef _lvrpo lvrpo\n";
}

}  // namespace lvrpo
