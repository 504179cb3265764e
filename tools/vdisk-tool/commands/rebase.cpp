/// rebase and relink: children follow a parent that was moved.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "images.h"
#include "options.h"
#include "run_job.h"
#include "vdisk/chains.h"

namespace vdisk::tool {
namespace {

using Json = nlohmann::ordered_json;

Json link_document(const Rebased& link) {
  return {{"child", text_of(link.child)},
          {"parent", text_of(link.parent)},
          {"parent_id", to_string(link.parent_id)},
          {"relative_path", link.relative_path},
          {"identity_changed", link.identity_changed}};
}

std::string sentence_of(const Rebased& link, bool dry_run) {
  const auto remark = parent_root_remark(link.child, link.parent);
  return fmt::format("{} {} to {}{}{}{}", dry_run ? "would link" : "linked",
                     escaped(text_of(link.child)), escaped(text_of(link.parent)),
                     link.identity_changed ? ", another identity with the same content" : "",
                     remark.empty() ? "" : "; ", remark);
}

class Rebase : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  std::optional<std::filesystem::path> parent_;
  std::optional<std::filesystem::path> old_parent_;
  RebaseOptions options_;
  OutputOptions output_;
};

void Rebase::declare(Arguments& arguments) {
  arguments.positional("CHILD", options_.child, "the image whose link is rewritten");
  arguments.path("--parent", parent_, "the file that is its parent from now on");
  arguments.flag("--force-identity", options_.force_identity,
                 "accept a parent with another identity if the child reads the same on it, by "
                 "comparison with its present parent or by --digest");
  arguments.text("--digest", "HEX", options_.digest,
                 "what hash said of the child's content, when its parent is gone");
  arguments.path("--old-parent", old_parent_,
                 "the present parent, where the child's own words do not lead to it");
  arguments.text("--parent-windows-path", "PATH", options_.windows_path,
                 "where Windows finds the parent, kept beside the relative path");
  arguments.flag("-n,--dry-run", options_.dry_run, "change nothing, only say what would be done");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open, {.explicit_parent = false, .format = false});
  arguments.example("rebase child.vhdx --parent moved/base.vhdx", "after base.vhdx was moved");
  arguments.example("rebase child.vhdx --parent copy.vhdx --force-identity",
                    "onto another disk of the same content");
}

Result<Exit> Rebase::run() {
  if (!parent_) return usage_error("--parent is missing: which file is the parent?");
  if (options_.digest && !options_.force_identity)
    return usage_error("--digest goes with --force-identity");
  options_.parent = *parent_;
  options_.open.parent = old_parent_;
  TOOL_ASSIGN(const auto link, run_job<Rebased>("rebase", output_, [this](Progress& progress) {
                return rebase(options_, progress);
              }));
  if (output_.json) {
    auto document = link_document(link);
    document["dry_run"] = options_.dry_run;
    print_json(document);
  } else {
    print_result(output_, sentence_of(link, options_.dry_run));
  }
  return Exit::success;
}

class Relink : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  void print_document(const Relinked& relinked) const;
  void print_lines(const Relinked& relinked) const;

  RelinkOptions options_;
  OutputOptions output_;
  bool flat_ = false;
};

void Relink::declare(Arguments& arguments) {
  arguments.positional("DIR", options_.directory, "the directory whose children are looked at");
  arguments.flag("-n,--dry-run", options_.dry_run, "change nothing, only say what would be done");
  arguments.flag("--no-recurse", flat_, "leave the directories in it alone");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open, {.explicit_parent = false, .format = false});
  arguments.example("relink disks --dry-run", "which links would be rewritten");
  arguments.example("relink disks",
                    "exit status 0: every child has its parent, 1: some still have not");
}

std::string why_unresolved(const TreeImage& image) {
  if (image.fault) return escaped(image.fault->message);
  std::string places;
  const bool has_candidates = !image.candidates.empty();
  for (const auto& path : has_candidates ? image.candidates : image.tried)
    places += (places.empty() ? "" : ", ") + escaped(text_of(path));
  return fmt::format("{}: parent {}{}{}", escaped(text_of(image.path)), name(image.parent_state),
                     places.empty()   ? ""
                     : has_candidates ? ": "
                                      : ", tried ",
                     places);
}

void Relink::print_document(const Relinked& relinked) const {
  auto links = Json::array();
  for (const auto& link : relinked.links) links.push_back(link_document(link));
  auto unresolved = Json::array();
  for (const auto& image : relinked.unresolved) {
    auto candidates = Json::array();
    for (const auto& path : image.candidates) candidates.push_back(text_of(path));
    auto tried = Json::array();
    for (const auto& path : image.tried) tried.push_back(text_of(path));
    unresolved.push_back({{"path", text_of(image.path)},
                          {"state", image.fault ? "unreadable" : name(image.parent_state)},
                          {"candidates", candidates},
                          {"tried", tried}});
  }
  print_json({{"dry_run", options_.dry_run},
              {"images", relinked.images},
              {"links", links},
              {"unresolved", unresolved}});
}

void Relink::print_lines(const Relinked& relinked) const {
  for (const auto& link : relinked.links) print_line(sentence_of(link, options_.dry_run));
  for (const auto& image : relinked.unresolved) print_line(why_unresolved(image));
  if (relinked.links.empty() && relinked.unresolved.empty())
    print_line(
        fmt::format("nothing to do: {} images, every child has its parent", relinked.images));
}

Result<Exit> Relink::run() {
  options_.recursive = !flat_;
  TOOL_ASSIGN(const auto relinked,
              run_job<Relinked>(
                  "relink", output_,
                  [this](Progress& progress) { return relink(options_, progress); }, Unit::steps));
  if (output_.json) {
    print_document(relinked);
  } else if (!output_.quiet) {
    print_lines(relinked);
  }
  return relinked.unresolved.empty() ? Exit::success : Exit::answer_no;
}

}  // namespace

std::unique_ptr<Command> make_rebase() {
  return std::make_unique<Rebase>();
}
std::unique_ptr<Command> make_relink() {
  return std::make_unique<Relink>();
}

}  // namespace vdisk::tool
