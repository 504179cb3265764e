/// Chains: merging layers that have children of their own (X-20 to X-22), and rewriting links
/// (X-27). Every child reads the same at every instant.
#include <map>
#include <stdexcept>

#include <fmt/format.h>

#include "base/try.h"
#include "crash/kinds.h"
#include "crash/scenario.h"
#include "vdisk/chains.h"

namespace vdisk::test {

namespace {

using enum Step::Kind;

/// disk <- middle <- first and second, all in one folder; everybody wrote something of its own.
class Family {
 public:
  explicit Family(bool vhdx)
      : kind_(vhdx ? Kind::vhdx_dynamic : Kind::vhd_dynamic), extension_(vhdx ? ".vhdx" : ".vhd") {}

  [[nodiscard]] std::string path(const std::string& name) const {
    return "/disks/" + name + extension_;
  }
  [[nodiscard]] std::string name() const { return is_vhdx(kind_) ? "VHDX" : "VHD"; }

  void prepare(Stage& stage) const {
    constexpr u64 blocks = 5;
    make_image(stage, kind_, blocks);
    write_own(stage, "disk", 0);
    add_child(stage, "disk", "middle", 1);
    add_child(stage, "middle", "first", 2);
    add_child(stage, "middle", "second", 3);
  }

  /// From now on the disk may hold any of what the middle holds.
  void note_merge_begins(Stage& stage) const {
    stage.note([this_ = *this](Expectation& expectation) {
      u32 value = first_value(1);
      for (const Step& step : this_.own_steps(1)) {
        expectation.views.at(this_.path("disk"))
            .model.issue(step.offset, step.length, step.kind == zero ? 0 : ++value);
      }
      return false;
    });
  }

  /// A copy of the file: another name, the same identity.
  void copy_file(Stage& stage, const std::string& from, const std::string& to) const {
    const auto file = stage.files().open(path(from), {});
    if (!file) throw std::runtime_error(file.error().message);
    std::vector<std::byte> content((*file)->size().value());
    if (!(*file)->read_at(0, content)) throw std::runtime_error(from);
    stage.put(path(to), content);
  }

  /// Another disk, another identity, the same content.
  void copy_disk(Stage& stage, const std::string& from, const std::string& to) const {
    ConvertOptions options;
    options.source = path(from);
    options.target.path = path(to);
    options.open = stage.options();
    Progress progress;
    if (auto made = convert(options, progress); !made) {
      throw std::runtime_error(made.error().message);
    }
  }

 private:
  static u32 first_value(u64 generation) { return static_cast<u32>(100 * generation); }

  [[nodiscard]] std::vector<Step> own_steps(u64 generation) const {
    const u64 b = block_size(kind_);
    const u64 at = generation * b;
    if (generation == 0) return {{write, 0, b}, {write, 2 * b, 4 * kib}, {write, 4 * b, b}};
    if (generation == 1) {
      return {{write, 512, 1024}, {zero, 4 * b, b}, {write, b, 4 * kib}};
    }
    return {{write, at + 512, 2 * kib}, {zero, 0, 512}};
  }

  void write_own(Stage& stage, const std::string& name, u64 generation) const {
    Guest guest(stage, path(name));
    guest.start_values_at(first_value(generation));
    auto steps = own_steps(generation);
    steps.push_back({close});
    for (const Step& step : steps) {
      if (!guest.perform(step)) throw std::runtime_error(describe(step));
    }
  }

  void add_child(Stage& stage, const std::string& parent, const std::string& child,
                 u64 generation) const {
    Target target;
    target.block_size = is_vhdx(kind_) ? static_cast<u32>(block_size(kind_)) : 512 * kib;
    stage.snapshot(path(parent), child + extension_, target);
    stage.expect_view(path(child), path(parent));
    write_own(stage, child, generation);
  }

  Kind kind_;
  std::string extension_;
};

/// The middle goes into the disk and is removed; its children are linked past it.
Scenario merge_middle(bool vhdx) {
  const Family family(vhdx);
  Scenario scenario;
  scenario.id = "X-22";
  scenario.title = "merge a middle layer of " + family.name() + ", its children linked past it";
  scenario.prepare = [family](Stage& stage) {
    family.prepare(stage);
    stage.expectation.views.at(family.path("middle")).may_be_absent = true;
  };
  scenario.job = [family](Stage& stage) -> Status {
    if (!stage.files().identity(family.path("middle"))) return {};  // an earlier run got there
    family.note_merge_begins(stage);
    MergeOptions options;
    options.child = family.path("middle");
    options.delete_children = true;
    options.open = stage.options();
    Progress progress;
    VDISK_TRY(merge(options, progress));
    stage.note([disk = family.path("disk")](Expectation& expectation) {
      expectation.views.at(disk).model.settle();
      return true;
    });
    return {};
  };
  return scenario;
}

/// Disk and middle become one new image; both are removed.
Scenario merge_into_new(bool vhdx) {
  const Family family(vhdx);
  Scenario scenario;
  scenario.id = "X-22";
  scenario.title = "merge " + family.name() + " into a new image, children linked to it";
  scenario.prepare = [family](Stage& stage) {
    family.prepare(stage);
    auto& views = stage.expectation.views;
    for (const std::string name : {"disk", "middle"}) {
      views.at(family.path(name)).may_be_absent = true;
    }
    views[family.path("new")] = views.at(family.path("middle"));
  };
  scenario.job = [family](Stage& stage) -> Status {
    // Complete, with children of its own: a second run must not replace it.
    if (stage.files().identity(family.path("new"))) return {};
    MergeOptions options;
    options.child = family.path("middle");
    options.output = Target{.path = family.path("new")};
    options.delete_children = true;
    options.open = stage.options();
    Progress progress;
    VDISK_TRY(merge(options, progress));
    stage.note([path = family.path("new")](Expectation& expectation) {
      expectation.views.at(path).may_be_absent = false;
      return true;
    });
    return {};
  };
  return scenario;
}

struct Relinking {
  bool vhdx = false;
  bool other_identity = false;
  std::optional<std::string> windows_path = {};
};

Scenario rebase_child(const Relinking& relinking) {
  const Family family(relinking.vhdx);
  Scenario scenario;
  scenario.id = "X-27";
  scenario.title = fmt::format("rebase {} onto {}{}", family.name(),
                               relinking.other_identity ? "another disk" : "a copy",
                               relinking.windows_path ? ", with a path of Windows" : "");
  scenario.prepare = [family, relinking](Stage& stage) {
    family.prepare(stage);
    if (relinking.other_identity) {
      family.copy_disk(stage, "middle", "another");
    } else {
      family.copy_file(stage, "middle", "another");
    }
    for (const std::string name : {"disk", "middle", "another"}) {
      stage.expectation.views.erase(family.path(name));
      stage.expect_untouched(family.path(name));
    }
  };
  scenario.job = [family, relinking](Stage& stage) -> Status {
    RebaseOptions options;
    options.child = family.path("first");
    options.parent = family.path("another");
    options.force_identity = relinking.other_identity;
    options.windows_path = relinking.windows_path;
    options.open = stage.options();
    Progress progress;
    VDISK_TRY(rebase(options, progress));
    stage.note([parent = family.path("another"), child = family.path("first")](Expectation& now) {
      now.rule = [parent, child](const Stage& stage_then) -> std::string {
        const auto disk = Disk::open(child, stage_then.options());
        if (!disk) return disk.error().message;
        const auto above = disk->layer(1);
        return above && above->path == parent ? std::string() : child + ": not linked anew";
      };
      return true;
    });
    return {};
  };
  return scenario;
}

/// What a child reads on a parent that is named to it.
Result<std::vector<std::byte>> read_on(const Stage& stage, const std::string& child,
                                       const std::string& parent) {
  OpenOptions options = stage.options();
  options.parent = parent;
  VDISK_ASSIGN(const auto disk, Disk::open(child, options));
  std::vector<std::byte> content(disk.size());
  VDISK_TRY(disk.read(0, content));
  return content;
}

/// The middle has got another name: until its children are linked to it they cannot be opened
/// unless it is named to them, but they read the same then; afterwards without that, too.
Scenario relink_children(bool vhdx) {
  const Family family(vhdx);
  const std::vector<std::string> children{family.path("first"), family.path("second")};
  const std::string moved = family.path("renamed");
  Scenario scenario;
  scenario.id = "X-27";
  scenario.title = "relink two children of " + family.name() + " whose parent was renamed";
  scenario.prepare = [=](Stage& stage) {
    family.prepare(stage);
    family.copy_file(stage, "middle", "renamed");
    if (!stage.files().remove(family.path("middle"))) throw std::runtime_error("remove");
    Expectation& now = stage.expectation;
    for (const std::string name : {"disk", "renamed"}) {
      now.views.erase(family.path(name));
      stage.expect_untouched(family.path(name));
    }
    now.views.erase(family.path("middle"));
    std::map<std::string, std::vector<std::byte>> contents;
    for (const std::string& child : children) {
      now.views.erase(child);
      now.known_names.insert(child);
      contents[child] = read_on(stage, child, moved).value();
    }
    now.rule = [=](const Stage& then) -> std::string {
      for (const auto& [child, content] : contents) {
        const auto found = read_on(then, child, moved);
        if (!found) return found.error().message;
        if (*found != content) return child + ": reads differently";
      }
      return {};
    };
  };
  scenario.job = [=](Stage& stage) -> Status {
    RelinkOptions options;
    options.directory = "/disks";
    options.open = stage.options();
    Progress progress;
    VDISK_ASSIGN(const auto relinked, relink(options, progress));
    for (const TreeImage& image : relinked.unresolved) {
      const Error not_found{Errc::io, image.path.string() + ": its parent was not found"};
      return std::unexpected(image.fault.value_or(not_found));
    }
    stage.note([=](Expectation& now) {
      now.rule = [=, before = now.rule](const Stage& then) -> std::string {
        for (const std::string& child : children) {
          const auto disk = Disk::open(child, then.options());
          if (!disk) return disk.error().message;
        }
        return before(then);
      };
      return true;
    });
    return {};
  };
  return scenario;
}

}  // namespace

std::vector<Scenario> chain_scenarios() {
  std::vector<Scenario> scenarios;
  for (const bool vhdx : {false, true}) {
    scenarios.push_back(merge_middle(vhdx));
    scenarios.push_back(merge_into_new(vhdx));
    scenarios.push_back(relink_children(vhdx));
    scenarios.push_back(rebase_child({.vhdx = vhdx}));
    scenarios.push_back(rebase_child({.vhdx = vhdx, .other_identity = true}));
    scenarios.push_back(
        rebase_child({.vhdx = vhdx, .windows_path = R"(C:\Images\A Long Folder\another)"}));
  }
  return scenarios;
}

}  // namespace vdisk::test
