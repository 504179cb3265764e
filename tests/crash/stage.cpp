#include "crash/stage.h"

#include <stdexcept>

#include <fmt/format.h>

#include "base/try.h"
#include "engine/disk_core.h"
#include "support/allocation_fault.h"

namespace vdisk::test {

namespace {

const std::string folder = "/disks/";

/// A call of the library, whose allocations may be made to fail.
template <class Call>
auto called(const Call& call) {
  const CountedAllocations counted;
  return call();
}

template <class T>
T must_have(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

}  // namespace

std::string describe(const Step& step) {
  using Kind = Step::Kind;
  switch (step.kind) {
    case Kind::write: return fmt::format("write {:#x}+{:#x}", step.offset, step.length);
    case Kind::zero: return fmt::format("zero {:#x}+{:#x}", step.offset, step.length);
    case Kind::discard: return fmt::format("discard {:#x}+{:#x}", step.offset, step.length);
    case Kind::flush: return "flush";
    case Kind::grow: return fmt::format("grow to {:#x}", step.offset);
    case Kind::reopen: return "reopen";
    case Kind::close: break;
  }
  return "close";
}

Stage::Stage(FileTree tree) : files_(std::make_shared<PagedFileSystem>(std::move(tree))) {}

Stage::~Stage() {
  files_->set_hook(nullptr);
}

OpenOptions Stage::options(Access access) const {
  OpenOptions options;
  options.access = access;
  options.parents = ParentPolicy::beside;
  options.file_system = files_;
  return options;
}

void Stage::begin_recording() {
  recorder_ = std::make_unique<Recorder>(files_->tree());
  files_->set_hook(recorder_.get());
}

void Stage::examine_from_here() {
  recorder_->examine_from_here();
}

Recording Stage::take_recording() {
  files_->set_hook(nullptr);
  const auto recorder = std::move(recorder_);
  return recorder->take();
}

void Stage::note(Note note) {
  const UncountedAllocations uncounted;
  if (!recorder_) {
    note(expectation);
    return;
  }
  recorder_->mark(notes_.size());
  notes_.push_back(std::move(note));
}

std::string Stage::create(const std::string& name, u64 size, Target target) {
  CreateOptions create;
  create.target = std::move(target);
  create.target.path = folder + name;
  create.size = size;
  create.open = options();
  Progress progress;
  must_have(vdisk::create(create, progress));
  return folder + name;
}

std::string Stage::snapshot(const std::string& parent, const std::string& name, Target target) {
  CreateOptions create;
  create.target = std::move(target);
  create.target.path = folder + name;
  create.parent = parent;
  create.open = options();
  Progress progress;
  must_have(vdisk::create(create, progress));
  return folder + name;
}

void Stage::put(const std::string& path, std::span<const std::byte> content) {
  auto file = must_have(files_->create_beside(path));
  if (!file->write_at(0, content)) throw std::runtime_error(path);
  if (!files_->publish(*file, path, false)) throw std::runtime_error(path);
}

GuestModel& Stage::expect_view(const std::string& path, const std::string& parent) {
  const u64 size = must_have(Disk::open(path, options())).size();
  View& view = expectation.views[path];
  view.model = parent.empty() ? GuestModel(size) : expectation.views.at(parent).model;
  return view.model;
}

void Stage::expect_untouched(const std::string& path) {
  const FileTree tree = files_->tree();
  expectation.untouched[path] = *tree.find(path);
}

Status Guest::perform(const Step& step) {
  if (step.kind == Step::Kind::close) return close();
  if (!disk_) VDISK_TRY(open());
  switch (step.kind) {
    case Step::Kind::write: return write(step);
    case Step::Kind::zero: return zero(step);
    case Step::Kind::discard: return discard(step);
    case Step::Kind::grow: return grow(step.offset);
    case Step::Kind::flush: {
      VDISK_TRY(called([&] { return disk_->flush(); }));
      note_settled();
      return {};
    }
    case Step::Kind::reopen:
    case Step::Kind::close: break;
  }
  VDISK_TRY(close());
  return open();
}

Status Guest::open() {
  const auto options = stage_.options(Access::read_write);
  const std::filesystem::path path = path_;
  VDISK_ASSIGN(auto disk, called([&] { return Disk::open(path, options); }));
  disk_.emplace(std::move(disk));
  return {};
}

Status Guest::close() {
  if (!disk_) return {};
  auto closed = called([&] { return disk_->close(); });
  disk_.reset();
  if (closed) note_settled();
  return closed;
}

Status Guest::write(const Step& step) {
  note_issue(step.offset, step.length, ++value_);
  const auto data = sectors_of(step.offset, step.length, value_);
  return called([&] { return disk_->write(step.offset, data); });
}

Status Guest::zero(const Step& step) {
  note_issue(step.offset, step.length, 0);
  return called([&] { return disk_->zero(step.offset, step.length); });
}

/// A discarded sector may keep what it holds: what it reads as is what must stay from now on.
Status Guest::discard(const Step& step) {
  note_issue(step.offset, step.length, 0);
  VDISK_TRY(called([&] { return disk_->discard(step.offset, step.length); }));
  return note_what_is_there(step);
}

Status Guest::note_what_is_there(const Step& step) {
  std::vector<std::byte> bytes(step.length);
  VDISK_TRY(called([&] { return disk_->read(step.offset, bytes); }));
  for (u64 done = 0; done < step.length; done += model_sector) {
    const u64 at = step.offset + done;
    const auto value = value_of(std::span(bytes).subspan(done, model_sector), at);
    if (!value) return fail(Errc::internal, fmt::format("discard left foreign bytes at {:#x}", at));
    if (*value != 0) note_issue(at, model_sector, *value);
  }
  return {};
}

Status Guest::grow(u64 size) {
  stage_.note([path = path_, size](Expectation& expectation) {
    expectation.views.at(path).model.issue_size(size);
    return false;
  });
  VDISK_TRY(called([&] { return DiskAccess::core(*disk_).expand(size); }));
  stage_.note([path = path_](Expectation& expectation) {
    expectation.views.at(path).model.settle_size();
    return true;
  });
  return {};
}

void Guest::note_issue(u64 offset, u64 length, u32 value) {
  stage_.note([path = path_, offset, length, value](Expectation& expectation) {
    expectation.views.at(path).model.issue(offset, length, value);
    return false;
  });
}

void Guest::note_settled() {
  stage_.note([path = path_](Expectation& expectation) {
    expectation.views.at(path).model.settle();
    return true;
  });
}

}  // namespace vdisk::test
