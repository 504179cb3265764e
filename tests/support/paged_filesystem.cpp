#include "support/paged_filesystem.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "io/copy_loop.h"
#include "support/allocation_fault.h"

namespace vdisk::test {

namespace fs = std::filesystem;
using Kind = StorageOperation::Kind;

std::string_view name(Kind kind) noexcept {
  switch (kind) {
    case Kind::read: return "read";
    case Kind::write: return "write";
    case Kind::zero: return "zero";
    case Kind::punch: return "punch";
    case Kind::resize: return "resize";
    case Kind::flush: return "flush";
    case Kind::create: return "create";
    case Kind::rename: return "rename";
    case Kind::remove: return "remove";
    case Kind::sync_names: return "sync names";
    case Kind::mark: break;
  }
  return "mark";
}

const PagedContent* FileTree::find(const std::string& path) const {
  const auto found = names.find(path);
  return found == names.end() ? nullptr : &files.at(found->second);
}

u64 FileTree::hash() const {
  u64 sum = names.size();
  for (const auto& [path, number] : names) {
    constexpr u64 prime = 0x100000001B3;
    sum = sum * prime + (std::hash<std::string>()(path) ^ files.at(number).hash());
  }
  return sum;
}

struct PagedFileSystem::Node {
  u64 number = 0;
  PagedContent content;
  int readers = 0;  ///< shared locks
  bool writer = false;

  bool lock(Lock kind) {
    if (kind == Lock::none) return true;
    if (writer || (kind == Lock::exclusive && readers > 0)) return false;
    (kind == Lock::exclusive ? writer = true : ++readers);
    return true;
  }
  void unlock(Lock kind) {
    if (kind == Lock::exclusive) writer = false;
    if (kind == Lock::shared) --readers;
  }
};

struct PagedFileSystem::Shared {
  std::map<std::string, std::shared_ptr<Node>> names;
  StorageHook* hook = nullptr;
  u64 changes = 0;
  u64 last_number = 0;
  u64 temporaries = 0;

  Status tell(StorageOperation&& operation) const {
    return hook == nullptr ? Status() : hook->before(operation);
  }
  Status unlink(const std::string& path) {
    VDISK_TRY(tell({.kind = Kind::remove, .name = path}));
    names.erase(path);
    ++changes;
    return {};
  }
};

/// One opened file: holds its lock, knows whether it may change the content, is poisoned by a
/// failed flush.
class PagedFileSystem::Handle : public File {
 public:
  Handle(std::shared_ptr<Shared> shared, std::shared_ptr<Node> node, std::string name,
         const FileOptions& options)
      : shared_(std::move(shared)),
        node_(std::move(node)),
        name_(std::move(name)),
        options_(options) {}
  ~Handle() override { node_->unlock(options_.lock); }

  Status read_at(u64 offset, std::span<std::byte> out) const override {
    const UncountedAllocations uncounted;
    VDISK_TRY(tell({.kind = Kind::read, .offset = offset, .length = out.size()}));
    if (!lies_within(offset, out.size(), 0, content().size())) {
      return fail_at(offset, Errc::end_of_file,
                     fmt::format("{}: read of {} bytes at {:#x}: the file ends at {:#x}", name_,
                                 out.size(), offset, content().size()));
    }
    content().read(offset, out);
    return {};
  }
  Status write_at(u64 offset, std::span<const std::byte> data) override {
    const UncountedAllocations uncounted;
    VDISK_TRY(begin_change());
    StorageOperation operation{
        .kind = Kind::write, .file = number(), .offset = offset, .length = data.size()};
    operation.data = data;
    auto told = shared_->hook == nullptr ? Status() : shared_->hook->before(operation);
    content().write(offset, operation.data);
    return told;
  }
  Status zero_at(u64 offset, u64 length) override {
    const UncountedAllocations uncounted;
    VDISK_TRY(begin_change());
    VDISK_TRY(tell({.kind = Kind::zero, .offset = offset, .length = length}));
    content().clear(offset, length);
    if (length != 0 && offset + length > content().size()) content().resize(offset + length);
    return {};
  }
  Status punch_at(u64 offset, u64 length) override {
    const UncountedAllocations uncounted;
    VDISK_TRY(begin_change());
    VDISK_TRY(tell({.kind = Kind::punch, .offset = offset, .length = length}));
    content().clear(offset, length);
    return {};
  }
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override {
    return copy_by_loop(source, *this, {source_offset, target_offset, length});
  }
  [[nodiscard]] Result<u64> size() const override { return content().size(); }
  Status resize(u64 new_size) override {
    const UncountedAllocations uncounted;
    VDISK_TRY(begin_change());
    VDISK_TRY(tell({.kind = Kind::resize, .length = new_size}));
    content().resize(new_size);
    return {};
  }
  Status flush() override {
    const UncountedAllocations uncounted;
    VDISK_TRY(require_healthy());
    auto told = tell({.kind = Kind::flush});
    poisoned_ = !told;
    return told;
  }
  [[nodiscard]] Result<Hole> next_hole(u64 offset) const override {
    const UncountedAllocations uncounted;
    return content().next_hole(offset);
  }
  [[nodiscard]] Result<FileId> identity() const override { return FileId{1, number()}; }
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] u64 number() const { return node_->number; }

 protected:
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<Node> node_;
  std::string name_;

 private:
  [[nodiscard]] PagedContent& content() const { return node_->content; }
  Status tell(StorageOperation&& operation) const {
    operation.file = number();
    return shared_->tell(std::move(operation));
  }
  [[nodiscard]] Status require_healthy() const {
    if (!poisoned_) return {};
    return fail(Errc::poisoned, fmt::format("{}: an earlier flush failed", name_));
  }
  Status begin_change() {
    if (options_.access == Access::read_only) {
      return fail(Errc::write_protected, fmt::format("{}: opened read-only", name_));
    }
    ++shared_->changes;
    return require_healthy();
  }

  FileOptions options_;
  bool poisoned_ = false;
};

/// Loses its name when it is not published.
class PagedFileSystem::Temporary final : public Handle {
 public:
  Temporary(std::shared_ptr<Shared> shared, std::shared_ptr<Node> node, const std::string& name)
      : Handle(std::move(shared), std::move(node), name,
               {.access = Access::read_write, .lock = Lock::exclusive}) {}
  ~Temporary() override {
    const UncountedAllocations uncounted;
    if (!published_) (void)shared_->unlink(name_);
  }

  Status publish(const std::string& target) {
    VDISK_TRY(
        shared_->tell({.kind = Kind::rename, .file = number(), .name = name_, .new_name = target}));
    shared_->names.erase(name_);
    shared_->names[target] = node_;
    ++shared_->changes;
    name_ = target;
    published_ = true;
    return shared_->tell({.kind = Kind::sync_names});
  }

 private:
  bool published_ = false;
};

namespace {

std::unexpected<Error> missing(const fs::path& path) {
  return fail(Errc::file_not_found, fmt::format("{}: no such file", path.string()));
}

std::string normal(const fs::path& path) {
  return ("/" / path).lexically_normal().string();
}

}  // namespace

PagedFileSystem::PagedFileSystem(FileTree tree) : shared_(std::make_shared<Shared>()) {
  for (auto& [path, number] : tree.names) {
    auto node = std::make_shared<Node>();
    node->number = number;
    node->content = tree.files.at(number);
    shared_->names[path] = std::move(node);
    shared_->last_number = std::max(shared_->last_number, number);
  }
}
PagedFileSystem::~PagedFileSystem() = default;

void PagedFileSystem::set_hook(StorageHook* hook) {
  shared_->hook = hook;
}

FileTree PagedFileSystem::tree() const {
  FileTree tree;
  for (const auto& [path, node] : shared_->names) {
    tree.names[path] = node->number;
    tree.files[node->number] = node->content;
  }
  return tree;
}

u64 PagedFileSystem::changes() const {
  return shared_->changes;
}

Result<std::shared_ptr<File>> PagedFileSystem::open(const fs::path& path,
                                                    const FileOptions& options) {
  const UncountedAllocations uncounted;
  const auto found = shared_->names.find(normal(path));
  if (found == shared_->names.end()) return missing(path);
  if (!found->second->lock(options.lock)) {
    return fail(Errc::busy, fmt::format("{}: in use", path.string()));
  }
  return std::make_shared<Handle>(shared_, found->second, path.string(), options);
}

Result<std::shared_ptr<File>> PagedFileSystem::open_beneath(const fs::path& root,
                                                            const fs::path& relative,
                                                            const FileOptions& options) {
  const UncountedAllocations uncounted;
  const auto inside = relative.lexically_normal();
  if (relative.is_absolute() || inside.empty() || *inside.begin() == "..") {
    return fail(Errc::parent_access_denied,
                fmt::format("{}: leads out of {}", relative.string(), root.string()));
  }
  return open(root / inside, options);
}

Result<std::shared_ptr<File>> PagedFileSystem::create_beside(const fs::path& target) {
  const UncountedAllocations uncounted;
  const fs::path place = normal(target);
  const std::string name =
      (place.parent_path() /
       fmt::format(".{}{}{}", place.filename().string(), temporary_mark, ++shared_->temporaries))
          .string();
  auto node = std::make_shared<Node>();
  node->number = ++shared_->last_number;
  VDISK_TRY(shared_->tell({.kind = Kind::create, .file = node->number, .name = name}));
  shared_->names[name] = node;
  ++shared_->changes;
  node->lock(Lock::exclusive);
  return std::make_shared<Temporary>(shared_, std::move(node), name);
}

Status PagedFileSystem::publish(File& temporary, const fs::path& target, bool replace) {
  const UncountedAllocations uncounted;
  const std::string place = normal(target);
  if (!replace && shared_->names.contains(place)) {
    return fail(Errc::file_exists, fmt::format("{}: exists", target.string()));
  }
  return dynamic_cast<Temporary&>(temporary).publish(place);
}

Status PagedFileSystem::remove(const fs::path& path) {
  const UncountedAllocations uncounted;
  if (!shared_->names.contains(normal(path))) return missing(path);
  VDISK_TRY(shared_->unlink(normal(path)));
  return shared_->tell({.kind = Kind::sync_names});
}

Result<FileId> PagedFileSystem::identity(const fs::path& path) const {
  const UncountedAllocations uncounted;
  const auto found = shared_->names.find(normal(path));
  if (found == shared_->names.end()) return missing(path);
  return FileId{1, found->second->number};
}

Result<std::vector<fs::path>> PagedFileSystem::list(const fs::path& directory) const {
  const UncountedAllocations uncounted;
  std::vector<fs::path> names;
  for (const auto& [path, node] : shared_->names) {
    if (fs::path(path).parent_path() == normal(directory)) {
      names.push_back(fs::path(path).filename());
    }
  }
  return names;
}

Result<fs::path> PagedFileSystem::absolute(const fs::path& path) const {
  const UncountedAllocations uncounted;
  return normal(path);
}

}  // namespace vdisk::test
