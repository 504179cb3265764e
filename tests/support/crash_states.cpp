#include "support/crash_states.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"

namespace vdisk::test {

using Kind = StorageOperation::Kind;
using Fate = CrashRecipe::Fate;
using Sizes = CrashRecipe::Sizes;

namespace {

constexpr u64 payload_unit = 512;
constexpr u64 metadata_unit = 64;
/// Hosts zero ranges by giving pages back; a large range is torn at a few places only.
constexpr u64 zero_unit = 4096;
constexpr u64 most_units_of_zeros = 64;
/// Prefixes and suffixes of the newest change that are tried with all and with no other change.
constexpr u64 most_cuts = 6;

/// Sectors with the mark of the tests, or of zeros.
bool is_payload(const Recorded& change) {
  const auto data = std::span(change.data);
  if (data.size() % payload_unit != 0) return false;
  for (u64 at = 0; at < data.size(); at += payload_unit) {
    const bool own = load<u32>(data.subspan(at)) == payload_mark;
    if (!own && !is_zero(data.subspan(at, payload_unit))) return false;
  }
  return true;
}

u64 unit_of(const Recorded& change) {
  if (change.operation.kind == Kind::write) {
    return is_payload(change) ? payload_unit : metadata_unit;
  }
  return std::max(zero_unit, std::bit_ceil(change.operation.length / most_units_of_zeros));
}

/// Units at multiples of the unit in the file.
u64 unit_count(const Recorded& change) {
  const u64 unit = unit_of(change);
  const u64 begin = change.operation.offset / unit;
  return divide_up(change.operation.offset + change.operation.length, unit) - begin;
}

}  // namespace

std::string CrashRecipe::describe() const {
  std::string text;
  for (const Fate fate : fates) text += fate == Fate::lost ? '-' : fate == Fate::whole ? '+' : '~';
  text += sizes == Sizes::durable ? ", size durable" : sizes == Sizes::any ? ", any size" : "";
  if (names != 0) text += fmt::format(", {} changes of names", names);
  if (cut) text += fmt::format(", newest {} unit {}", keeps_end ? "from" : "up to", *cut);
  return text;
}

CrashStates::CrashStates(const Recording& recording, const CrashLimits& limits, u64 seed)
    : recording_(recording), limits_(limits), random_(seed), names_{recording.start.names} {
  for (const auto& [number, content] : recording.start.files) {
    files_[number] = {content, {content.size()}};
  }
}

void CrashStates::walk(const OnMark& on_mark, const OnState& on_state) {
  bool settled = true;
  for (operation_ = 0; operation_ < recording_.operations.size(); ++operation_) {
    const Recorded& recorded = recording_.operations[operation_];
    if (recorded.operation.kind == Kind::mark) {
      const bool tightened = on_mark(recorded.operation.offset);
      settled = settled && (!tightened || operation_ < recording_.examine_from);
      continue;
    }
    if (!settled) make_states(false, on_state);
    settled = true;
    apply(recorded);
    if (operation_ < recording_.examine_from) continue;
    const bool new_size = !volatile_.empty() && volatile_.back().size_index != 0;
    make_states(recorded.changes_bytes() && !new_size, on_state);
  }
  if (!settled) make_states(false, on_state);
}

void CrashStates::apply(const Recorded& recorded) {
  const StorageOperation& operation = recorded.operation;
  switch (operation.kind) {
    case Kind::flush: return flush(operation.file);
    case Kind::sync_names: names_ = {names_.back()}; return;
    case Kind::create: files_[operation.file].sizes = {0}; return change_names(operation);
    case Kind::rename:
    case Kind::remove: return change_names(operation);
    default: return add_change(recorded);
  }
}

void CrashStates::add_change(const Recorded& recorded) {
  const StorageOperation& operation = recorded.operation;
  FileHistory& file = files_[operation.file];
  const u64 size = file.sizes.back();
  u64 new_size = operation.length;
  if (operation.kind == Kind::punch) new_size = size;
  if (operation.kind == Kind::write || operation.kind == Kind::zero) {
    new_size = std::max(size, operation.offset + operation.length);
  }
  if (operation.kind == Kind::resize && new_size == size) return;
  if (new_size != size) file.sizes.push_back(new_size);
  volatile_.push_back({&recorded, new_size != size ? file.sizes.size() - 1 : 0});
}

void CrashStates::flush(u64 number) {
  CrashRecipe all;
  all.fates.assign(volatile_.size(), Fate::whole);
  FileHistory& file = files_[number];
  file.durable = build(all).files.at(number);
  file.sizes = {file.durable.size()};
  std::erase_if(volatile_, [number](const Volatile& change) {
    return change.change->operation.file == number;
  });
}

void CrashStates::change_names(const StorageOperation& operation) {
  Names names = names_.back();
  names.erase(operation.name);
  if (operation.kind == Kind::create) names[operation.name] = operation.file;
  if (operation.kind == Kind::rename) names[operation.new_name] = operation.file;
  names_.push_back(std::move(names));
}

bool CrashStates::sizes_differ() const {
  return std::ranges::any_of(files_, [](const auto& file) { return file.second.sizes.size() > 1; });
}

void CrashStates::make_states(bool newest_only, const OnState& on_state) {
  ++points_;
  auto recipes = core_recipes(newest_only);
  const std::size_t core = recipes.size();
  add_subsets(recipes, newest_only);
  keep_a_sample(recipes, core);
  add_torn(recipes, newest_only);
  const bool sizes = sizes_differ();
  for (CrashRecipe& recipe : recipes) {
    if (!sizes && recipe.sizes == Sizes::durable && !recipe.fates.empty()) {
      if (!recipe.cut) continue;  // the same as with Sizes::newest
    }
    recipe.seed = random_();
    recipe.names = random_() % names_.size();
    if (&recipe == recipes.data()) recipe.names = names_.size() - 1;
    if (&recipe == recipes.data() + 1) recipe.names = 0;
    on_state({build(recipe), operation_, &recipe});
  }
}

/// What is always tried: everything, the newest change alone, everything but one.
std::vector<CrashRecipe> CrashStates::core_recipes(bool newest_only) {
  const std::size_t count = volatile_.size();
  std::vector<CrashRecipe> recipes;
  for (const Sizes sizes : {Sizes::newest, Sizes::durable}) {
    CrashRecipe recipe;
    recipe.fates.assign(count, Fate::whole);
    recipe.sizes = sizes;
    recipes.push_back(recipe);
    if (count == 0) continue;
    std::ranges::fill(recipe.fates, Fate::lost);
    if (!newest_only) recipes.push_back(recipe);
    recipe.fates.back() = Fate::whole;
    recipes.push_back(recipe);
  }
  if (newest_only) add_cuts(recipes);
  return recipes;
}

/// The newest change in part, with all and with none of the others.
void CrashStates::add_cuts(std::vector<CrashRecipe>& recipes) {
  const Recorded& newest = *volatile_.back().change;
  const u64 units = newest.changes_bytes() ? unit_count(newest) : 1;
  if (units < 2) return;
  const u64 cuts = std::min(units - 1, most_cuts);
  for (u64 n = 0; n < cuts; ++n) {
    CrashRecipe recipe;
    recipe.fates.assign(volatile_.size(), n % 2 == 0 ? Fate::whole : Fate::lost);
    recipe.fates.back() = Fate::torn;
    recipe.cut = units - 1 <= most_cuts ? n + 1 : 1 + random_() % (units - 1);
    recipe.keeps_end = random_() % 2 == 0;
    recipe.sizes = random_() % 2 == 0 ? Sizes::newest : Sizes::durable;
    recipes.push_back(recipe);
  }
}

void CrashStates::add_subsets(std::vector<CrashRecipe>& recipes, bool newest_only) {
  const std::size_t count = volatile_.size();
  const std::size_t free = newest_only && count != 0 ? count - 1 : count;
  const auto add = [&](auto&& fate_of) {
    CrashRecipe recipe;
    for (std::size_t index = 0; index < count; ++index) {
      recipe.fates.push_back(index < free ? fate_of(index) : Fate::whole);
    }
    for (const Sizes sizes : {Sizes::newest, Sizes::durable, Sizes::any}) {
      recipe.sizes = sizes;
      recipes.push_back(recipe);
    }
    for (Fate& fate : recipe.fates) {
      if (fate == Fate::whole && random_() % 2 == 0) fate = Fate::torn;
    }
    recipes.push_back(recipe);
  };
  for (std::size_t one = 0; one < free; ++one) {
    add([one](std::size_t index) { return index == one ? Fate::lost : Fate::whole; });
    add([one](std::size_t index) { return index == one ? Fate::whole : Fate::lost; });
  }
  if (free <= limits_.all_subsets_of) {
    for (u64 set = 0; set < u64{1} << free; ++set) {
      add([set](std::size_t index) { return (set >> index & 1) != 0 ? Fate::whole : Fate::lost; });
    }
    return;
  }
  for (std::size_t n = 0; n < limits_.random_subsets; ++n) {
    add([this](std::size_t) { return random_() % 2 == 0 ? Fate::whole : Fate::lost; });
  }
}

/// Any fate of each change, until there are as many recipes as the limit allows.
void CrashStates::add_torn(std::vector<CrashRecipe>& recipes, bool newest_only) {
  const std::size_t count = volatile_.size();
  if (count == 0) return;
  while (recipes.size() < limits_.states_per_point) {
    CrashRecipe recipe;
    for (std::size_t index = 0; index < count; ++index) {
      constexpr Fate fates[]{Fate::torn, Fate::whole, Fate::torn, Fate::lost};
      recipe.fates.push_back(fates[random_() % std::size(fates)]);
    }
    if (newest_only) recipe.fates.back() = Fate::torn;
    recipe.sizes = random_() % 2 == 0 ? Sizes::newest : Sizes::any;
    recipes.push_back(std::move(recipe));
  }
}

/// The first `always` recipes and as many others, by chance, as the limit allows.
void CrashStates::keep_a_sample(std::vector<CrashRecipe>& recipes, std::size_t always) {
  if (recipes.size() <= limits_.states_per_point) return;
  const std::size_t kept = std::max(always, limits_.states_per_point);
  for (std::size_t index = always; index < kept; ++index) {
    const std::size_t other = index + random_() % (recipes.size() - index);
    std::swap(recipes[index], recipes[other]);
  }
  recipes.resize(kept);
}

FileTree CrashStates::build(const CrashRecipe& recipe) const {
  std::mt19937_64 random(recipe.seed);
  FileTree tree;
  tree.names = names_[recipe.names];
  std::map<u64, std::size_t> size_of;
  for (const auto& [number, file] : files_) {
    tree.files[number] = file.durable;
    const std::size_t newest = file.sizes.size() - 1;
    size_of[number] = recipe.sizes == Sizes::newest    ? newest
                      : recipe.sizes == Sizes::durable ? 0
                                                       : random() % (newest + 1);
  }
  for (std::size_t index = 0; index < volatile_.size(); ++index) {
    const Recorded& change = *volatile_[index].change;
    const u64 number = change.operation.file;
    PagedContent& content = tree.files[number];
    if (change.operation.kind == Kind::resize) {
      const bool persists = volatile_[index].size_index <= size_of[number];
      if (persists) content.resize(change.operation.length);
    } else if (recipe.fates[index] == Fate::whole) {
      apply_piece(content, change, 0, change.operation.offset + change.operation.length);
    } else if (recipe.fates[index] == Fate::torn) {
      const bool newest = index + 1 == volatile_.size();
      apply_torn(content, change, [&](u64 unit) {
        if (newest && recipe.cut) return (unit >= *recipe.cut) == recipe.keeps_end;
        return random() % 2 == 0;
      });
    }
  }
  for (const auto& [number, file] : files_) tree.files[number].resize(file.sizes[size_of[number]]);
  return tree;
}

/// The units of a change for which `keeps(unit)` holds.
void CrashStates::apply_torn(PagedContent& content, const Recorded& change,
                             const std::function<bool(u64 unit)>& keeps) {
  const u64 unit = unit_of(change);
  const u64 base = round_down(change.operation.offset, unit);
  const u64 count = unit_count(change);
  for (u64 n = 0; n < count; ++n) {
    if (keeps(n)) apply_piece(content, change, base + n * unit, base + (n + 1) * unit);
  }
}

/// The part of a change that lies in [begin, end) of the file.
void CrashStates::apply_piece(PagedContent& content, const Recorded& change, u64 begin, u64 end) {
  begin = std::max(begin, change.operation.offset);
  end = std::min(end, change.operation.offset + change.operation.length);
  if (change.operation.kind == Kind::write) {
    const auto data = std::span(change.data);
    content.write(begin, data.subspan(begin - change.operation.offset, end - begin));
  } else {
    content.clear(begin, end - begin);
  }
}

}  // namespace vdisk::test
