/// New images. The name is absent or stands for the complete image.
#include <fmt/format.h>

#include "base/try.h"
#include "crash/kinds.h"
#include "crash/scenario.h"
#include "vdisk/mirror.h"

namespace vdisk::test {

namespace {

using enum Step::Kind;

const std::string target_folder = "/disks/";

void expect_sooner_or_later(Stage& stage, const std::string& path, const GuestModel& model) {
  stage.expectation.views[path] = {.model = model, .may_be_absent = true};
}

void note_present(Stage& stage, const std::string& path) {
  stage.note([path](Expectation& expectation) {
    expectation.views.at(path).may_be_absent = false;
    return true;
  });
}

/// An earlier run may have got as far as the name.
Status unless_there(const Result<CreatedDisk>& created) {
  if (created || created.error().code == Errc::file_exists) return {};
  return std::unexpected(created.error());
}

struct Creation {
  std::string id;
  std::string name;
  ImageType type = ImageType::dynamic;
  u64 size = 3 * mib;
};

Scenario create(const Creation& creation) {
  const std::string path = target_folder + creation.name;
  Scenario scenario;
  scenario.id = creation.id;
  scenario.title = fmt::format("create {} ({})", creation.name, name(creation.type));
  scenario.others_can_read = true;
  scenario.prepare = [path, creation](Stage& stage) {
    expect_sooner_or_later(stage, path, GuestModel(creation.size));
  };
  scenario.job = [path, creation](Stage& stage) -> Status {
    CreateOptions options;
    options.target.path = path;
    options.target.type = creation.type;
    options.size = creation.size;
    options.open = stage.options();
    Progress progress;
    VDISK_TRY(unless_there(vdisk::create(options, progress)));
    note_present(stage, path);
    return {};
  };
  return scenario;
}

/// A child of an image that holds something, and that stays as it is.
Scenario create_child(const std::string& id, Kind kind) {
  const std::string extension = is_vhdx(kind) ? ".vhdx" : ".vhd";
  const std::string parent = target_folder + "disk" + extension;
  const std::string path = target_folder + "child" + extension;
  Scenario scenario;
  scenario.id = id;
  scenario.title = fmt::format("create a child of a {}", name(kind));
  scenario.prepare = [kind, parent, path](Stage& stage) {
    make_image(stage, kind, 4);
    set_up(stage, parent, {{write, 0, 4 * kib}, {write, 3 * block_size(kind), 4 * kib}, {close}});
    expect_sooner_or_later(stage, path, stage.expectation.views.at(parent).model);
    stage.expectation.views.erase(parent);
    stage.expect_untouched(parent);
  };
  scenario.job = [parent, path](Stage& stage) -> Status {
    CreateOptions options;
    options.target.path = path;
    options.parent = parent;
    options.open = stage.options();
    Progress progress;
    VDISK_TRY(unless_there(vdisk::create(options, progress)));
    note_present(stage, path);
    return {};
  };
  return scenario;
}

struct Conversion {
  Kind from = Kind::vhd_dynamic;
  std::string to;
  ImageType type = ImageType::dynamic;
  bool replace = false;  ///< an image of that name is there already, and stays until the end
  bool mirror = false;   ///< a mirror that is broken off at once
};

Result<CreatedDisk> copy(const std::string& source, const Target& target, const OpenOptions& open) {
  Progress progress;
  ConvertOptions options;
  options.source = source;
  options.target = target;
  options.open = open;
  return vdisk::convert(options, progress);
}

Result<CreatedDisk> mirror(const std::string& source, const Target& target,
                           const OpenOptions& open) {
  VDISK_ASSIGN(Disk disk, Disk::open(source, open));
  Progress progress;
  const MirrorSwitch mirror_switch;
  mirror_switch.break_mirror();
  const MirrorOptions options{.target = target, .file_system = open.file_system};
  return vdisk::mirror(disk, options, mirror_switch, progress);
}

Scenario convert(const Conversion& conversion) {
  const std::string source = target_folder + (is_vhdx(conversion.from) ? "disk.vhdx" : "disk.vhd");
  const std::string path = target_folder + conversion.to;
  Scenario scenario;
  scenario.id = "X-25";
  scenario.title = fmt::format("{} {} to {} ({}){}", conversion.mirror ? "mirror" : "convert",
                               name(conversion.from), conversion.to, name(conversion.type),
                               conversion.replace ? ", replacing" : "");
  scenario.others_can_read = true;
  scenario.prepare = [=](Stage& stage) {
    const u64 b = block_size(conversion.from);
    make_image(stage, conversion.from, 4);
    set_up(stage, source, {{write, 0, 4 * kib}, {write, b + 512, 2 * b}, {close}});
    const GuestModel model = stage.expectation.views.at(source).model;
    stage.expectation.views.erase(source);
    stage.expect_untouched(source);
    expect_sooner_or_later(stage, path, model);
    if (!conversion.replace) return;
    stage.create(conversion.to, 4 * b);
    GuestModel& old = stage.expect_view(path);
    old.issue(0, 4 * kib, 1);
    old.issue(b + 512, 2 * b, 2);
  };
  scenario.job = [=](Stage& stage) -> Status {
    Target target{.path = path};
    target.type = conversion.type;
    target.replace = conversion.replace;
    VDISK_TRY(unless_there(conversion.mirror ? mirror(source, target, stage.options())
                                             : copy(source, target, stage.options())));
    stage.note([path](Expectation& expectation) {
      expectation.views.at(path).may_be_absent = false;
      expectation.views.at(path).model.settle();
      return true;
    });
    return {};
  };
  return scenario;
}

}  // namespace

std::vector<Scenario> create_scenarios() {
  return {create({.id = "X-01", .name = "new.vhd", .type = ImageType::fixed, .size = mib}),
          create({.id = "X-02", .name = "new.vhd"}),
          create({.id = "X-03", .name = "new.vhdx"}),
          create({.id = "X-03", .name = "new.vhdx", .type = ImageType::fixed}),
          create_child("X-04", Kind::vhd_dynamic),
          create_child("X-05", Kind::vhdx_dynamic),
          convert({.from = Kind::vhd_dynamic, .to = "new.vhdx"}),
          convert({.from = Kind::vhdx_dynamic, .to = "new.vhd"}),
          convert({.from = Kind::vhdx_child, .to = "new.vhd", .type = ImageType::fixed}),
          convert({.from = Kind::vhd_child, .to = "new.vhdx", .type = ImageType::fixed}),
          convert({.from = Kind::vhd_dynamic, .to = "new.vhdx", .replace = true}),
          convert({.from = Kind::vhd_child, .to = "new.vhdx", .mirror = true}),
          convert({.from = Kind::vhdx_child, .to = "new.vhd", .mirror = true})};
}

}  // namespace vdisk::test
