#include "support/memory_filesystem.h"

#include <set>

#include <fmt/format.h>

#include "support/forwarding_file.h"

namespace vdisk::test {

struct MemoryFileSystem::Node {
  std::shared_ptr<MemoryFile> file;
  std::mutex mutex;
  int readers = 0;  ///< shared locks
  bool writer = false;

  bool lock(Lock kind) {
    const std::lock_guard guard(mutex);
    if (kind == Lock::none) return true;
    if (writer || (kind == Lock::exclusive && readers > 0)) return false;
    (kind == Lock::exclusive ? writer = true : ++readers);
    return true;
  }
  void unlock(Lock kind) {
    const std::lock_guard guard(mutex);
    if (kind == Lock::exclusive) writer = false;
    if (kind == Lock::shared) --readers;
  }
};

struct MemoryFileSystem::Names {
  std::mutex mutex;
  std::map<std::filesystem::path, std::shared_ptr<Node>> nodes;
};

/// One opened file: holds its lock, and knows whether it may change the content.
class MemoryFileSystem::Handle : public ForwardingFile {
 public:
  Handle(std::shared_ptr<Node> node, std::string name, const FileOptions& options)
      : ForwardingFile(node->file),
        node_(std::move(node)),
        name_(std::move(name)),
        options_(options) {}
  ~Handle() override { node_->unlock(options_.lock); }

  Status write_at(u64 offset, std::span<const std::byte> data) override {
    return writable() ? inner().write_at(offset, data) : refuse();
  }
  Status zero_at(u64 offset, u64 length) override {
    return writable() ? inner().zero_at(offset, length) : refuse();
  }
  Status punch_at(u64 offset, u64 length) override {
    return writable() ? inner().punch_at(offset, length) : refuse();
  }
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override {
    return writable() ? inner().copy_from(source, source_offset, target_offset, length) : refuse();
  }
  Status resize(u64 new_size) override { return writable() ? inner().resize(new_size) : refuse(); }
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] const std::shared_ptr<Node>& node() const { return node_; }

 private:
  [[nodiscard]] bool writable() const { return options_.access == Access::read_write; }
  [[nodiscard]] Status refuse() const {
    return fail(Errc::write_protected, fmt::format("{}: opened read-only", name_));
  }

  std::shared_ptr<Node> node_;
  std::string name_;
  FileOptions options_;
};

namespace {

std::unexpected<Error> missing(const std::filesystem::path& path) {
  return fail(Errc::file_not_found, fmt::format("{}: no such file", path.string()));
}

std::filesystem::path normal(const std::filesystem::path& path) {
  return ("/" / path).lexically_normal();
}

}  // namespace

/// Its name goes with it, unless it was published.
class MemoryFileSystem::Temporary final : public Handle {
 public:
  Temporary(std::shared_ptr<Node> its_node, std::string name, std::weak_ptr<Names> names)
      : Handle(std::move(its_node), std::move(name),
               {.access = Access::read_write, .lock = Lock::exclusive}),
        names_(std::move(names)) {}
  ~Temporary() override {
    const auto names = names_.lock();
    if (!names) return;
    const std::lock_guard lock(names->mutex);
    names->nodes.erase(normal(name()));
  }

 private:
  std::weak_ptr<Names> names_;
};

MemoryFileSystem::MemoryFileSystem() : names_(std::make_shared<Names>()) {}

MemoryFileSystem::~MemoryFileSystem() = default;

Result<std::shared_ptr<File>> MemoryFileSystem::open_node(std::shared_ptr<Node> node,
                                                          const std::string& name,
                                                          const FileOptions& options) {
  if (!node->lock(options.lock)) return fail(Errc::busy, fmt::format("{}: in use", name));
  return std::make_shared<Handle>(std::move(node), name, options);
}

Result<std::shared_ptr<File>> MemoryFileSystem::open(const std::filesystem::path& path,
                                                     const FileOptions& options) {
  const std::lock_guard lock(names_->mutex);
  const auto found = names_->nodes.find(normal(path));
  if (found == names_->nodes.end()) return missing(path);
  return open_node(found->second, path.string(), options);
}

Result<std::shared_ptr<File>> MemoryFileSystem::open_beneath(const std::filesystem::path& root,
                                                             const std::filesystem::path& relative,
                                                             const FileOptions& options) {
  const auto inside = relative.lexically_normal();
  if (relative.is_absolute() || inside.empty() || *inside.begin() == "..") {
    return fail(Errc::parent_access_denied,
                fmt::format("{}: leads out of {}", relative.string(), root.string()));
  }
  return open(root / inside, options);
}

Result<std::shared_ptr<File>> MemoryFileSystem::create_beside(const std::filesystem::path& target) {
  const std::lock_guard lock(names_->mutex);
  const auto name = fmt::format("{}.tmp{}", target.string(), ++temporaries_);
  auto node = std::make_shared<Node>();
  node->file = std::make_shared<MemoryFile>(name);
  names_->nodes[normal(name)] = node;
  (void)node->lock(Lock::exclusive);
  return std::make_shared<Temporary>(std::move(node), name, names_);
}

Status MemoryFileSystem::publish(File& temporary, const std::filesystem::path& target,
                                 bool replace) {
  const std::lock_guard lock(names_->mutex);
  const auto place = normal(target);
  if (!replace && names_->nodes.contains(place)) {
    return fail(Errc::file_exists, fmt::format("{}: exists", target.string()));
  }
  names_->nodes[place] = dynamic_cast<Handle&>(temporary).node();
  names_->nodes.erase(normal(temporary.name()));
  return {};
}

Status MemoryFileSystem::remove(const std::filesystem::path& path) {
  const std::lock_guard lock(names_->mutex);
  if (names_->nodes.erase(normal(path)) == 0) return missing(path);
  return {};
}

Result<FileId> MemoryFileSystem::identity(const std::filesystem::path& path) const {
  const std::lock_guard lock(names_->mutex);
  const auto found = names_->nodes.find(normal(path));
  if (found == names_->nodes.end()) return missing(path);
  return found->second->file->identity();
}

Result<std::vector<std::filesystem::path>> MemoryFileSystem::list(
    const std::filesystem::path& directory) const {
  const std::lock_guard lock(names_->mutex);
  std::vector<std::filesystem::path> names;
  for (const auto& [path, node] : names_->nodes) {
    if (path.parent_path() == normal(directory)) names.push_back(path.filename());
  }
  return names;
}

Result<std::vector<std::filesystem::path>> MemoryFileSystem::list_directories(
    const std::filesystem::path& directory) const {
  const std::lock_guard lock(names_->mutex);
  std::set<std::filesystem::path> names;
  for (const auto& [path, node] : names_->nodes) {
    const auto below = path.parent_path().lexically_relative(normal(directory));
    if (!below.empty() && below != "." && *below.begin() != "..") names.insert(*below.begin());
  }
  return std::vector<std::filesystem::path>(names.begin(), names.end());
}

Result<std::filesystem::path> MemoryFileSystem::absolute(const std::filesystem::path& path) const {
  return normal(path);
}

}  // namespace vdisk::test
