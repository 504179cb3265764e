/// mirror: a copy of a disk that follows its source until a signal breaks it off.
#include "vdisk/mirror.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "images.h"
#include "options.h"
#include "profiles.h"
#include "raw_target.h"
#include "run_job.h"

namespace vdisk::tool {
namespace {

/// A status that stays the same is not shown again after so many looks.
constexpr int most_equal_looks = 5;

class Mirror : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  Result<CreatedDisk> follow_until_broken();
  void show(ProgressDisplay& display, const JobStatus& status);
  void announce(ProgressDisplay& display);
  void obey_signals(Job<CreatedDisk>& job) const;
  void tell(const CreatedDisk& created) const;
  [[nodiscard]] std::string how_far(const MirrorState& state) const;

  FollowOptions options_;
  MirrorSwitch switch_;
  OutputOptions output_;
  const Profile* profile_ = nullptr;
  JobStatus shown_ = {};
  int equal_looks_ = 0;
  bool announced_ = false;
};

void Mirror::declare(Arguments& arguments) {
  arguments.positional("SRC", options_.source, "the image to copy: raw, VHD or VHDX");
  arguments.positional("DST", options_.target.path,
                       "the new image; .vhd, .vhdx or .raw / .img decide the format; it gets its "
                       "name at the end");
  arguments.choice<const Profile*>("--profile", profile_, profile_choices(), profile_list());
  declare_target(arguments, options_.target);
  arguments.size("--size", options_.size, "size of the new disk, not less than the source's");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open,
               {.format_option = "--source-format", .format_of = "the source"});
  arguments.example("mirror disk.vhdx copy.vhdx", "Ctrl-C ends it and gives the copy its name");
  arguments.example("mirror disk.vhdx other/disk.vhd", "to another place, in another format");
  arguments.example("mirror disk.vhdx copy.raw --progress=json",
                    "a line with equal values says that it is in step");
}

/// Looks at the same moment at the status that is shown and at the signals.
Result<CreatedDisk> Mirror::follow_until_broken() {
  allow_second_signal();
  TOOL_TRY(check_interrupted());
  ProgressDisplay display("mirror", output_);
  TOOL_ASSIGN(auto job, Job<CreatedDisk>::start([this](Progress& progress) {
                return follow(options_, switch_, progress);
              }));
  for (;;) {
    show(display, job.status());
    auto result = job.wait_for(poll_interval);
    if (result) {
      display.finish(job.status());
      return *std::move(result);
    }
    obey_signals(job);
  }
}

/// In step nothing moves, for days maybe: neither a bar nor lines.
void Mirror::show(ProgressDisplay& display, const JobStatus& status) {
  const bool equal = status.current_value == shown_.current_value &&
                     status.completion_value == shown_.completion_value;
  equal_looks_ = equal ? equal_looks_ + 1 : 0;
  shown_ = status;
  if (equal_looks_ < most_equal_looks) {
    display.update(status);
  } else if (switch_.in_step()) {
    announce(display);
  }
}

void Mirror::announce(ProgressDisplay& display) {
  display.pause();
  const bool for_programs =
      output_.quiet || output_.json || output_.progress == ProgressStyle::json;
  if (!announced_ && !for_programs) {
    remark(fmt::format("{} is in step with {}; Ctrl-C gives it its name",
                       text_of(options_.target.path), text_of(options_.source)));
  }
  announced_ = true;
}

/// The first signal keeps the copy, if there is one; the second one gives it up.
void Mirror::obey_signals(Job<CreatedDisk>& job) const {
  const int count = received_signal_count();
  if (count == 0) return;
  if (count == 1 && switch_.state().copied) {
    switch_.break_mirror();
  } else {
    (void)job.cancel();
  }
}

std::string Mirror::how_far(const MirrorState& state) const {
  const auto source = text_of(options_.source);
  if (!state.behind) return fmt::format("in step with {}", escaped(source));
  return fmt::format("as {} was at {}; since then: {}", escaped(source),
                     iso_time(state.in_step_seconds), escaped(state.why_behind));
}

void Mirror::tell(const CreatedDisk& created) const {
  const auto state = switch_.state();
  if (!output_.json) {
    print_created(created, output_, "mirrored", how_far(state));
    return;
  }
  auto document = created_document(created);
  document["source_size"] = created.copied->source_size;
  document["copied_bytes"] = state.copied_bytes;
  document["in_step_at"] = iso_time(state.in_step_seconds);
  document["behind"] = nullptr;
  if (state.behind) document["behind"] = state.why_behind;
  print_json(document);
}

Result<Exit> Mirror::run() {
  if (profile_ != nullptr) {
    TOOL_TRY(apply_profile(*profile_, format_for_extension(options_.target.path), options_.target));
  }
  TOOL_TRY(check_raw_target(options_.target, format_for_extension(options_.target.path)));
  TOOL_ASSIGN(const auto created, follow_until_broken());
  tell(created);
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_mirror() {
  return std::make_unique<Mirror>();
}

}  // namespace vdisk::tool
