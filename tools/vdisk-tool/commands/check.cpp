/// check: what is wrong with an image, and what a repair would do or does about it.
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "findings.h"
#include "images.h"
#include "options.h"
#include "profiles.h"
#include "run_job.h"
#include "side_output.h"

namespace vdisk::tool {
namespace {

using Reports = std::vector<LayerReport>;

class Check : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  [[nodiscard]] Status check_words() const;
  [[nodiscard]] Status try_undo_file() const;
  Result<Exit> run_check();
  Result<Exit> run_repair();
  Result<Exit> run_undo();
  void print_document(const Reports& reports) const;

  Status add_unfit_findings(Reports& reports) const;

  CheckOptions options_;
  OutputOptions output_;
  bool repair_ = false;
  bool yes_ = false;
  std::optional<std::filesystem::path> keep_;
  std::optional<std::filesystem::path> take_back_;
  const Profile* profile_ = nullptr;
};

bool all_clean(const Reports& reports) {
  for (const auto& layer : reports) {
    if (!layer.report.clean()) return false;
  }
  return true;
}

void Check::declare(Arguments& arguments) {
  arguments.positional("PATH", options_.path, "the image");
  arguments.flag("--chain", options_.chain, "check the parents too");
  arguments.choice<const Profile*>("--profile", profile_, profile_choices(),
                                   "whether this platform would take the image");
  arguments.group("Repair");
  arguments.flag("--repair", repair_,
                 "say what a repair of this image would do; with --yes do it. Nothing that can be "
                 "read now is lost");
  arguments.flag("-y,--yes", yes_, "change the file");
  arguments.path("--undo", keep_, "with --repair --yes: a new file that keeps what is overwritten");
  arguments.path("--take-back", take_back_,
                 "put back what --undo kept in this file: shows what would be done; with --yes do "
                 "it");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open);
  arguments.example("check disk.vhdx", "exit status 0: nothing worse than a remark, 1: problems");
  arguments.example("check child.vhdx --chain --json", "every finding of every layer");
  arguments.example("check disk.vhdx --repair", "what a repair would do; nothing is changed");
  arguments.example("check disk.vhdx --repair --yes --undo disk.undo",
                    "do it, but keep a way back");
  arguments.example("check disk.vhdx --take-back disk.undo --yes", "the way back");
}

void Check::print_document(const Reports& reports) const {
  auto document = check_document(reports.front());
  if (options_.chain) {
    document["clean"] = all_clean(reports);
    document["chain"] = nlohmann::ordered_json::array();
    for (const auto& layer : reports) document["chain"].push_back(check_document(layer));
  }
  print_json(document);
}

Status Check::check_words() const {
  if (repair_ && take_back_)
    return fail(Errc::invalid_argument, "--take-back: not together with --repair");
  if ((repair_ || take_back_) && options_.chain)
    return fail(Errc::invalid_argument, "--chain: a repair changes this image alone");
  if ((repair_ || take_back_) && profile_ != nullptr)
    return fail(Errc::invalid_argument, "--profile: not together with a repair");
  if (yes_ && !repair_ && !take_back_)
    return fail(Errc::invalid_argument, "--yes: expected --repair or --take-back");
  if (keep_ && !(repair_ && yes_))
    return fail(Errc::invalid_argument, "--undo: expected --repair --yes");
  return {};
}

/// What the platform would not take counts as an error of the leaf.
Status Check::add_unfit_findings(Reports& reports) const {
  if (profile_ == nullptr) return {};
  auto open = options_.open;
  open.parents = ParentPolicy::none;
  open.parent.reset();
  TOOL_ASSIGN(const auto disk, Disk::open(options_.path, open));
  TOOL_ASSIGN(const auto layer, disk.layer(0));
  for (auto& finding : unfit_findings(*profile_, layer))
    reports.front().report.add(std::move(finding));
  return {};
}

Result<Exit> Check::run() {
  TOOL_TRY(check_words());
  if (repair_) return run_repair();
  return take_back_ ? run_undo() : run_check();
}

/// An undo file that cannot be made is noticed before the image is read; the library makes it.
Status Check::try_undo_file() const {
  if (!keep_) return {};
  TOOL_TRY(SideOutput::prepare({.path = *keep_, .others = {options_.path}}));
  return {};
}

Result<Exit> Check::run_repair() {
  TOOL_TRY(try_undo_file());
  const RepairOptions options{
      .path = options_.path, .apply = yes_, .undo = keep_, .open = options_.open};
  TOOL_ASSIGN(const auto repaired, run_job<Repaired>("repair", output_, [&](Progress& p) {
                return repair(options, p);
              }));
  if (output_.json) {
    print_json(repair_document(options, repaired));
  } else if (!output_.quiet) {
    print_repair(options, repaired);
  }
  const CheckReport& now = repaired.applied ? repaired.after : repaired.before;
  return now.clean() ? Exit::success : Exit::answer_no;
}

Result<Exit> Check::run_undo() {
  const UndoOptions options{
      .image = options_.path, .undo = *take_back_, .apply = yes_, .open = options_.open};
  TOOL_ASSIGN(const auto undone, run_job<Undone>("undo", output_, [&](Progress& p) {
                return undo_repair(options, p);
              }));
  if (output_.json) {
    print_json(undo_document(options, undone));
  } else if (!output_.quiet) {
    print_undo(options, undone);
  }
  return Exit::success;
}

Result<Exit> Check::run_check() {
  TOOL_ASSIGN(auto reports, run_job<Reports>("check", output_, [this](Progress& progress) {
                return check(options_, progress);
              }));
  if (reports.empty()) return fail(Errc::internal, "check gave no report");
  TOOL_TRY(add_unfit_findings(reports));
  if (output_.json) {
    print_document(reports);
  } else if (!output_.quiet) {
    for (const auto& layer : reports) print_check(layer);
  }
  return all_clean(reports) ? Exit::success : Exit::answer_no;
}

}  // namespace

std::unique_ptr<Command> make_check() {
  return std::make_unique<Check>();
}

}  // namespace vdisk::tool
