/// Metadata: items of a VHDX, and what VHD and VHDX say about themselves. Each change is the old or
/// the new state as a whole, and the guest's data stay.
#include <algorithm>

#include <fmt/format.h>

#include "base/try.h"
#include "crash/kinds.h"
#include "crash/scenario.h"
#include "vdisk/metadata.h"

namespace vdisk::test {

namespace {

using enum Step::Kind;
using Bytes = std::vector<std::byte>;

const Guid first_id{{0xA1, 1}};
const Guid second_id{{0xA2, 2}};
const Guid third_id{{0xA3, 3}};
const Guid new_disk_id{{0xD1, 4}};

constexpr u64 blocks = 4;
constexpr u64 small_item = 3000;
constexpr u64 page_item = 100 * kib;  // too large for the log: written to free pages
constexpr u64 large_item = mib;       // too large for the region: it moves

std::string path_of(Kind kind) {
  return is_vhdx(kind) ? "/disks/disk.vhdx" : "/disks/disk.vhd";
}

Bytes filled_with(u64 length, int value) {
  return Bytes(length, std::byte(value));
}

/// What the items may hold; empty content: the item is not there.
using ItemModel = std::map<Guid, std::vector<Bytes>>;

std::string judge_items(const Stage& stage, const std::string& path, const ItemModel& model) {
  for (const auto& [id, allowed] : model) {
    auto found = get_metadata(path, {.id = id}, stage.options());
    if (!found && found.error().code != Errc::not_found) return found.error().message;
    const Bytes content = found ? *std::move(found) : Bytes();
    if (std::ranges::find(allowed, content) == allowed.end()) {
      return fmt::format("item {}: {} bytes that were never set", to_string(id), content.size());
    }
  }
  return {};
}

void expect_items(Expectation& expectation, const std::string& path, ItemModel model) {
  expectation.rule = [path, model = std::move(model)](const Stage& stage) {
    return judge_items(stage, path, model);
  };
}

struct Change {
  Guid id;
  Bytes content = {};  ///< empty: removed
  bool visible = false;
};

Status apply(Stage& stage, const std::string& path, const Change& change) {
  MetadataChange metadata;
  metadata.path = path;
  if (change.content.empty()) {
    metadata.remove = {change.id};
  } else {
    metadata.set = {{change.id, change.content, change.visible}};
  }
  metadata.open = stage.options();
  Progress progress;
  VDISK_TRY(change_metadata(metadata, progress));
  return {};
}

std::vector<Change> changes_of_items() {
  return {{first_id, filled_with(small_item, 1)},
          {second_id, filled_with(page_item, 2), true},
          {first_id, filled_with(small_item / 2, 3)},
          {second_id},
          {third_id, filled_with(page_item, 4)},
          {second_id, filled_with(large_item, 5)},
          {third_id},
          {first_id}};
}

/// What was, and what is being set, may be there; then what was set.
Status change_items(Stage& stage, const std::string& path) {
  ItemModel model{{first_id, {{}}}, {second_id, {{}}}, {third_id, {{}}}};
  for (auto& [id, allowed] : model) {
    // A rerun begins with what an earlier run left.
    if (auto left = get_metadata(path, {.id = id}, stage.options())) allowed = {*left};
  }
  for (const Change& change : changes_of_items()) {
    const Bytes before = model[change.id].front();
    if (change.content.empty() && before.empty()) continue;
    model[change.id] = {before, change.content};
    stage.note([path, model](Expectation& now) {
      expect_items(now, path, model);
      return false;
    });
    VDISK_TRY(apply(stage, path, change));
    model[change.id] = {change.content};
    stage.note([path, model](Expectation& now) {
      expect_items(now, path, model);
      return true;
    });
  }
  return {};
}

Scenario items(Kind kind) {
  const std::string path = path_of(kind);
  Scenario scenario;
  scenario.id = "metadata";
  scenario.title = fmt::format("items of {}", name(kind));
  scenario.others_can_read = !is_child(kind);
  scenario.prepare = [kind, path](Stage& stage) {
    make_image(stage, kind, blocks);
    set_up(stage, path, {{write, 0, 8 * kib}, {write, 2 * block_size(kind), 4 * kib}, {close}});
  };
  scenario.job = [path](Stage& stage) { return change_items(stage, path); };
  return scenario;
}

Scenario description(Kind kind) {
  const std::string path = path_of(kind);
  Scenario scenario;
  scenario.id = "metadata";
  scenario.title = fmt::format("id of {}", name(kind));
  scenario.others_can_read = !is_child(kind);
  scenario.prepare = [kind, path](Stage& stage) {
    make_image(stage, kind, blocks);
    set_up(stage, path, {{write, 0, 8 * kib}, {write, 2 * block_size(kind), 4 * kib}, {close}});
  };
  scenario.job = [kind, path](Stage& stage) -> Status {
    MetadataChange change;
    change.path = path;
    change.description.disk_id = new_disk_id;
    if (is_vhdx(kind)) change.description.physical_sector_size = 512;
    change.open = stage.options();
    Progress progress;
    VDISK_TRY(change_metadata(change, progress));
    stage.note([path](Expectation& now) {
      now.rule = [path](const Stage& then) -> std::string {
        const auto disk = Disk::open(path, then.options());
        if (!disk) return disk.error().message;
        const auto layer = disk->layer(0);
        return layer && layer->image.id == new_disk_id ? std::string() : path + ": the old id";
      };
      return true;
    });
    return {};
  };
  return scenario;
}

}  // namespace

std::vector<Scenario> metadata_scenarios() {
  std::vector<Scenario> scenarios{items(Kind::vhdx_dynamic), items(Kind::vhdx_child)};
  for (const Kind kind : {Kind::vhd_fixed, Kind::vhd_dynamic, Kind::vhd_child, Kind::vhdx_fixed,
                          Kind::vhdx_dynamic, Kind::vhdx_child}) {
    scenarios.push_back(description(kind));
  }
  return scenarios;
}

}  // namespace vdisk::test
